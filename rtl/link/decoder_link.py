"""The host link of a language model: answers the requests of `golden.link.language_format`."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.errors import TritweaveError
from golden.link.format import Command, Refusal
from golden.link.language_format import LANGUAGE_FIELDS, Ending
from rtl.layouts import RECEIVED, words
from rtl.link.decoder_config import DecoderLinkConfig
from rtl.link.exchange import Exchange
from rtl.link.logit_store import LogitStore
from rtl.link.result_bytes import ResultBytes
from rtl.link.sequence_parser import SequenceParser
from rtl.link.token_store import TokenStore
from rtl.transformer.generator import Layouts


class DecoderLink(wiring.Component):
    """Takes requests from a line of bytes, one at a time, carries them out or refuses them, and replies.

    Parameters
    ----------
    config
        The size.
    identity
        What the device says it is: `golden.link.language_format.LANGUAGE_FIELDS` as bytes.
    image
        The number of the image that the decoder has.

    Members
    -------
    i
        In, stream of `RECEIVED`: bytes from the host; always taken.
    o
        Out, stream of unsigned(8): bytes to the host.
    prompt, settings, abort
        Out: to the generator.
    made
        In, stream of `Layouts.made`: from the generator.
    cycles
        In, 32: the generator's.
    logits
        In, stream of `words` (signed(logit_sum), lanes): the decoder's, if the link keeps them.
    reset
        Out, 1: resets decoder and generator, which have not done their part in time (`DecoderLinkConfig.patience`).

    Requests and replies follow each other as in `Exchange`. A sequence goes on while requests come.

    """

    i: stream.Interface
    o: stream.Interface
    prompt: stream.Interface
    settings: data.View
    abort: Signal
    made: stream.Interface
    cycles: Signal
    logits: stream.Interface
    reset: Signal

    def __init__(self, config: DecoderLinkConfig, identity: Sequence[int], *, image: int):
        if len(identity) != (size := sum(LANGUAGE_FIELDS.values())):
            raise TritweaveError(f"link: identity has {len(identity)} bytes; it has {size}")
        decoder, layouts = config.decoder, Layouts(config.decoder)
        self.config, self.image = config, image
        self.exchange = Exchange(
            identity,
            request=config.request,
            reply=config.reply,
            unit=2,
            patience=config.patience,
            bare=(Command.GENERATE, Command.ABORT),
        )
        logits = words(signed(decoder.widths.logit_sum), decoder.lanes)
        kept = {"logits": In(stream.Signature(logits, always_ready=True))} if config.logits else {}
        super().__init__(
            {
                "i": In(stream.Signature(RECEIVED, always_ready=True)),
                "o": Out(stream.Signature(8)),
                "prompt": Out(stream.Signature(layouts.prompt)),
                "settings": Out(layouts.settings),
                "abort": Out(1),
                "made": In(stream.Signature(layouts.made)),
                "cycles": In(32),
                "reset": Out(1),
                **kept,
            }
        )

    def elaborate(self, platform) -> Module:
        """What the exchange of requests and replies asks, and the generator answers."""
        m = Module()
        command = self.exchange.header.command
        m.submodules.exchange = exchange = self.exchange
        m.submodules.parser = parser = SequenceParser(self.config.decoder)
        tokens = TokenStore(self.config.decoder)
        m.submodules.tokens = ResetInserter(exchange.gives_up)(tokens)
        m.d.comb += [
            exchange.state.loaded.eq(1),
            exchange.state.sum.eq(self.image),
            exchange.cycles.eq(self.cycles),
            exchange.is_vector.eq(1),
            parser.start.eq(exchange.start),
            parser.command.eq(command),
            parser.unit.eq(exchange.unit),
            parser.taken.eq(exchange.taken),
            parser.last.eq(exchange.last),
            parser.write.eq(exchange.carrying),
            parser.image.eq(self.image),
            parser.forget.eq(exchange.gives_up),
            self.settings.eq(parser.settings),
            self.reset.eq(exchange.gives_up),
        ]
        for source, sink in (
            (wiring.flipped(self.i), exchange.i),
            (exchange.o, wiring.flipped(self.o)),
            (tokens.prompt, wiring.flipped(self.prompt)),
            (wiring.flipped(self.made), tokens.made),
        ):
            wiring.connect(m, source, sink)
        self._carry_out(m, parser, tokens)
        self._wait(m, parser, tokens)
        self._judge(m, parser, tokens)
        self._reply(m, tokens)
        return m

    def _carry_out(self, m: Module, parser: SequenceParser, tokens: TokenStore) -> None:
        """End the sequence that there is, and begin another one."""
        exchange, command = self.exchange, self.exchange.header.command
        is_generate, begun = command == Command.GENERATE, Signal()
        m.d.comb += [
            exchange.works.eq(is_generate | (command == Command.ABORT)),
            exchange.accepts.eq(~tokens.running | ~is_generate),
            exchange.busy.eq(tokens.running & ~is_generate),
            self.abort.eq(exchange.carrying & ~begun),
            tokens.write.eq(exchange.carrying & exchange.taken & parser.in_prompt),
            tokens.begin.eq(tokens.write & exchange.last),
            tokens.place.eq(parser.place),
            tokens.token.eq(exchange.unit[-16:]),
            tokens.read.eq(exchange.accepted),
            tokens.first.eq(parser.count),
        ]
        with m.If(tokens.begin):
            m.d.sync += begun.eq(1)
        with m.Elif(~exchange.carrying):
            m.d.sync += begun.eq(0)

    def _wait(self, m: Module, parser: SequenceParser, tokens: TokenStore) -> None:
        """What was made waits until a host has asked for it, if it wants to."""
        exchange = self.exchange
        asked = Signal()
        m.d.comb += tokens.hold.eq(parser.stepwise & ~asked & ~self.abort)
        with m.If(exchange.accepted & (exchange.header.command == Command.TOKENS) & (parser.count == tokens.count)):
            m.d.sync += asked.eq(1)
        with m.Elif(tokens.begin | (tokens.made.valid & tokens.made.ready)):
            m.d.sync += asked.eq(0)

    def _judge(self, m: Module, parser: SequenceParser, tokens: TokenStore) -> None:
        """Why a command is refused, and why a request that has been read is."""
        exchange, command = self.exchange, self.exchange.header.command
        known = [Command.GENERATE, Command.TOKENS, Command.ABORT] + [Command.LOGITS] * self.config.logits
        with m.Switch(command):
            with m.Case(*known):
                pass
            with m.Case(Command.BEGIN, Command.LOAD, Command.FINISH):
                m.d.comb += exchange.known.eq(Refusal.READ_ONLY)
            with m.Default():
                m.d.comb += exchange.known.eq(Refusal.COMMAND)
        objection, made = exchange.objection, self.made.payload
        waits = self.made.valid & tokens.hold & (~made.ended | (made.reason == Ending.END_TOKEN))
        with m.If(~parser.named):
            m.d.comb += objection.eq(Mux(command == Command.GENERATE, Refusal.NOT_LOADED, Refusal.ORDER))
        with m.Elif(~parser.whole | exchange.ragged):
            m.d.comb += objection.eq(Refusal.LENGTH)
        with m.Elif(~parser.fits | (command == Command.TOKENS) & (parser.count > self.config.decoder.shape.context)):
            m.d.comb += objection.eq(Refusal.RANGE)
        with m.Elif((command == Command.LOGITS) & ~(waits & (parser.count == tokens.count))):
            m.d.comb += objection.eq(Refusal.NOT_YET)

    def _reply(self, m: Module, tokens: TokenStore) -> None:
        """Tokens, or logits, as the reply's payload."""
        exchange, decoder = self.exchange, self.config.decoder
        if not self.config.logits:
            wiring.connect(m, tokens.o, exchange.body)
            return
        m.submodules.logits = logits = LogitStore(decoder)
        m.submodules.spelt = spelt = ResultBytes(decoder.lanes, decoder.widths.logit_sum)
        wiring.connect(m, wiring.flipped(self.logits), logits.i)
        wiring.connect(m, logits.o, spelt.i)
        m.d.comb += [logits.read.eq(exchange.accepted), spelt.restart.eq(exchange.accepted)]
        is_tokens = exchange.header.command == Command.TOKENS
        m.d.comb += [
            exchange.body.valid.eq(Mux(is_tokens, tokens.o.valid, spelt.o.valid)),
            exchange.body.payload.eq(Mux(is_tokens, tokens.o.payload, spelt.o.payload)),
            tokens.o.ready.eq(exchange.body.ready & is_tokens),
            spelt.o.ready.eq(exchange.body.ready & ~is_tokens),
        ]
