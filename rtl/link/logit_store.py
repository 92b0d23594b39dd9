"""The logits in front of the last choice, kept for the host."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import words
from rtl.transformer.config import DecoderConfig


class LogitStore(wiring.Component):
    """Keeps a token's logits until the next one's come.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    i
        In, stream of `words` (signed(logit_sum), lanes): the decoder's, always taken.
    read
        In, 1: give them, from the first word on.
    o
        Out, stream of the same words.

    Throughput: a word in 2 cycles.

    """

    i: stream.Interface
    read: Signal
    o: stream.Interface

    def __init__(self, config: DecoderConfig):
        self._depth = config.words(config.shape.vocabulary)
        self._layout = words(signed(config.widths.logit_sum), config.lanes)
        super().__init__(
            {
                "i": In(stream.Signature(self._layout, always_ready=True)),
                "read": In(1),
                "o": Out(stream.Signature(self._layout)),
            }
        )

    def elaborate(self, platform) -> Module:
        """One memory and two counters."""
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._layout["data"].shape, depth=max(self._depth, 2), init=[])
        write, read = memory.write_port(), memory.read_port()
        fetched = Signal()
        here, there = Signal.like(write.addr), Signal.like(read.addr)
        m.d.comb += [
            write.addr.eq(here),
            write.data.eq(self.i.payload.data),
            write.en.eq(self.i.valid),
            read.addr.eq(there),
            self.o.payload.data.eq(read.data),
            self.o.payload.last.eq(there == self._depth - 1),
            self.o.valid.eq(fetched),
        ]
        with m.If(self.i.valid):
            m.d.sync += here.eq(here + 1)
            with m.If(self.i.payload.last):
                m.d.sync += here.eq(0)
        m.d.sync += fetched.eq(~fetched | ~self.o.ready)
        with m.If(fetched & self.o.ready):
            m.d.sync += there.eq(there + 1)
        with m.If(self.read):
            m.d.sync += [there.eq(0), fetched.eq(0)]
        return m
