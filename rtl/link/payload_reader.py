"""A reading of a held frame's payload: bytes gathered into units."""

from amaranth.hdl import Cat, Fragment, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.link.format import HEADER_BYTES, UNIT_BYTES
from rtl.limits import check_range


class PayloadReader(wiring.Component):
    """Reads a payload from its first byte on, as often as it is told to.

    Parameters
    ----------
    depth
        Places that the frame's memory has, see `FrameReceiver`.
    lanes
        Bytes of an input vector's stream word, at least 1.

    Members
    -------
    start
        In, 1: begin; the reading runs from the next cycle on in which it is 0.
    address, data, end
        Out, in, in: to the `FrameReceiver`.
    is_vector
        In, 1: the units behind the first one are stream words; otherwise all have `UNIT_BYTES`.
    o
        Out, stream of unsigned: a unit in the highest bits, its first byte lowest.
    spell
        In, 1: with a transfer of `o`: its `UNIT_BYTES` are also wanted one by one.
    spelt
        Out, stream of unsigned(8): these bytes, after the transfer.
    ended, ragged
        Out, 1: all units have passed, until the next `start`; bytes are left that make none.

    Throughput: 2 cycles a byte, 1 more a unit, and what the streams wait.

    """

    start: Signal
    address: Signal
    data: Signal
    end: Signal
    is_vector: Signal
    o: stream.Interface
    spell: Signal
    spelt: stream.Interface
    ended: Signal
    ragged: Signal

    def __init__(self, depth: int, lanes: int):
        check_range("payload reader", "lanes", lanes, 1, 1 << 16)
        self.lanes, self.size = lanes, max(lanes, UNIT_BYTES)
        super().__init__(
            {
                "start": In(1),
                "address": Out(range(depth), init=HEADER_BYTES),
                "data": In(8),
                "end": In(range(depth)),
                "is_vector": In(1),
                "o": Out(stream.Signature(8 * self.size)),
                "spell": In(1),
                "spelt": Out(stream.Signature(8)),
                "ended": Out(1),
                "ragged": Out(1),
            }
        )

    def elaborate(self, platform) -> Fragment:
        """A shift register, filled from the memory, and emptied again to spell; a reading begins as after a reset."""
        m = Module()
        unit, count, first = Signal(8 * self.size, reset_less=True), Signal(range(self.size)), Signal(init=1)
        at = self.address
        m.d.comb += [
            self.o.payload.eq(unit),
            self.spelt.payload.eq(unit[-8 * UNIT_BYTES :]),
            self.ragged.eq(count != 0),
        ]
        with m.FSM():
            with m.State("FETCH"):
                m.next = "TAKE"
                with m.If(at == self.end):
                    m.next = "END"
            with m.State("TAKE"):
                m.d.sync += [unit.eq(Cat(unit[8:], self.data)), at.eq(at + 1), count.eq(count + 1)]
                m.next = "FETCH"
                with m.If(count == Mux(self.is_vector & ~first, self.lanes - 1, UNIT_BYTES - 1)):
                    m.d.sync += [count.eq(0), first.eq(0)]
                    m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "FETCH"
                    with m.If(self.spell):
                        m.next = "SPELL"
            with m.State("SPELL"):
                m.d.comb += self.spelt.valid.eq(1)
                with m.If(self.spelt.ready):
                    m.d.sync += [unit.eq(unit >> 8), count.eq(count + 1)]
                    with m.If(count == UNIT_BYTES - 1):
                        m.d.sync += count.eq(0)
                        m.next = "FETCH"
            with m.State("END"):
                m.d.comb += self.ended.eq(1)
        return ResetInserter(self.start)(m)
