"""What the array multiplies by trits: a few quantised activations at a time in, chunks of C out."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import ACTIVATION, indices
from rtl.pipeline import registered
from rtl.transformer.config import DecoderConfig
from rtl.transformer.steps import Steps


class ActivationMemory(wiring.Component):
    """Chunks of activations, where the program says; what is not written stays.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    i
        In, stream of `word`, always ready.
    address
        In: the chunk to read.
    o
        Out, ArrayLayout(signed(8), C): that chunk, `LATENCY` cycles later.

    A read sees what was written at least one cycle before. Throughput: one word in and one chunk out a cycle.

    """

    LATENCY = 2

    i: stream.Interface
    address: Signal
    o: data.View

    def __init__(self, config: DecoderConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(self.word(config), always_ready=True)),
                "address": In(Steps(config).activation),
                "o": Out(data.ArrayLayout(ACTIVATION, config.columns)),
            }
        )

    @staticmethod
    def word(config: DecoderConfig) -> data.StructLayout:
        """``data``, L activations; ``chunk``, its address; ``group``: which L of the chunk's activations they are."""
        return data.StructLayout(
            {
                "data": data.ArrayLayout(ACTIVATION, config.lanes),
                "chunk": Steps(config).activation,
                "group": indices(config.columns // config.lanes),
            }
        )

    def elaborate(self, platform) -> Module:
        """A memory that is written by groups of lanes."""
        m = Module()
        lanes, payload = self.config.lanes, self.i.payload
        m.submodules.memory = memory = Memory(shape=self.o.shape(), depth=len(Steps(self.config).activation), init=[])
        write, read = memory.write_port(granularity=lanes), memory.read_port()
        m.d.comb += [write.addr.eq(payload.chunk), read.addr.eq(self.address)]
        for column in range(self.config.columns):
            m.d.comb += write.data[column].eq(payload.data[column % lanes])
        for group in range(self.config.columns // lanes):
            m.d.comb += write.en[group].eq(self.i.valid & (payload.group == group))
        m.d.comb += self.o.eq(registered(m, read.data, "output", reset_less=True))
        return m
