"""The loop around a decoder: a prompt in, then each choice back in as the next token, until something ends it."""

from typing import Final

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.link.language_format import END_TOKENS, Ending
from rtl.layouts import indices
from rtl.transformer.config import DecoderConfig
from rtl.transformer.sequencer import Sequencer

ENDING: Final = range(max(Ending) + 1)
"""Shape of a `golden.link.language_format.Ending`, 0 for none."""


class Layouts:
    """Layouts of what a generator takes and gives.

    Parameters
    ----------
    config
        The decoder.

    """

    def __init__(self, config: DecoderConfig):
        self.token = indices(config.shape.vocabulary)
        """Of a token's number."""
        self.count = range(config.shape.context + 1)
        """Of a number of tokens."""
        self.prompt = data.StructLayout({"token": self.token, "last": 1})
        """A token of a prompt."""
        self.ends = data.ArrayLayout(data.StructLayout({"token": self.token, "used": 1}), END_TOKENS)
        """Tokens that end a sequence."""
        self.made = data.StructLayout({"token": self.token, "ended": 1, "reason": ENDING})
        """A token that was made, or, with ``ended``, why none follows; then there is no token."""
        self.settings = data.StructLayout(
            {"limit": self.count, "temperature": config.scalar, "seed": 32, "ends": self.ends}
        )
        """How a sequence is made: tokens at most, 0 for as many as the context allows; one over the temperature, its
        mantissa 0 for always the likeliest token; the sampler's first state; and what ends it."""


class Generator(wiring.Component):
    """Makes a sequence as `golden.language.generation` says.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    prompt
        In, stream of `Layouts.prompt`: the start token first; at most as many as the context holds. Its first token
        begins a sequence, once the one before has ended.
    settings
        In, `Layouts.settings`: steady from a prompt's first token on until the sequence has ended.
    abort
        In, 1: the sequence ends with the next token that passes; what is then left of its prompt is dropped. Nothing
        happens between sequences.
    token, choice
        Out, stream of `Sequencer.token_layout`, and in, stream of a token: the decoder's.
    o
        Out, stream of `Layouts.made`: tokens as they are made, without an end token, then the end.
    idle
        Out, 1: no sequence is under way.
    cycles
        Out, 32: of the last sequence, from the one in which its first token was taken to that in which its end was,
        both included; modulo 2**32.

    Latency: a prompt's token passes at once; `AGAIN` cycles from a choice until it is offered as the next token, and
    those that `o` waits.

    """

    AGAIN: Final = 2
    """The register of the choice, and its transfer on `o`."""

    prompt: stream.Interface
    settings: data.View
    abort: Signal
    token: stream.Interface
    choice: stream.Interface
    o: stream.Interface
    idle: Signal
    cycles: Signal

    def __init__(self, config: DecoderConfig):
        self.config, self.layouts = config, Layouts(config)
        super().__init__(
            {
                "prompt": In(stream.Signature(self.layouts.prompt)),
                "settings": In(self.layouts.settings),
                "abort": In(1),
                "token": Out(stream.Signature(Sequencer.token_layout(config))),
                "choice": In(stream.Signature(self.layouts.token)),
                "o": Out(stream.Signature(self.layouts.made)),
                "idle": Out(1),
                "cycles": Out(32),
            }
        )

    def elaborate(self, platform) -> Module:
        """Prompt, choice, out, and in again; counters of what was taken and made."""
        m = Module()
        taken, made = Signal(self.layouts.count), Signal(self.layouts.count)
        aborted, reason = Signal(), Signal(ENDING)
        chosen = Signal(self.layouts.token)
        ends = [end.used & (end.token == self.choice.payload) for end in self.settings.ends]
        m.d.comb += [
            self.idle.eq(taken == 0),
            self.token.payload.first.eq(self.idle),
            self.o.payload.token.eq(chosen),
            self.o.payload.reason.eq(reason),
        ]
        passes = self.token.valid & self.token.ready
        with m.If(passes):
            m.d.sync += taken.eq(taken + 1)
        with m.If(passes | ~self.idle):
            m.d.sync += self.cycles.eq(Mux(self.idle, 1, self.cycles + 1))
        with m.If(self.abort & ~self.idle):
            m.d.sync += aborted.eq(1)

        with m.FSM():
            with m.State("PROMPT"):
                m.d.comb += [
                    self.token.valid.eq(self.prompt.valid),
                    self.token.payload.token.eq(self.prompt.payload.token),
                    self.token.payload.sample.eq(self.prompt.payload.last),
                    self.prompt.ready.eq(self.token.ready),
                ]
                m.d.sync += reason.eq(Ending.ABORTED)
                with m.If(passes & self.prompt.payload.last):
                    m.next = "CHOICE"
                with m.Elif(passes & aborted):
                    m.next = "DROP"
            with m.State("DROP"):
                m.d.comb += self.prompt.ready.eq(1)
                with m.If(self.prompt.valid & self.prompt.payload.last):
                    m.next = "END"
            with m.State("CHOICE"):
                m.d.comb += self.choice.ready.eq(1)
                m.d.sync += chosen.eq(self.choice.payload)
                with m.If(self.choice.valid):
                    m.next = "GIVE"
                    with m.If(aborted):
                        m.next = "END"
                    with m.Elif(Cat(ends).any()):
                        m.d.sync += reason.eq(Ending.END_TOKEN)
                        m.next = "END"
                    with m.Else():
                        m.d.sync += made.eq(made + 1)
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "END"
                    with m.If(made == self.settings.limit):
                        m.d.sync += reason.eq(Ending.TOKENS)
                    with m.Elif(taken == self.config.shape.context):
                        m.d.sync += reason.eq(Ending.CONTEXT_FULL)
                    with m.Elif(~aborted):
                        m.next = "AGAIN"
            with m.State("AGAIN"):
                m.d.comb += [
                    self.token.valid.eq(1),
                    self.token.payload.token.eq(chosen),
                    self.token.payload.sample.eq(1),
                ]
                with m.If(self.token.ready):
                    m.next = "CHOICE"
            with m.State("END"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.ended.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += [taken.eq(0), made.eq(0), aborted.eq(0)]
                    m.next = "PROMPT"
        return m
