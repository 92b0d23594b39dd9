"""Requests and replies, one at a time: what every device with a host link does in the same way."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.link.format import HEADER_BYTES, VERSION, Command, Refusal
from rtl.layouts import BYTE, RECEIVED
from rtl.link.frame_receiver import HEADER, REFUSAL, FrameReceiver
from rtl.link.frame_sender import FrameSender
from rtl.link.held_image import STATE
from rtl.link.payload_reader import PayloadReader
from rtl.link.reply import COUNTERS, LinkReply


class Exchange(wiring.Component):
    """Takes requests from a line of bytes, has them checked, then carried out or refused, and replies.

    Parameters
    ----------
    identity
        What the device is, as bytes.
    request, reply
        Longest payloads of a request and of a reply.
    unit
        Bytes of a unit of a body of its own kind, see `PayloadReader`.
    patience
        A request that takes 2**patience cycles to be carried out is stuck.
    bare
        Commands whose replies have no payload.

    Members
    -------
    i
        In, stream of `RECEIVED`: bytes from the host; always taken.
    o
        Out, stream of unsigned(8): bytes to the host.
    hold
        In, 1: a request waits.
    header, end
        Out: of the request, see `FrameReceiver`.
    known
        In, `REFUSAL`: why the command in `header` is never carried out, or 0; not asked for ``identify`` and
        ``counters``.
    start
        Out, 1: a reading of the payload begins with the next cycle.
    is_vector, unit, last
        In, out, out: see `PayloadReader`; `last`: behind the unit no byte is left.
    taken
        Out, 1: the unit passes.
    offered, accepts
        Out, in, 1: the unit is there to be carried out, and may pass.
    spell, spelt
        In, out: see `PayloadReader`.
    ragged
        Out, 1: bytes are left that make no unit.
    objection
        In, `REFUSAL`: why the request is refused, when all units have passed for the first time; or 0.
    accepted
        Out, 1: it is not.
    works
        In, 1: it then has to be carried out, by a second reading; otherwise it is done.
    carrying
        Out, 1: it is being carried out.
    busy
        In, 1: it is not done with the second reading; the reply waits.
    body
        In, stream of `BYTE`: see `LinkReply`.
    state, cycles
        In, `STATE`, and in, 32: what the device says of itself and of its last work.
    elapsed
        Out: cycles of the request's being carried out so far, or of the last one's.
    gives_up
        Out, 1: the request was stuck; whatever carries it out is to be reset.

    A request is looked at when all of it is here and its CRC-32 is right. Its payload is then read twice: once to see
    whether it may be carried out, and only then to do it; a reading takes 2 cycles a byte and 1 more a unit. Meanwhile
    and until its reply is made, what comes in is dropped and counted.

    """

    i: stream.Interface
    o: stream.Interface
    hold: Signal
    header: data.View
    end: Signal
    known: Signal
    start: Signal
    is_vector: Signal
    unit: Signal
    last: Signal
    taken: Signal
    offered: Signal
    accepts: Signal
    spell: Signal
    spelt: stream.Interface
    ragged: Signal
    objection: Signal
    accepted: Signal
    works: Signal
    carrying: Signal
    busy: Signal
    body: stream.Interface
    state: data.View
    cycles: Signal
    elapsed: Signal
    gives_up: Signal

    def __init__(
        self, identity: Sequence[int], *, request: int, reply: int, unit: int, patience: int, bare: Sequence[Command]
    ):
        self.receiver, self.sender = FrameReceiver(request), FrameSender(reply)
        self.reader, self.reply = PayloadReader(self.receiver.depth, unit), LinkReply(identity, bare)
        flags = dict.fromkeys(("hold", "is_vector", "accepts", "spell", "works", "busy"), In(1))
        flags |= dict.fromkeys(
            ("start", "last", "taken", "offered", "ragged", "accepted", "carrying", "gives_up"), Out(1)
        )
        super().__init__(
            {
                "i": In(stream.Signature(RECEIVED, always_ready=True)),
                "o": Out(stream.Signature(8)),
                "header": Out(HEADER),
                "end": Out(range(self.receiver.depth)),
                "known": In(REFUSAL),
                "unit": Out(8 * self.reader.size),
                "spelt": Out(stream.Signature(8)),
                "objection": In(REFUSAL),
                "body": In(stream.Signature(BYTE)),
                "state": In(STATE),
                "cycles": In(32),
                "elapsed": Out(patience + 1),
                **flags,
            }
        )

    def elaborate(self, platform) -> Module:
        """One state machine between the receiver's memory, whoever carries out, and the sender's memory."""
        m = Module()
        receiver, reader, reply, sender = self.receiver, self.reader, self.reply, self.sender
        m.submodules.receiver = receiver
        m.submodules.reader = reader
        m.submodules.reply = reply
        m.submodules.sender = sender
        m.d.comb += [
            reply.request.eq(receiver.header),
            reply.byte.eq(receiver.data),
            reply.state.eq(self.state),
            reader.data.eq(receiver.data),
            reader.end.eq(receiver.end),
            receiver.address.eq(Mux(reply.start, reply.place, reader.address)),
            self.header.eq(receiver.header),
            self.end.eq(receiver.end),
            self.start.eq(reader.start),
            reader.is_vector.eq(self.is_vector),
            self.unit.eq(reader.o.payload),
            self.last.eq(reader.address == receiver.end),
            self.taken.eq(reader.o.valid & reader.o.ready),
            reader.spell.eq(self.spell & self.carrying),
            self.ragged.eq(reader.ragged),
        ]
        for source, sink in (
            (wiring.flipped(self.i), receiver.i),
            (wiring.flipped(self.body), reply.body),
            (reader.spelt, wiring.flipped(self.spelt)),
            (reply.o, sender.i),
            (sender.o, wiring.flipped(self.o)),
        ):
            wiring.connect(m, source, sink)
        granted = Signal()
        expired = self._count(m, granted)
        m.d.comb += [sender.abort.eq(self.gives_up), reply.restart.eq(self.gives_up)]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += reader.start.eq(1)
                m.d.sync += reply.refusal.eq(receiver.refusal)
                with m.If(receiver.held & sender.i.ready & ~self.hold):
                    m.next = "REPLY"
                    with m.If(receiver.refusal == 0):
                        self._look(m)
            with m.State("CHECK"):
                m.d.comb += reader.o.ready.eq(1)
                with m.If(reader.ended):
                    m.d.comb += reader.start.eq(1)
                    m.next = "REPLY"
                    m.d.sync += reply.refusal.eq(self.objection)
                    with m.If(self.objection == 0):
                        m.d.comb += self.accepted.eq(1)
                        with m.If(self.works):
                            m.d.comb += granted.eq(1)
                            m.next = "CARRY OUT"
            with m.State("CARRY OUT"):
                m.d.comb += [
                    self.carrying.eq(1),
                    self.offered.eq(reader.o.valid),
                    reader.o.ready.eq(self.accepts),
                    self.gives_up.eq(expired),
                ]
                with m.If(reader.ended & ~self.busy):
                    m.next = "REPLY"
                with m.If(self.gives_up):
                    m.d.sync += reply.refusal.eq(Refusal.STUCK)
                    m.next = "REPLY"
            with m.State("REPLY"):
                m.d.comb += [reply.start.eq(1), self.gives_up.eq(expired)]
                with m.If(self.gives_up):
                    m.d.sync += reply.refusal.eq(Refusal.STUCK)
                with m.Elif(reply.done):
                    m.d.comb += receiver.release.eq(1)
                    m.next = "IDLE"
        return m

    def _look(self, m: Module) -> None:
        """What is known of a request by its header: a refusal, or that it has to be read."""
        receiver, refusal = self.receiver, self.reply.refusal
        with m.If(receiver.header.version != VERSION):
            m.d.sync += refusal.eq(Refusal.VERSION)
        with m.Else(), m.Switch(receiver.header.command):
            with m.Case(Command.IDENTIFY, Command.COUNTERS), m.If(receiver.end != HEADER_BYTES):
                m.d.sync += refusal.eq(Refusal.LENGTH)
            with m.Default():
                m.d.sync += refusal.eq(self.known)
                with m.If(self.known == 0):
                    m.next = "CHECK"

    def _count(self, m: Module, granted: Signal) -> Value:
        """The counters; whether a request has taken all the time that it has."""
        receiver, reply = self.receiver, self.reply
        counters, running = Signal(COUNTERS), Signal()
        m.d.comb += [reply.counters.eq(counters), reply.counters.cycles.eq(self.cycles)]
        m.d.sync += [
            counters.lost.eq(counters.lost + receiver.lost),
            counters.frames.eq(counters.frames + (receiver.release & (reply.refusal == 0))),
            counters.refused.eq(counters.refused + (receiver.release & (reply.refusal != 0))),
        ]
        with m.If(running):
            m.d.sync += self.elapsed.eq(self.elapsed + 1)
        with m.If(receiver.release | self.gives_up):
            m.d.sync += running.eq(0)
        with m.If(granted):
            m.d.sync += [running.eq(1), self.elapsed.eq(0)]
        return running & self.elapsed[-1]
