# amaranth: UnusedElaboratable=no
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
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


def chosen(run: list[Token], config: DecoderConfig) -> None:
    """Words of logits, whose last is filled up with the largest of all, and the choices that must follow."""
    lanes, largest = config.lanes, (1 << LOGIT_BITS - 1) - 1
    sampler = golden.Sampler()
    table = golden.noise_table()

    def driver() -> Driver:
        for token in run:
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
def tokens(draw: st.DrawFn, vocabulary: int) -> list[Token]:
    """Of few values, where equal ones meet, and of many; the shift register often goes on from one to the next."""

    def token(greedy: bool, bits: int) -> st.SearchStrategy[Token]:
        logit = st.integers(1 - (1 << bits - 1), (1 << bits - 1) - 1)
        logits = st.lists(logit, min_size=vocabulary, max_size=vocabulary)
        return st.builds(Token, logits, st.just(greedy), st.none(), st.integers(0, 2))

    drawn = [draw(token(greedy, bits)) for greedy, bits in ((False, 3), (False, 9), (True, 2), (False, LOGIT_BITS))]
    drawn[0].seed = draw(st.integers(0, 0xFFFFFFFE))
    drawn[-1].seed = draw(st.none() | st.integers(0, 0xFFFFFFFE))
    return drawn


@pytest.mark.parametrize(("lanes", "choices"), [(1, 1), (4, 1), (4, 2), (4, 4), (8, 8)])
@settings(max_examples=8)
@given(data=st.data(), vocabulary=st.integers(2, 40))
def test_choices_are_golden(lanes: int, choices: int, data: st.DataObject, vocabulary: int) -> None:
    shape = Shape(vocabulary, 16, 1, 1, 1, 16, 20, 9)
    chosen(data.draw(tokens(vocabulary)), DecoderConfig(shape, LanguageFormat(), 8, 8, lanes, choices=choices))
