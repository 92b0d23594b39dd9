"""The replies of the host link, byte by byte."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.link.format import COUNTER_FIELDS, DONE, HEADER_BYTES, REFUSED, VERSION, Command, Refusal
from rtl.layouts import BYTE
from rtl.link.frame_receiver import HEADER, REFUSAL
from rtl.link.held_image import STATE
from rtl.selection import selected_byte

COUNTERS = data.StructLayout({name: 8 * size for name, size in COUNTER_FIELDS.items()})
"""See `golden.link.format.COUNTER_FIELDS`."""


class LinkReply(wiring.Component):
    """Makes the reply to a request; what it says is `golden.link.format`.

    Parameters
    ----------
    identity
        What the device is, as bytes.
    bare
        Commands whose replies have no payload.

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
    body
        In, stream of `BYTE`: the payload of the replies to all commands but ``identify``, ``counters`` and `bare`;
        taken within `start` only.
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
    body: stream.Interface
    restart: Signal
    o: stream.Interface
    done: Signal

    def __init__(self, identity: Sequence[int], bare: Sequence[Command]):
        self.identity, self.bare = Const(int.from_bytes(bytes(identity), "little"), 8 * len(identity)), bare
        super().__init__(
            {
                "start": In(1),
                "request": In(HEADER),
                "place": Out(range(HEADER_BYTES)),
                "byte": In(8),
                "refusal": In(REFUSAL),
                "state": In(STATE),
                "counters": In(COUNTERS),
                "body": In(stream.Signature(BYTE)),
                "restart": In(1),
                "o": Out(stream.Signature(BYTE)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """A counter of bytes, first through the header, then through the fields of the device."""
        m = Module()
        refused = self.refusal != 0
        untrusted = (self.refusal == Refusal.DAMAGED) | (self.refusal == Refusal.SHORT)
        about, counters = Cat(self.identity, self.state.as_value()), self.counters.as_value()
        index, in_body = Signal(range(len(about) // 8)), Signal()

        # A byte; whether it ends header or fields, and whether it ends the frame.
        byte, last, ends = Signal(8), Signal(), Signal()
        m.d.comb += [self.o.valid.eq(self.start), self.place.eq(index), ends.eq(last)]
        with m.If(~in_body):
            # What is not of this reply is the request's: its sequence.
            m.d.comb += [byte.eq(Mux(untrusted, 0, self.byte)), last.eq(index == HEADER_BYTES - 1), ends.eq(0)]
            with m.If(index == 0):
                m.d.comb += byte.eq(VERSION)
            with m.If(index == 1):
                m.d.comb += byte.eq(Mux(refused, REFUSED, self.request.command | DONE))
            with m.Switch(self.request.command), m.Case(*self.bare):
                m.d.comb += ends.eq(last & ~refused)
        with m.Elif(refused):
            m.d.comb += [byte.eq(self.refusal), last.eq(1)]
        with m.Elif(self.request.command == Command.IDENTIFY):
            m.d.comb += [byte.eq(selected_byte(about, index)), last.eq(index == len(about) // 8 - 1)]
        with m.Elif(self.request.command == Command.COUNTERS):
            m.d.comb += [byte.eq(selected_byte(counters, index)), last.eq(index == len(counters) // 8 - 1)]
        with m.Else():
            m.d.comb += [
                byte.eq(self.body.payload.data),
                last.eq(self.body.payload.last),
                self.o.valid.eq(self.start & self.body.valid),
                self.body.ready.eq(self.start & self.o.ready),
            ]

        m.d.comb += [
            self.o.payload.data.eq(byte),
            self.o.payload.last.eq(ends),
            self.done.eq(self.o.valid & self.o.ready & self.o.payload.last),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += index.eq(index + 1)
            with m.If(last):
                m.d.sync += [index.eq(0), in_body.eq(1)]
        with m.If(self.done | self.restart):
            m.d.sync += [index.eq(0), in_body.eq(0)]
        return m
