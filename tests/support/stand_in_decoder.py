"""A stand-in for a decoder: the same ports, but logits and choices are drawn from the tokens so far."""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.language.format import LanguageFormat, Shape
from rtl.layouts import indices, words
from rtl.transformer.config import DecoderConfig
from rtl.transformer.sequencer import Sequencer

CONFIG = DecoderConfig(
    Shape(vocabulary=11, hidden=8, blocks=1, heads=2, key_heads=1, head=4, intermediate=8, context=9),
    LanguageFormat(2, 2, 2), rows=4, columns=4, lanes=2,
)  # fmt: skip

_MASK = (1 << 32) - 1
_FACTOR, _STEP, _SPREAD = 0x9E3779B1, 0x85EBCA6B, 0x1F3


class Taken(NamedTuple):
    """What a decoder says of a token that asks for a choice."""

    choice: int
    logits: list[int]


class StandIn:
    """What the stand-in computes.

    Parameters
    ----------
    config
        The decoder that it plays.
    temperature
        Its setting, as the bits of a scalar.
    seed
        The first state.

    """

    WAIT = 5
    """Cycles of a token without a choice."""

    def __init__(self, config: DecoderConfig = CONFIG, temperature: int = 0, seed: int = 0):
        self.config, self._temperature, self._seed, self._state = config, temperature, seed, 0

    def take(self, token: int, *, first: bool) -> Taken:
        """One token."""
        before = self._seed ^ self._temperature if first else self._state * _STEP
        self._state = (before + (token + 1) * _FACTOR) & _MASK
        vocabulary, width = self.config.shape.vocabulary, self.config.widths.logit_sum
        logits = []
        for place in range(vocabulary):
            bits = ((self._state >> 9) + place * _SPREAD) & (1 << width) - 1
            logits.append(bits - ((bits >> width - 1) << width))
        return Taken((self._state >> 16) % vocabulary, logits)

    def cycles(self, *, sample: bool) -> int:
        """From a token's being taken until the next one can be."""
        return self.WAIT + (self.config.words(self.config.shape.vocabulary) + 1) * sample


def expected(
    config: DecoderConfig,
    prompt: Sequence[int],
    ends: Sequence[int] = (),
    limit: int = 0,
    temperature: int = 0,
    seed: int = 0,
) -> tuple[list[int], str]:
    """The tokens that the stand-in makes, and why they end, worked out as `golden.language.generation` does."""
    stand_in = StandIn(config, temperature, seed)
    taken = [stand_in.take(token, first=index == 0) for index, token in enumerate(prompt)][-1]
    made: list[int] = []
    while True:
        if taken.choice in ends:
            return made, "end token"
        made.append(taken.choice)
        if len(made) == limit:
            return made, "tokens"
        if len(prompt) + len(made) - 1 == config.shape.context:
            return made, "context full"
        taken = stand_in.take(taken.choice, first=False)


class StandInDecoder(wiring.Component):
    """`StandIn` as hardware, with the ports of a decoder."""

    def __init__(self, config: DecoderConfig = CONFIG):
        self.config = config
        logit = signed(config.widths.logit_sum)
        super().__init__(
            {
                "token": In(stream.Signature(Sequencer.token_layout(config))),
                "temperature": In(config.scalar),
                "seed": In(32),
                "choice": Out(stream.Signature(indices(config.shape.vocabulary))),
                "logits": Out(stream.Signature(words(logit, config.lanes), always_ready=True)),
                "idle": Out(1),
                "saturated": Out(32),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        vocabulary, lanes = self.config.shape.vocabulary, self.config.lanes
        state, sample, left, word = Signal(32), Signal(), Signal(8), Signal(16)
        count = self.config.words(vocabulary)
        m.d.comb += [
            self.choice.payload.eq(state[16:] % vocabulary),
            self.logits.payload.last.eq(word == count - 1),
            *(
                self.logits.payload.data[lane].eq((state >> 9) + (word * lanes + lane) * _SPREAD)
                for lane in range(lanes)
            ),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(1), self.token.ready.eq(1)]
                with m.If(self.token.valid):
                    token = self.token.payload
                    before = Signal(32)
                    m.d.comb += before.eq(state * _STEP)
                    with m.If(token.first):
                        m.d.comb += before.eq(self.seed ^ self.temperature.as_value())
                    m.d.sync += [
                        state.eq(before + (token.token + 1) * _FACTOR),
                        sample.eq(token.sample),
                        left.eq(StandIn.WAIT - 1),
                        word.eq(0),
                    ]
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.next = "IDLE"
                    with m.If(sample):
                        m.next = "LOGITS"
            with m.State("LOGITS"):
                m.d.comb += self.logits.valid.eq(1)
                m.d.sync += word.eq(word + 1)
                with m.If(self.logits.payload.last):
                    m.next = "CHOICE"
            with m.State("CHOICE"):
                m.d.comb += self.choice.valid.eq(1)
                with m.If(self.choice.ready):
                    m.next = "IDLE"
        return m
