"""The host link: answers the requests of `golden.link.format` and passes images and vectors to an engine."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.errors import TritweaveError
from golden.formats import LOAD_WIDTH
from golden.link.format import HEADER_BYTES, IDENTITY_FIELDS, PAYLOAD_BYTES, Command, Refusal
from rtl.crc32 import SUM
from rtl.layouts import LOAD, RECEIVED, words
from rtl.link.config import LinkConfig
from rtl.link.exchange import Exchange
from rtl.link.held_image import HeldImage
from rtl.link.request_parser import RequestParser
from rtl.link.result_bytes import ResultBytes


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

    Requests and replies follow each other as in `Exchange`; the second reading of an image's words takes
    `Crc32.LATENCY` cycles more a byte. A reset of the link forgets the request under way, never what the memories hold.

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
        if len(identity) != (size := sum(IDENTITY_FIELDS.values())):
            raise TritweaveError(f"link: identity has {len(identity)} bytes; it has {size}")
        self.config, self.last_input, self.image = config, last_input, image
        engine = config.engine
        self.exchange = Exchange(
            identity,
            request=config.request,
            reply=config.reply,
            unit=engine.lanes,
            patience=config.patience,
            bare=(Command.BEGIN, Command.LOAD, Command.FINISH),
        )
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
        """What the exchange of requests and replies asks, and the engine answers."""
        m = Module()
        engine, command = self.config.engine, self.exchange.header.command
        m.submodules.exchange = exchange = self.exchange
        m.submodules.parser = parser = RequestParser(self.config)
        m.submodules.held = held = HeldImage(last_input=self.last_input, image=self.image)
        m.submodules.results = results = ResultBytes(engine.lanes, engine.accumulator_width)
        self._pass_units(m, parser, held)
        m.d.comb += [
            exchange.hold.eq(self.hold),
            exchange.state.eq(held.state),
            exchange.cycles.eq(exchange.elapsed),
            exchange.is_vector.eq(command == Command.RUN),
            exchange.works.eq(command != Command.FINISH),
            held.begin.eq(exchange.accepted & (command == Command.BEGIN)),
            held.finish.eq(exchange.accepted & (command == Command.FINISH)),
            held.forget.eq(exchange.gives_up & exchange.carrying & (command == Command.LOAD)),
            results.restart.eq(exchange.gives_up),
            self.reset.eq(exchange.gives_up),
        ]
        for source, sink in (
            (wiring.flipped(self.i), exchange.i),
            (exchange.o, wiring.flipped(self.o)),
            (wiring.flipped(self.results), results.i),
            (results.o, exchange.body),
            (exchange.spelt, held.i),
            (wiring.flipped(self.file), held.file),
        ):
            wiring.connect(m, source, sink)
        self._judge(m, parser)
        self._carry_out(m, parser, held)
        return m

    def _pass_units(self, m: Module, parser: RequestParser, held: HeldImage) -> None:
        """What a unit of the payload is for the parser, the engine and the image's sum."""
        exchange = self.exchange
        transfer = exchange.unit[-LOAD_WIDTH:]
        m.d.comb += [
            parser.start.eq(exchange.start),
            parser.command.eq(exchange.header.command),
            parser.state.eq(held.state),
            parser.last_input.eq(held.last_input),
            parser.unit.eq(transfer),
            parser.taken.eq(exchange.taken),
            Value.cast(self.vectors.payload).eq(exchange.unit[-8 * self.config.engine.lanes :]),
            self.load.payload.data.eq(transfer),
            self.load.payload.memory.eq(parser.memory),
            self.load.payload.address.eq(parser.address),
            self.load.payload.last.eq(parser.is_last),
            held.first.eq(transfer),
            held.hold.eq(self.hold),
            held.filled.eq(self.filled),
        ]

    def _judge(self, m: Module, parser: RequestParser) -> None:
        """Why a command is refused, and why a request that has been read is."""
        exchange, command = self.exchange, self.exchange.header.command
        whole = Signal()
        m.d.comb += whole.eq(parser.whole & ~exchange.ragged)
        with m.Switch(command):
            with m.Case(Command.BEGIN, Command.LOAD, Command.FINISH):
                if not self.config.engine.writable:
                    m.d.comb += exchange.known.eq(Refusal.READ_ONLY)
            with m.Case(Command.RUN):
                pass
            with m.Default():
                m.d.comb += exchange.known.eq(Refusal.COMMAND)
        with m.Switch(command):
            for fixed in (Command.BEGIN, Command.FINISH):
                with m.Case(fixed):
                    m.d.comb += whole.eq(exchange.end == HEADER_BYTES + PAYLOAD_BYTES[fixed])
        with m.If(~parser.named):
            m.d.comb += exchange.objection.eq(Mux(command == Command.RUN, Refusal.NOT_LOADED, Refusal.ORDER))
        with m.Elif(~whole):
            m.d.comb += exchange.objection.eq(Refusal.LENGTH)
        with m.Elif((command == Command.LOAD) & ~parser.fits):
            m.d.comb += exchange.objection.eq(Refusal.RANGE)

    def _carry_out(self, m: Module, parser: RequestParser, held: HeldImage) -> None:
        """Pass the body to whom it is for; an image's words are summed when the engine has them, never before."""
        exchange, command = self.exchange, self.exchange.header.command
        offered = exchange.offered & parser.in_body
        m.d.comb += exchange.accepts.eq(1)
        with m.If(parser.in_body):
            m.d.comb += exchange.spell.eq(command != Command.RUN)
            with m.Switch(command):
                with m.Case(Command.LOAD):
                    m.d.comb += [
                        self.load.valid.eq(offered),
                        exchange.accepts.eq(self.load.ready),
                        held.write.eq(offered & parser.is_first),
                    ]
                with m.Case(Command.RUN):
                    m.d.comb += [self.vectors.valid.eq(offered), exchange.accepts.eq(self.vectors.ready)]
