"""A decoder over its link beside golden, the device being golden, but for one wrong thing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from boards.language_device import LanguageDevice, Step
from boards.linked_decoder import LinkedDecoder
from gen.plan.plan import Fold
from gen.transformer.plan import plan_decoder
from golden.language.decoder import Decoder
from golden.language.generation import Generation
from golden.language.sampler import Sampler
from golden.link.language import SequenceSettings
from sim.side_by_side import generate, settings_of
from support.language_models import random_model

MODEL = replace(random_model(), ends=(3, 5))
PLAN = plan_decoder(MODEL, Fold(4, 4, 2))
PROMPT = [0, 7, 3]


class Golden:
    """A device whose model is golden's; the logits of its third choice may be wrong."""

    name = "golden"

    def __init__(self, temperature: float, seed: int, wrong: int = 0):
        self.sampler, self.wrong = Sampler(temperature, seed), wrong
        self.asked: tuple[int, SequenceSettings, list[int]] | None = None

    def generate(self, image: int, settings: SequenceSettings, prompt: Sequence[int]) -> Any:
        self.asked = image, settings, list(prompt)
        return SimpleNamespace(steps=self.steps)

    def steps(self) -> Iterator[Step]:
        assert self.asked
        decoder, taken = Decoder(MODEL), self.asked[2]
        sequences, count = decoder.start(), 0
        while sequences.position < MODEL.shape.context:
            logits = decoder.forward(np.array([taken]), sequences)
            token = self.sampler.choose(logits.last(), MODEL.form.scale_bits)
            values = np.append(logits.values.reshape(-1, MODEL.shape.vocabulary)[-1], 0).astype(np.int32)
            values[0] += self.wrong * (count == 2)
            yield Step(values, None if token in MODEL.ends else token)
            taken, count = [token], count + 1


@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_a_device_is_compared_choice_by_choice(temperature: float) -> None:
    for seed in range(4):
        device, sampler = Golden(temperature, seed), Sampler(temperature, seed)
        linked = LinkedDecoder(cast(LanguageDevice, device), 99, MODEL.shape.vocabulary, MODEL.ends, 6)
        generation, found = generate(PLAN, linked, sampler, PROMPT, 6)
        expected = Generation(Decoder(MODEL), Sampler(temperature, seed), PROMPT, 6)
        assert (list(generation), generation.reason) == (list(expected), expected.reason)
        assert device.asked
        assert (device.asked[0], device.asked[2]) == (99, PROMPT)
        settings = settings_of(PLAN.config, Sampler(temperature, seed))
        assert device.asked[1] == SequenceSettings(6, *settings, MODEL.ends, stepwise=True)
        assert found.logits_equal == len(found.choices)
        assert found.cycles_simulated == []
        assert found.tokens_per_s(50_000_000) > 0


def test_a_wrong_logit_of_a_device_is_seen() -> None:
    device = Golden(0.0, 0, wrong=1)
    linked = LinkedDecoder(cast(LanguageDevice, device), 1, MODEL.shape.vocabulary, MODEL.ends, 5)
    generation, found = generate(PLAN, linked, Sampler(0.0, 0), PROMPT, 5)
    list(generation)
    assert [choice.logits_equal for choice in found.choices].count(False) == (len(found.choices) > 2)
    assert found.exact == (len(found.choices) <= 2)
