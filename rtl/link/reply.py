"""The replies of the host link, byte by byte."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.errors import TritweaveError
from golden.link.format import (
    COUNTER_FIELDS,
    DONE,
    HEADER_BYTES,
    IDENTITY_FIELDS,
    REFUSED,
    VERSION,
    Command,
    Refusal,
)
from rtl.layouts import BYTE, words
from rtl.link.frame_receiver import HEADER, REFUSAL
from rtl.link.held_image import STATE
from rtl.selection import selected, selected_byte

COUNTERS = data.StructLayout({name: 8 * size for name, size in COUNTER_FIELDS.items()})
"""See `golden.link.format.COUNTER_FIELDS`."""

_RESULT_BYTES = 4


class LinkReply(wiring.Component):
    """Makes the reply to a request; what it says is `golden.link.format`.

    Parameters
    ----------
    identity
        `golden.link.format.IDENTITY_FIELDS` as bytes.
    lanes, width
        Values of a result word, and the bits of each, 1 to 32.

    Members
    -------
    start
        In, 1: reply; held until `done`. The members below hold as long.
    request
        In, `HEADER`: what is replied to.
    place, byte
        Out, and in, 8: a place in the request's header, and the byte that is there, one cycle later.
    refusal
        In, `REFUSAL`: why it is refused, or 0.
    state, counters
        In, `STATE` and `COUNTERS`.
    results
        In, stream of `words` (signed(width), lanes): one vector, taken by a reply to ``run``.
    restart
        In, 1: begin anew in the next cycle.
    o
        Out, stream of `BYTE`: the frame without its CRC-32.
    done
        Out, 1: the last byte passes.

    Throughput: one byte in three cycles, so that `byte` is in time.

    """

    start: Signal
    request: data.View
    place: Signal
    byte: Signal
    refusal: Signal
    state: data.View
    counters: data.View
    results: stream.Interface
    restart: Signal
    o: stream.Interface
    done: Signal

    def __init__(self, identity: Sequence[int], lanes: int, width: int):
        if len(identity) != sum(IDENTITY_FIELDS.values()):
            raise TritweaveError(f"link: identity has {len(identity)} bytes; it has {sum(IDENTITY_FIELDS.values())}")
        self.identity, self.lanes = Const(int.from_bytes(bytes(identity), "little"), 8 * len(identity)), lanes
        super().__init__(
            {
                "start": In(1),
                "request": In(HEADER),
                "place": Out(range(HEADER_BYTES)),
                "byte": In(8),
                "refusal": In(REFUSAL),
                "state": In(STATE),
                "counters": In(COUNTERS),
                "results": In(stream.Signature(words(signed(width), lanes))),
                "restart": In(1),
                "o": Out(stream.Signature(BYTE)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """A counter of bytes, first through the header, then through the body."""
        m = Module()
        refused = self.refusal != 0
        untrusted = (self.refusal == Refusal.DAMAGED) | (self.refusal == Refusal.SHORT)
        about = Cat(self.identity, self.state.as_value())
        word = _RESULT_BYTES * self.lanes
        index, in_body = Signal(range(max(len(about) // 8, word))), Signal()

        # The body's byte, its last place, and whether it ends there.
        byte, last, ends = Signal(8), Signal.like(index), Signal(init=1)
        m.d.comb += [self.o.valid.eq(self.start), self.place.eq(index)]
        with m.If(~in_body):
            # What is not of this reply is the request's: its sequence.
            m.d.comb += [byte.eq(Mux(untrusted, 0, self.byte)), last.eq(HEADER_BYTES - 1), ends.eq(0)]
            with m.If(index == 0):
                m.d.comb += byte.eq(VERSION)
            with m.If(index == 1):
                m.d.comb += byte.eq(Mux(refused, REFUSED, self.request.command | DONE))
            with m.Switch(self.request.command), m.Case(Command.BEGIN, Command.LOAD, Command.FINISH):
                m.d.comb += ends.eq(~refused)
        with m.Elif(refused):
            m.d.comb += byte.eq(self.refusal)
        with m.Elif(self.request.command == Command.IDENTIFY):
            m.d.comb += [byte.eq(selected_byte(about, index)), last.eq(len(about) // 8 - 1)]
        with m.Elif(self.request.command == Command.COUNTERS):
            counters = self.counters.as_value()
            m.d.comb += [byte.eq(selected_byte(counters, index)), last.eq(len(counters) // 8 - 1)]
        with m.Else():
            # Lanes are chosen before they are extended, which takes fewer multiplexers than the other way round.
            lanes = [self.results.payload.data[lane] for lane in range(self.lanes)]
            extended = Signal(signed(8 * _RESULT_BYTES))
            m.d.comb += extended.eq(selected(lanes, index[2:]))
            m.d.comb += [
                byte.eq(selected_byte(extended, index[:2])),
                last.eq(word - 1),
                ends.eq(self.results.payload.last),
                self.o.valid.eq(self.start & self.results.valid),
                self.results.ready.eq(self.start & self.o.ready & (index == word - 1)),
            ]

        m.d.comb += [
            self.o.payload.data.eq(byte),
            self.o.payload.last.eq((index == last) & ends),
            self.done.eq(self.o.valid & self.o.ready & self.o.payload.last),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += index.eq(index + 1)
            with m.If(index == last):
                m.d.sync += [index.eq(0), in_body.eq(1)]
        with m.If(self.done | self.restart):
            m.d.sync += [index.eq(0), in_body.eq(0)]
        return m
