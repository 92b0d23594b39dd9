"""The factors of the groups of all vectors that are in the activation buffer."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.formats import FACTOR_BITS
from rtl.layouts import indices
from rtl.memory.activation_buffer import BufferConfig
from rtl.quantiser.group_factors import factor_layout


class FactorMemory(wiring.Component):
    """Keeps what the quantiser says of a vector's groups until the array has taken the last chunk of them.

    Parameters
    ----------
    vectors
        Vectors in flight, 1 or 2.
    groups
        Most groups of a vector, 1 to 256.
    buffer
        The activation buffer, of two regions for each vector: results of its layers, and inputs.

    Members
    -------
    factor
        In, `rtl.quantiser.group_factors.factor_layout` of `vectors` + 1 channels: of a vector's groups one after
        another, from 0 on. The last channel's vectors are inputs, which go to the vectors in flight in turn.
    region, group
        In: which to read.
    value
        Out: it, `LATENCY` cycle later.

    """

    LATENCY = 1

    factor: data.View
    region: Signal
    group: Signal
    value: Signal

    def __init__(self, *, vectors: int, groups: int, buffer: BufferConfig):
        self.vectors = vectors
        super().__init__(
            {
                "factor": In(factor_layout(groups, vectors + 1)),
                "region": In(buffer.region),
                "group": In(indices(groups)),
                "value": Out(FACTOR_BITS),
            }
        )

    def elaborate(self, platform) -> Module:
        """A memory, and whose input the last one was."""
        m = Module()
        m.submodules.memory = memory = Memory(shape=FACTOR_BITS, depth=1 << len(Cat(self.group, self.region)), init=[])
        write, read = memory.write_port(), memory.read_port()
        last, turn, region = Signal(init=1), Signal(), Signal.like(self.region)
        is_input = self.factor.channel == self.vectors
        if self.vectors > 1:
            m.d.comb += turn.eq(last ^ (self.factor.group == 0))
            m.d.sync += last.eq(Mux(self.factor.valid & is_input, turn, last))
        m.d.comb += [
            region.eq(Mux(is_input, self.vectors + turn, self.factor.channel)),
            write.en.eq(self.factor.valid),
            write.addr.eq(Cat(self.factor.group, region)),
            write.data.eq(self.factor.value),
            read.addr.eq(Cat(self.group, self.region)),
            self.value.eq(read.data),
        ]
        return m
