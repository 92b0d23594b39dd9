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
    def address(self) -> range:
        """Shape of an address in the memory, where the regions lie one behind the other."""
        return indices(sum(self.depths))

    @property
    def bases(self) -> tuple[int, ...]:
        """For each region, the address of its first chunk."""
        return tuple(sum(self.depths[:region]) for region in range(len(self.depths)))


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
        In, `BufferConfig.region`: the vector's region, whose vector before it is lost.
    begun
        Out, a bit for each region: its vector's first chunk is complete, in this cycle only.
    whole
        Out, a bit for each region: all of its vector can be read.
    written
        Out, `BufferConfig.chunk`: how many chunks can be read of the vector that is on its way.
    region, address
        In, `BufferConfig.region` and `BufferConfig.chunk`: the chunk to read.
    chunk
        Out, ArrayLayout(signed(8), columns): that chunk, `LATENCY` cycles later.

    A chunk can be read `FILL` cycle after its last word. Throughput: one word in and one chunk out a cycle.

    """

    LATENCY = 3
    """The address, the memory and its output register."""
    FILL = 1

    i: stream.Interface
    into: Signal
    begun: Signal
    whole: Signal
    written: Signal
    region: Signal
    address: Signal
    chunk: data.View

    def __init__(self, config: BufferConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(words(ACTIVATION, config.lanes), always_ready=True)),
                "into": In(config.region),
                "begun": Out(len(config.depths)),
                "whole": Out(len(config.depths)),
                "written": Out(config.chunk),
                "region": In(config.region),
                "address": In(config.chunk),
                "chunk": Out(data.ArrayLayout(ACTIVATION, config.columns)),
            }
        )

    def elaborate(self, platform) -> Module:
        """A memory written by groups of lanes, one region behind the other."""
        m = Module()
        lanes, groups = self.config.lanes, self.config.columns // self.config.lanes
        bases = Array(self.config.bases)
        m.submodules.memory = memory = Memory(
            shape=data.ArrayLayout(ACTIVATION, self.config.columns), depth=len(self.config.address), init=[]
        )
        write, read = memory.write_port(granularity=lanes), memory.read_port()
        group, full = Signal(indices(groups)), Signal()
        m.d.comb += [
            write.addr.eq(bases[self.into] + self.written),
            full.eq(self.i.valid & ((group == groups - 1) | self.i.payload.last)),
        ]
        for index in range(groups):
            m.d.comb += write.en[index].eq(self.i.valid & (group == index))
            for lane in range(lanes):
                m.d.comb += write.data[index * lanes + lane].eq(self.i.payload.data[lane])
        with m.If(self.i.valid):
            m.d.sync += group.eq(Mux(full, 0, group + 1))
        with m.If(full):
            m.d.sync += self.written.eq(Mux(self.i.payload.last, 0, self.written + 1))
        for region in range(len(self.config.depths)):
            here = full & (self.into == region)
            m.d.comb += self.begun[region].eq(here & (self.written == 0))
            with m.If(here):
                m.d.sync += self.whole[region].eq(self.i.payload.last)
        m.d.comb += read.addr.eq(registered(m, (bases[self.region] + self.address)[: len(read.addr)], "read_address"))
        m.d.comb += self.chunk.eq(registered(m, read.data, "output", reset_less=True))
        return m
