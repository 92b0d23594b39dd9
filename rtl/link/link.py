"""The host link: answers the requests of `golden.link.format` and passes images and vectors to an engine."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH
from golden.link.format import HEADER_BYTES, PAYLOAD_BYTES, VERSION, Command, Refusal
from rtl.crc32 import SUM
from rtl.layouts import LOAD, RECEIVED, words
from rtl.link.config import LinkConfig
from rtl.link.frame_receiver import REFUSAL, FrameReceiver
from rtl.link.frame_sender import FrameSender
from rtl.link.held_image import HeldImage
from rtl.link.payload_reader import PayloadReader
from rtl.link.reply import COUNTERS, LinkReply
from rtl.link.request_parser import RequestParser


class Link(wiring.Component):
    """Takes requests from a line of bytes, one at a time, carries them out or refuses them, and replies.

    Parameters
    ----------
    config
        The size.
    identity
        What the device says it is: `golden.link.format.IDENTITY_FIELDS` as bytes.
    last_input, image
        Of an image that the memories hold from the start, or are filled with: the index of its input vector's last
        stream word, and the number that names it. Without them a host must load one.

    Members
    -------
    i
        In, stream of `RECEIVED`: bytes from the host; always taken.
    o
        Out, stream of unsigned(8): bytes to the host.
    vectors
        Out, stream of ArrayLayout(unsigned(8) or signed(8), lanes): to the engine's ``i``.
    results
        In, stream of `words` (signed(accumulator_width), lanes): from the engine's ``o``.
    load
        Out, stream of `LOAD`: to the engine's ``load``.
    reset
        Out, 1: resets the engine, which has not done its part in time (`LinkConfig.patience`).
    hold, filled
        In, 1: something else is filling the memories: a request waits until `hold` ends; whether they then hold the
        image of `last_input` and `image`, in the last cycle of `hold`.
    file
        In, `SUM`: adds up what it fills them with, while `hold` is 1.

    A request is carried out when all of it is here and its CRC-32 is right. Its payload is then read twice: once to see
    whether it may be, and only then into the engine; a reading takes 2 cycles a byte and 1 more a word, and an image's
    second one `Crc32.LATENCY` more a byte. Meanwhile and until its reply is made, what comes in is dropped and counted.
    A reset of the link forgets the request under way, never what the memories hold.

    """

    i: stream.Interface
    o: stream.Interface
    vectors: stream.Interface
    results: stream.Interface
    load: stream.Interface
    reset: Signal
    hold: Signal
    filled: Signal
    file: wiring.PureInterface

    def __init__(self, config: LinkConfig, identity: Sequence[int], *, last_input: int | None = None, image: int = 0):
        self.config, self.identity = config, identity
        self.last_input, self.image = last_input, image
        engine = config.engine
        super().__init__(
            {
                "i": In(stream.Signature(RECEIVED, always_ready=True)),
                "o": Out(stream.Signature(8)),
                "vectors": Out(stream.Signature(data.ArrayLayout(engine.element, engine.lanes))),
                "results": In(stream.Signature(words(signed(engine.accumulator_width), engine.lanes))),
                "load": Out(stream.Signature(LOAD)),
                "reset": Out(1),
                "hold": In(1),
                "filled": In(1),
                "file": In(SUM),
            }
        )

    def elaborate(self, platform) -> Module:
        """One state machine between the receiver's memory, the engine and the sender's memory."""
        m = Module()
        config, engine = self.config, self.config.engine
        m.submodules.receiver = receiver = FrameReceiver(config.request)
        m.submodules.reader = reader = PayloadReader(receiver.depth, engine.lanes)
        m.submodules.parser = parser = RequestParser(config)
        m.submodules.held = held = HeldImage(last_input=self.last_input, image=self.image)
        m.submodules.reply = reply = LinkReply(self.identity, engine.lanes, engine.accumulator_width)
        m.submodules.sender = sender = FrameSender(config.reply)
        command = receiver.header.command
        self._pass_units(m, command, reader, parser, held)
        m.d.comb += [
            reply.request.eq(receiver.header),
            reply.byte.eq(receiver.data),
            reply.state.eq(held.state),
            reader.data.eq(receiver.data),
            reader.end.eq(receiver.end),
            reader.is_vector.eq(command == Command.RUN),
            receiver.address.eq(Mux(reply.start, reply.place, reader.address)),
        ]
        for source, sink in (
            (wiring.flipped(self.i), receiver.i),
            (wiring.flipped(self.results), reply.results),
            (reply.o, sender.i),
            (sender.o, wiring.flipped(self.o)),
            (wiring.flipped(self.file), held.file),
        ):
            wiring.connect(m, source, sink)
        granted, gives_up = Signal(), Signal()
        expired = self._count(m, granted, gives_up, receiver, reply)
        m.d.comb += [sender.abort.eq(gives_up), reply.restart.eq(gives_up), self.reset.eq(gives_up)]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += reader.start.eq(1)
                m.d.sync += reply.refusal.eq(receiver.refusal)
                with m.If(receiver.held & sender.i.ready & ~self.hold):
                    m.next = "REPLY"
                    with m.If(receiver.refusal == 0):
                        self._start(m, receiver, reply)
            with m.State("CHECK"):
                m.d.comb += reader.o.ready.eq(1)
                with m.If(reader.ended):
                    m.d.comb += reader.start.eq(1)
                    m.next = "REPLY"
                    objection = self._objection(m, receiver, reader, parser)
                    m.d.sync += reply.refusal.eq(objection)
                    with m.If(objection == 0):
                        m.d.comb += [held.begin.eq(command == Command.BEGIN), held.finish.eq(command == Command.FINISH)]
                        with m.If(command != Command.FINISH):
                            m.d.comb += granted.eq(1)
                            m.next = "CARRY OUT"
            with m.State("CARRY OUT"):
                self._carry_out(m, command, reader, parser, held)
                m.d.comb += gives_up.eq(expired)
                with m.If(reader.ended):
                    m.next = "REPLY"
                with m.If(gives_up):
                    m.d.comb += held.forget.eq(command == Command.LOAD)
                    m.d.sync += reply.refusal.eq(Refusal.STUCK)
                    m.next = "REPLY"
            with m.State("REPLY"):
                m.d.comb += [reply.start.eq(1), gives_up.eq(expired)]
                with m.If(gives_up):
                    m.d.sync += reply.refusal.eq(Refusal.STUCK)
                with m.Elif(reply.done):
                    m.d.comb += receiver.release.eq(1)
                    m.next = "IDLE"
        return m

    def _pass_units(
        self, m: Module, command: Value, reader: PayloadReader, parser: RequestParser, held: HeldImage
    ) -> None:
        """What a unit of the payload is for the parser, the engine and the image's sum."""
        unit = reader.o.payload
        transfer = unit[-LOAD_WIDTH:]
        m.d.comb += [
            parser.start.eq(reader.start),
            parser.command.eq(command),
            parser.state.eq(held.state),
            parser.last_input.eq(held.last_input),
            parser.unit.eq(transfer),
            parser.taken.eq(reader.o.valid & reader.o.ready),
            Value.cast(self.vectors.payload).eq(unit[-8 * self.config.engine.lanes :]),
            self.load.payload.data.eq(transfer),
            self.load.payload.memory.eq(parser.memory),
            self.load.payload.address.eq(parser.address),
            self.load.payload.last.eq(parser.is_last),
            held.first.eq(transfer),
            held.hold.eq(self.hold),
            held.filled.eq(self.filled),
        ]
        wiring.connect(m, reader.spelt, held.i)

    def _count(self, m: Module, granted: Signal, gives_up: Signal, receiver: FrameReceiver, reply: LinkReply) -> Value:
        """The counters; whether a request has taken all the time that it has."""
        counters, cycles, running = Signal(COUNTERS), Signal(self.config.patience + 1), Signal()
        m.d.comb += [reply.counters.eq(counters), reply.counters.cycles.eq(cycles)]
        m.d.sync += [
            counters.lost.eq(counters.lost + receiver.lost),
            counters.frames.eq(counters.frames + (receiver.release & (reply.refusal == 0))),
            counters.refused.eq(counters.refused + (receiver.release & (reply.refusal != 0))),
        ]
        with m.If(running):
            m.d.sync += cycles.eq(cycles + 1)
        with m.If(receiver.release | gives_up):
            m.d.sync += running.eq(0)
        with m.If(granted):
            m.d.sync += [running.eq(1), cycles.eq(0)]
        return running & cycles[-1]

    def _start(self, m: Module, receiver: FrameReceiver, reply: LinkReply) -> None:
        """What is known of a request by its header: a refusal, or that it has to be read."""
        with m.If(receiver.header.version != VERSION):
            m.d.sync += reply.refusal.eq(Refusal.VERSION)
        with m.Else(), m.Switch(receiver.header.command):
            with m.Case(Command.IDENTIFY, Command.COUNTERS), m.If(receiver.end != HEADER_BYTES):
                m.d.sync += reply.refusal.eq(Refusal.LENGTH)
            with m.Case(Command.BEGIN, Command.LOAD, Command.FINISH):
                if self.config.engine.writable:
                    m.next = "CHECK"
                else:
                    m.d.sync += reply.refusal.eq(Refusal.READ_ONLY)
            with m.Case(Command.RUN):
                m.next = "CHECK"
            with m.Default():
                m.d.sync += reply.refusal.eq(Refusal.COMMAND)

    def _objection(self, m: Module, receiver: FrameReceiver, reader: PayloadReader, parser: RequestParser) -> Signal:
        """Why a request that has been read is refused, or 0."""
        command, objection = receiver.header.command, Signal(REFUSAL)
        whole = Signal()
        m.d.comb += whole.eq(parser.whole & ~reader.ragged)
        with m.Switch(command):
            for fixed in (Command.BEGIN, Command.FINISH):
                with m.Case(fixed):
                    m.d.comb += whole.eq(receiver.end == HEADER_BYTES + PAYLOAD_BYTES[fixed])
        with m.If(~parser.named):
            m.d.comb += objection.eq(Mux(command == Command.RUN, Refusal.NOT_LOADED, Refusal.ORDER))
        with m.Elif(~whole):
            m.d.comb += objection.eq(Refusal.LENGTH)
        with m.Elif((command == Command.LOAD) & ~parser.fits):
            m.d.comb += objection.eq(Refusal.RANGE)
        return objection

    def _carry_out(
        self, m: Module, command: Value, reader: PayloadReader, parser: RequestParser, held: HeldImage
    ) -> None:
        """Pass the body to whom it is for; an image's words are summed when the engine has them, never before."""
        offered = reader.o.valid & parser.in_body
        m.d.comb += reader.o.ready.eq(1)
        with m.If(parser.in_body):
            m.d.comb += reader.spell.eq(command != Command.RUN)
            with m.Switch(command):
                with m.Case(Command.LOAD):
                    m.d.comb += [
                        self.load.valid.eq(offered),
                        reader.o.ready.eq(self.load.ready),
                        held.write.eq(offered & parser.is_first),
                    ]
                with m.Case(Command.RUN):
                    m.d.comb += [self.vectors.valid.eq(offered), reader.o.ready.eq(self.vectors.ready)]
