"""A run's results as the payload of its reply."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import BYTE, words
from rtl.selection import selected, selected_byte

_RESULT_BYTES = 4


class ResultBytes(wiring.Component):
    """Words of results, byte by byte: 4 a value, little-endian.

    Parameters
    ----------
    lanes, width
        Values of a result word, and the bits of each, 1 to 32.

    Members
    -------
    i
        In, stream of `words` (signed(width), lanes): vectors of results.
    o
        Out, stream of `BYTE`: the same.
    restart
        In, 1: the next word is a vector's first.

    Latency: none. Throughput: one byte a cycle.

    """

    i: stream.Interface
    o: stream.Interface
    restart: Signal

    def __init__(self, lanes: int, width: int):
        self.lanes = lanes
        super().__init__(
            {
                "i": In(stream.Signature(words(signed(width), lanes))),
                "o": Out(stream.Signature(BYTE)),
                "restart": In(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """A counter of a word's bytes."""
        m = Module()
        index = Signal(range(_RESULT_BYTES * self.lanes))
        ends = index == _RESULT_BYTES * self.lanes - 1
        # Lanes are chosen before they are extended, which takes fewer multiplexers than the other way round.
        lanes = [self.i.payload.data[lane] for lane in range(self.lanes)]
        value = Signal.like(lanes[0])
        extended = Cat(value, value[-1].replicate(8 * _RESULT_BYTES - len(value)))
        m.d.comb += [
            value.eq(selected(lanes, index[2:])),
            self.o.payload.data.eq(selected_byte(extended, index[:2])),
            self.o.payload.last.eq(self.i.payload.last & ends),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & ends),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += index.eq(index + 1)
            with m.If(ends):
                m.d.sync += index.eq(0)
        with m.If(self.restart):
            m.d.sync += index.eq(0)
        return m
