"""The host link: answers the requests of `golden.link.format` and passes images and vectors to an engine."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH, MEMORIES
from golden.link.format import HEADER_BYTES, PLACE_BYTES, VERSION, Command, Refusal
from rtl.layouts import LOAD, RECEIVED, words
from rtl.link.config import LinkConfig
from rtl.link.frame_receiver import FrameReceiver
from rtl.link.frame_sender import FrameSender
from rtl.link.held_image import HeldImage
from rtl.link.reply import COUNTERS, LinkReply

_TRANSFER = LOAD_WIDTH // 8


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

    A request is carried out when all of it is here and its CRC-32 is right. Its payload is then read twice: once to see
    whether it fits, and only then into the engine; a reading takes 2 cycles a byte and 1 more a word. Meanwhile and
    until its reply is made, what comes in is dropped and counted. A reset of the link forgets the request under way,
    never what the memories hold.

    """

    i: stream.Interface
    o: stream.Interface
    vectors: stream.Interface
    results: stream.Interface
    load: stream.Interface
    reset: Signal
    hold: Signal
    filled: Signal

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
            }
        )

    def elaborate(self, platform) -> Module:
        """One state machine between the receiver's memory, the engine and the sender's memory."""
        m = Module()
        engine = self.config.engine
        m.submodules.receiver = receiver = FrameReceiver(self.config.request)
        m.submodules.reply = reply = LinkReply(self.identity, engine.lanes, engine.accumulator_width)
        m.submodules.sender = sender = FrameSender(self.config.reply)
        wiring.connect(m, wiring.flipped(self.i), receiver.i)
        wiring.connect(m, wiring.flipped(self.results), reply.results)
        wiring.connect(m, reply.o, sender.i)
        wiring.connect(m, sender.o, wiring.flipped(self.o))
        command = receiver.header.command

        counters, cycles, running = Signal(COUNTERS), Signal(self.config.patience + 1), Signal()
        expired, gives_up = Signal(), Signal()
        refusal = Signal.like(reply.refusal)
        m.d.comb += [
            reply.request.eq(receiver.header),
            reply.refusal.eq(refusal),
            reply.counters.eq(counters),
            reply.counters.cycles.eq(cycles),
            expired.eq(running & cycles[-1]),
            sender.abort.eq(gives_up),
            reply.restart.eq(gives_up),
            self.reset.eq(gives_up),
        ]
        m.d.sync += counters.lost.eq(counters.lost + receiver.lost)
        with m.If(running):
            m.d.sync += cycles.eq(cycles + 1)

        # The payload is gathered into units, first byte lowest: stream words of a vector, or transfers of an image.
        is_run = command == Command.RUN
        unit_bytes = max(engine.lanes, _TRANSFER)
        unit, gathered = Signal(8 * unit_bytes, reset_less=True), Signal(range(unit_bytes))
        # Units of the vector, or of the memory's word, and whether all of them have passed.
        units, ended = Signal(range(self.config.request)), Signal()
        apply, placed = Signal(), Signal()  # the second reading; the place in the memories is known
        memory, address = Signal(8), Signal(range(max(engine.depths.values()) + self.config.request))
        m.submodules.held = held = HeldImage(len(address), last_input=self.last_input, image=self.image)
        here = Signal(LOAD_WIDTH)
        m.d.comb += here.eq(unit[-LOAD_WIDTH:])
        last_unit, depth = Signal(16), Signal.like(address)
        with m.Switch(memory):
            for number, name in enumerate(MEMORIES):
                with m.Case(number):
                    m.d.comb += [last_unit.eq(len(engine.transfers[name]) - 1), depth.eq(engine.depths[name])]
        with m.If(is_run):
            m.d.comb += last_unit.eq(held.last_input)
        m.d.comb += [
            Value.cast(self.vectors.payload).eq(unit[-8 * engine.lanes :]),
            self.load.payload.data.eq(here),
            self.load.payload.memory.eq(memory),
            self.load.payload.address.eq(address),
            self.load.payload.last.eq(units == last_unit),
        ]

        fits, fits_here = Signal(), Signal()
        with m.Switch(command):
            with m.Case(Command.LOAD):
                m.d.comb += fits.eq(held.fits)
            with m.Case(Command.FINISH):
                m.d.comb += fits.eq(held.whole)
            with m.Case(Command.RUN):
                m.d.comb += fits.eq(held.state.loaded[0] & (here == held.state.image))

        m.d.comb += [
            held.hold.eq(self.hold),
            held.filled.eq(self.filled),
            held.place.eq(here),
            held.memory.eq(memory),
            held.address.eq(address),
            held.write.eq(self.load.valid),
            held.first.eq(units == 0),
            reply.state.eq(held.state),
        ]

        at = receiver.address
        again = [at.eq(HEADER_BYTES), gathered.eq(0), units.eq(0), placed.eq(0), fits_here.eq(0), ended.eq(0)]

        def refuse(reason: Refusal) -> None:
            m.d.sync += refusal.eq(reason)
            m.next = "REPLY"

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [refusal.eq(receiver.refusal), apply.eq(0), *again]
                with m.If(receiver.held & sender.i.ready & ~self.hold):
                    m.next = "REPLY"
                    with m.If((receiver.refusal == 0) & (receiver.header.version != VERSION)):
                        refuse(Refusal.VERSION)
                    with m.Elif(receiver.refusal == 0), m.Switch(command):
                        with m.Case(Command.IDENTIFY, Command.COUNTERS), m.If(receiver.end != HEADER_BYTES):
                            refuse(Refusal.LENGTH)
                        with m.Case(Command.LOAD, Command.FINISH):
                            m.next = "FETCH"
                            if not engine.writable:
                                refuse(Refusal.READ_ONLY)
                        with m.Case(Command.RUN):
                            m.next = "FETCH"
                        with m.Default():
                            refuse(Refusal.COMMAND)
            with m.State("FETCH"):
                m.next = "TAKE"
                with m.If(at == receiver.end):
                    m.next = "END"
            with m.State("TAKE"):
                m.d.sync += [unit.eq(Cat(unit[8:], receiver.data)), at.eq(at + 1), gathered.eq(gathered + 1)]
                m.next = "FETCH"
                with m.If(gathered == Mux(is_run & placed, engine.lanes - 1, PLACE_BYTES - 1)):
                    m.d.sync += gathered.eq(0)
                    m.next = "UNIT"
            with m.State("UNIT"):
                passed = Signal()
                with m.If(~placed):
                    m.d.sync += [memory.eq(here[:8]), address.eq(here[8:]), placed.eq(1), fits_here.eq(fits)]
                    m.next = "FETCH"
                with m.Else():
                    m.d.comb += [
                        self.vectors.valid.eq(apply & is_run),
                        self.load.valid.eq(apply & ~is_run),
                        passed.eq(Mux(is_run, self.vectors.ready, self.load.ready) | ~apply),
                    ]
                with m.If(passed):
                    m.d.sync += [units.eq(units + 1), ended.eq(self.load.payload.last)]
                    with m.If(~is_run & self.load.payload.last):
                        m.d.sync += [units.eq(0), address.eq(address + 1)]
                    m.next = "FETCH"
                m.d.comb += gives_up.eq(expired)
                with m.If(gives_up):
                    refuse(Refusal.STUCK)
            with m.State("END"):
                m.next = "REPLY"
                with m.If(apply), m.If(~is_run):
                    m.d.comb += held.end.eq(1)
                with m.Elif(command == Command.FINISH):
                    with m.If(receiver.end != HEADER_BYTES + 2 * PLACE_BYTES):
                        refuse(Refusal.LENGTH)
                    with m.Elif(~fits_here):
                        refuse(Refusal.ORDER)
                    with m.Else():
                        m.d.comb += held.finish.eq(1)
                with m.Elif(is_run & ~fits_here):
                    refuse(Refusal.NOT_LOADED)
                with m.Elif(~ended | (gathered != 0)):
                    refuse(Refusal.LENGTH)
                with m.Elif(~is_run & ~fits_here):
                    refuse(Refusal.ORDER)
                with m.Elif(~is_run & (address > depth)):
                    refuse(Refusal.RANGE)
                with m.Else():
                    m.d.sync += [apply.eq(1), *again]
                    m.d.sync += [running.eq(1), cycles.eq(0)]
                    m.next = "FETCH"
            with m.State("REPLY"):
                m.d.comb += [reply.start.eq(1), gives_up.eq(expired)]
                with m.If(gives_up):
                    m.d.sync += refusal.eq(Refusal.STUCK)
                with m.Elif(reply.done):
                    m.d.comb += receiver.release.eq(1)
                    m.d.sync += [counters.frames.eq(counters.frames + (refusal == 0)), running.eq(0)]
                    m.d.sync += counters.refused.eq(counters.refused + (refusal != 0))
                    m.next = "IDLE"
        with m.If(gives_up):
            m.d.sync += running.eq(0)
        return m
