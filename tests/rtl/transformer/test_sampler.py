# amaranth: UnusedElaboratable=no
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.language import sampler as golden
from golden.language.format import LOGIT_BITS, LanguageFormat, Shape
from rtl.transformer.config import DecoderConfig
from rtl.transformer.noise import noise_table
from rtl.transformer.sampler import Sampler
from sim.pysim import Driver, trace


def test_the_table_of_noise_is_golden() -> None:
    assert noise_table() == golden.noise_table().tolist()


@dataclass
class Token:
    """Logits as they come, and how."""

    logits: list[int]
    greedy: bool
    seed: int | None
    """Where the shift register starts anew in front of it."""
    rest: int
    """Cycles between words beyond what each takes, and until the choice is taken."""


def chosen(tokens: list[Token], config: DecoderConfig) -> None:
    """Words of logits, whose last is filled up with the largest of all, and the choices that must follow."""
    lanes, largest = config.lanes, (1 << LOGIT_BITS - 1) - 1
    sampler = golden.Sampler()
    table = golden.noise_table()

    def driver() -> Driver:
        for token in tokens:
            quiet: dict[str, Any] = {"logits.valid": 0, "choice.ready": 0, "greedy": token.greedy, "start": 0}
            if token.seed is not None:
                sampler.state = golden.state_of(token.seed)
                seen = yield {**quiet, "start": 1, "seed": sampler.state}
                assert not seen["choice.valid"]
            values = np.array(token.logits)
            if not token.greedy:
                values = values + table[sampler.draw(len(values))]
            padded = token.logits + [largest] * (-len(token.logits) % lanes)
            words = [padded[at : at + lanes] for at in range(0, len(padded), lanes)]
            for index, word in enumerate(words):
                last = index == len(words) - 1
                seen = yield {**quiet, "logits.valid": 1, "logits.payload": {"data": word, "last": last}}
                assert (seen["choice.valid"], seen["busy"]) == (0, index > 0)
                for _ in range(Sampler.latency(config) - 1 if last else lanes // config.choices - 1 + token.rest):
                    seen = yield {**quiet, "logits.payload": {"data": [largest] * lanes, "last": 1}}
                    assert (seen["choice.valid"], seen["busy"]) == (0, 1)
            for _ in range(token.rest + 1):
                seen = yield quiet
                assert (seen["choice.valid"], seen["busy"]) == (1, 1)
                assert seen["choice.payload"]["token"] == int(values.argmax()), token
            yield {**quiet, "choice.ready": 1}
            seen = yield quiet
            assert (seen["choice.valid"], seen["busy"]) == (0, 0)

    trace(Sampler(config), driver(), "choice.valid", "choice.payload", "busy")


@st.composite
def samplings(draw: st.DrawFn) -> tuple[list[Token], DecoderConfig]:
    lanes, choices = draw(st.sampled_from([(1, 1), (2, 1), (4, 1), (4, 2), (4, 4), (8, 8)]))
    vocabulary = draw(st.integers(2, 40))
    shape = Shape(vocabulary, 16, 1, 1, 1, 16, 20, 9)
    config = DecoderConfig(shape, LanguageFormat(), 8, 8, lanes, choices=choices)
    bits = draw(st.sampled_from((2, 9, LOGIT_BITS)))
    logit = st.integers(1 - (1 << bits - 1), (1 << bits - 1) - 1)
    token = st.builds(
        Token,
        st.lists(logit, min_size=vocabulary, max_size=vocabulary),
        st.booleans(),
        st.none() | st.integers(0, 0xFFFFFFFE),
        st.integers(0, 2),
    )
    tokens = draw(st.lists(token, min_size=1, max_size=4))
    tokens[0].seed = draw(st.integers(0, 0xFFFFFFFE))
    return tokens, config


@settings(max_examples=40)
@given(sampling=samplings())
def test_choices_are_golden(sampling: tuple[list[Token], DecoderConfig]) -> None:
    chosen(*sampling)
