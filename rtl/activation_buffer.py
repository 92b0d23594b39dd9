"""The buffer between the quantiser and the array: words of a few lanes in, chunks of C activations out."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import ACTIVATION, indices, words
from rtl.limits import check_multiple, check_range


@dataclass(frozen=True)
class BufferConfig:
    """Size of an activation buffer.

    Parameters
    ----------
    columns
        C, activations a chunk, 1 to 1024.
    lanes
        Activations a word; divides `columns`.
    depth
        Chunks, 1 to 65536.

    """

    columns: int
    lanes: int
    depth: int

    def __post_init__(self) -> None:
        check_range("activation buffer", "columns", self.columns, 1, 1024)
        check_range("activation buffer", "lanes", self.lanes, 1, self.columns)
        check_multiple("activation buffer", "columns", self.columns, "lanes", self.lanes)
        check_range("activation buffer", "depth", self.depth, 1, 65536)


class ActivationBuffer(wiring.Component):
    """Holds one quantised vector; its chunks can be read as soon as they are complete.

    Parameters
    ----------
    config
        The size.

    Members
    -------
    i
        In, stream of `words` (signed(8), lanes): the vector; always ready. What a partly filled last chunk holds in
        its other lanes is left over from earlier: their weights are zero.
    clear
        In, 1: forget the vector; the next word starts a new one.
    available
        Out: chunks that can be read.
    address
        In: the chunk to read.
    chunk
        Out, ArrayLayout(signed(8), columns): that chunk, `LATENCY` cycles later.

    A chunk is available `FILL` cycle after its last word. Throughput: one word in and one chunk out a cycle.

    """

    LATENCY = 2
    FILL = 1

    i: stream.Interface
    clear: Signal
    available: Signal
    address: Signal
    chunk: data.View

    def __init__(self, config: BufferConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(words(ACTIVATION, config.lanes), always_ready=True)),
                "clear": In(1),
                "available": Out(range(config.depth + 1)),
                "address": In(indices(config.depth)),
                "chunk": Out(data.ArrayLayout(ACTIVATION, config.columns)),
            }
        )

    def elaborate(self, platform) -> Module:
        """A memory written by groups of lanes."""
        m = Module()
        lanes, groups = self.config.lanes, self.config.columns // self.config.lanes
        m.submodules.memory = memory = Memory(
            shape=data.ArrayLayout(ACTIVATION, self.config.columns), depth=len(indices(self.config.depth)), init=[]
        )
        write, read = memory.write_port(granularity=lanes), memory.read_port()
        group = Signal(indices(groups))
        m.d.comb += write.addr.eq(self.available)
        for index in range(groups):
            m.d.comb += write.en[index].eq(self.i.valid & (group == index))
            for lane in range(lanes):
                m.d.comb += write.data[index * lanes + lane].eq(self.i.payload.data[lane])
        with m.If(self.i.valid):
            m.d.sync += group.eq(group + 1)
            with m.If((group == groups - 1) | self.i.payload.last):
                m.d.sync += [group.eq(0), self.available.eq(self.available + 1)]
        with m.If(self.clear):
            m.d.sync += [group.eq(0), self.available.eq(0)]
        m.d.comb += read.addr.eq(self.address)
        m.d.sync += self.chunk.eq(read.data)
        return m
