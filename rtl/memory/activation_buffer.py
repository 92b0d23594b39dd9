"""The buffer between the quantiser and the array: words of a few lanes in, chunks of C activations out."""

from dataclasses import dataclass

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import ACTIVATION, indices, words
from rtl.limits import check_multiple, check_range
from rtl.pipeline import registered


@dataclass(frozen=True)
class BufferConfig:
    """Size of an activation buffer.

    Parameters
    ----------
    columns
        C, activations a chunk, 1 to 1024.
    lanes
        Activations a word; divides `columns`.
    depths
        Chunks of each region, 1 to 65536; 1 to 16 regions.

    """

    columns: int
    lanes: int
    depths: tuple[int, ...]

    def __post_init__(self) -> None:
        check_range("activation buffer", "columns", self.columns, 1, 1024)
        check_range("activation buffer", "lanes", self.lanes, 1, self.columns)
        check_multiple("activation buffer", "columns", self.columns, "lanes", self.lanes)
        check_range("activation buffer", "number of regions", len(self.depths), 1, 16)
        for depth in self.depths:
            check_range("activation buffer", "depth", depth, 1, 65536)

    @property
    def region(self) -> range:
        """Shape of a region's number."""
        return indices(len(self.depths))

    @property
    def chunk(self) -> range:
        """Shape of a chunk's number."""
        return indices(max(self.depths))

    @property
    def counts(self) -> data.ArrayLayout:
        """Shape of a number of chunks for each region."""
        return data.ArrayLayout(range(max(self.depths) + 1), len(self.depths))


class ActivationBuffer(wiring.Component):
    """Holds a quantised vector in each of its regions; chunks can be read as soon as they are complete.

    Parameters
    ----------
    config
        The size.

    Members
    -------
    i
        In, stream of `words` (signed(8), lanes): vectors, one after another; always ready. What a partly filled last
        chunk holds in its other lanes is left over from earlier: their weights are zero.
    into
        In, `BufferConfig.region`: the vector's region, which must be empty when its first word comes.
    clear
        In, a bit for each region: forget its vector, which must be whole.
    available
        Out, `BufferConfig.counts`: chunks that can be read.
    filled
        Out, a bit for each region: in the next cycle one chunk more can be read.
    region, address
        In, `BufferConfig.region` and `BufferConfig.chunk`: the chunk to read.
    chunk
        Out, ArrayLayout(signed(8), columns): that chunk, `LATENCY` cycles later.

    A chunk is available `FILL` cycle after its last word. Throughput: one word in and one chunk out a cycle.

    """

    LATENCY = 2
    FILL = 1

    i: stream.Interface
    into: Signal
    clear: Signal
    available: data.View
    filled: Signal
    region: Signal
    address: Signal
    chunk: data.View

    def __init__(self, config: BufferConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(words(ACTIVATION, config.lanes), always_ready=True)),
                "into": In(config.region),
                "clear": In(len(config.depths)),
                "available": Out(config.counts),
                "filled": Out(len(config.depths)),
                "region": In(config.region),
                "address": In(config.chunk),
                "chunk": Out(data.ArrayLayout(ACTIVATION, config.columns)),
            }
        )

    def elaborate(self, platform) -> Module:
        """A memory written by groups of lanes, one region behind the other."""
        m = Module()
        lanes, groups = self.config.lanes, self.config.columns // self.config.lanes
        depths = self.config.depths
        bases = Array(sum(depths[:region]) for region in range(len(depths)))
        m.submodules.memory = memory = Memory(
            shape=data.ArrayLayout(ACTIVATION, self.config.columns), depth=len(indices(sum(depths))), init=[]
        )
        write, read = memory.write_port(granularity=lanes), memory.read_port()
        group = Signal(indices(groups))
        full = Signal()
        m.d.comb += [
            write.addr.eq(Array(base + self.available[region] for region, base in enumerate(bases))[self.into]),
            full.eq(self.i.valid & ((group == groups - 1) | self.i.payload.last)),
        ]
        for index in range(groups):
            m.d.comb += write.en[index].eq(self.i.valid & (group == index))
            for lane in range(lanes):
                m.d.comb += write.data[index * lanes + lane].eq(self.i.payload.data[lane])
        with m.If(self.i.valid):
            m.d.sync += group.eq(Mux(full, 0, group + 1))
        for region in range(len(depths)):
            count = self.available[region]
            m.d.comb += self.filled[region].eq(full & (self.into == region))
            with m.If(self.clear[region]):
                m.d.sync += count.eq(0)
            with m.Elif(self.filled[region]):
                m.d.sync += count.eq(count + 1)
        m.d.comb += read.addr.eq(bases[self.region] + self.address)
        m.d.comb += self.chunk.eq(registered(m, read.data, "output", reset_less=True))
        return m
