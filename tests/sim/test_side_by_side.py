from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from golden.language.decoder import Decoder
from golden.language.generation import Generation
from golden.language.model import LanguageModel
from golden.language.sampler import Sampler
from rtl.transformer.config import DecoderConfig
from sim.side_by_side import generate, settings_of
from sim.tokens import Settings, Taken
from support.language_models import SMALL, random_model

MODEL = random_model(seed=5)
PROMPT = [0, 7, 3]


class Planned(NamedTuple):
    """A plan of any decoder."""

    model: LanguageModel
    config: DecoderConfig

    def token_cycles(self, position: int, *, sample: bool) -> int:
        return 100 + position + 50 * sample


PLAN = Planned(MODEL, DecoderConfig(SMALL, MODEL.form, rows=4, columns=4, lanes=2))


class Twin:
    """A decoder that is golden's, but for one wrong thing at a position."""

    def __init__(self, plan: Planned, sampler: Sampler, wrong: str = "", at: int = -1):
        self.plan, self.wrong, self.at = plan, wrong, at
        self.decoder = Decoder(plan.model)
        self.sampler = Sampler(sampler.temperature)
        self.sampler.state = sampler.state
        self.settings: list[Settings] = []
        self.tokens: list[int] = []

    def take(self, token: int, *, first: bool, sample: bool, settings: Settings) -> Taken:
        if first:
            self.sequences = self.decoder.start()
        position = self.sequences.position
        self.tokens.append(token)
        self.settings.append(settings)
        logits = self.decoder.forward(np.array([[token]]), self.sequences)
        wrong = self.wrong if position == self.at else ""
        cycles = self.plan.token_cycles(position, sample=sample) + (wrong == "cycles")
        if not sample:
            return Taken(cycles, None, None, None)
        choice = self.sampler.choose(logits.last(), self.plan.config.form.scale_bits)
        values = logits.values.reshape(-1).copy()
        values[-1] += wrong == "logits"
        return Taken(cycles, cycles - 1, choice ^ (wrong == "token"), values)


@pytest.mark.parametrize(("temperature", "limit"), [(0.0, None), (1.0, None), (0.8, 4)])
def test_equal_decoders_are_exact_and_make_goldens_tokens(temperature: float, limit: int | None) -> None:
    model = replace(MODEL, ends=())
    plan = PLAN._replace(model=model)
    twin = Twin(plan, Sampler(temperature, 9))
    generation, found = generate(plan, twin, Sampler(temperature, 9), PROMPT, limit)
    made = list(generation)
    expected = Generation(Decoder(model), Sampler(temperature, 9), PROMPT, limit)
    assert made == list(expected)
    assert generation.reason == expected.reason
    assert twin.tokens == [*PROMPT, *made[:-1]]
    assert set(twin.settings) == {settings_of(PLAN.config, Sampler(temperature, 9))}
    assert found.exact
    figures = found.figures(50_000_000)
    cycles = [plan.token_cycles(position, sample=position >= 2) for position in range(len(twin.tokens))]
    assert figures == {
        "tokens": len(made),
        "tokens_equal": len(made),
        "logits_equal": len(made),
        "cycles_predicted": sum(cycles),
        "cycles_simulated": sum(cycles),
        "cycles_equal": len(cycles),
        "saturated": 0,
        "clock_mhz": 50.0,
        "tokens_per_s": 50e6 * len(made) / sum(cycles[2:]),
    }


@pytest.mark.parametrize(
    ("wrong", "tokens", "logits", "cycles"), [("token", 3, 4, 6), ("logits", 4, 3, 6), ("cycles", 4, 4, 5)]
)
def test_each_kind_of_difference_is_counted(wrong: str, tokens: int, logits: int, cycles: int) -> None:
    model = replace(MODEL, ends=())
    plan = PLAN._replace(model=model)
    twin = Twin(plan, Sampler(), wrong, at=3)
    generation, found = generate(plan, twin, Sampler(), PROMPT, 4)
    made = list(generation)
    # What the simulation chose is what goes on, in both.
    assert twin.tokens == [*PROMPT, *made[:-1]]
    assert not found.exact
    figures = found.figures(1)
    assert [figures[name] for name in ("tokens_equal", "logits_equal", "cycles_equal")] == [tokens, logits, cycles]


def test_a_shorter_context_ends_the_sequence() -> None:
    model = replace(MODEL, ends=())
    config = replace(PLAN.config, shape=replace(SMALL, context=6))
    generation, found = generate(Planned(model, config), Twin(PLAN, Sampler()), Sampler(), PROMPT)
    assert len(list(generation)) == 4
    assert generation.reason == "context full"
    assert found.exact


def test_settings_are_one_over_the_temperature() -> None:
    assert settings_of(PLAN.config, Sampler(0, 1)) == Settings(0, 0, 0x3C6EF362)
    settings = settings_of(PLAN.config, Sampler(0.25))
    assert settings.mantissa * 2.0**settings.exponent == 4
    assert settings.mantissa.bit_length() == PLAN.config.form.scale_bits
