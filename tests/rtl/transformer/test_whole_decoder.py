# amaranth: UnusedElaboratable=no
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen.plan.plan import Fold
from gen.transformer.plan import DecoderPlan, plan_decoder
from golden.language.decoder import Decoder
from golden.language.format import LanguageFormat, Shape
from golden.language.model import LanguageModel
from golden.language.sampler import Sampler
from sim.side_by_side import settings_of
from support.language_models import forms, random_model


class Run(NamedTuple):
    """A model on a fold, and what it is asked."""

    model: LanguageModel
    fold: Fold
    temperature: float
    prompt: list[int]
    stall: int
    """Cycles that each choice waits."""


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Of all kinds, small."""
    lanes = draw(st.sampled_from([1, 2, 4]))
    key_heads, sharing = draw(st.sampled_from([(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]))
    head = 2 * lanes * draw(st.integers(1, max(4 // lanes, 1)))
    shape = Shape(
        vocabulary=draw(st.integers(2, 19)),
        hidden=key_heads * sharing * head,
        blocks=draw(st.integers(1, 2)),
        heads=key_heads * sharing,
        key_heads=key_heads,
        head=head,
        intermediate=draw(st.integers(1, 20)),
        context=draw(st.integers(2, 9)),
    )
    rows, columns = (lanes * draw(st.integers(1, max(8 // lanes, 1))) for _ in range(2))
    return Run(
        random_model(shape, draw(forms()), seed=draw(st.integers(0, 99))),
        Fold(rows, columns, lanes),
        draw(st.sampled_from([0.0, 0.7])),
        draw(st.lists(st.integers(0, shape.vocabulary - 1), min_size=1, max_size=2)),
        draw(st.integers(0, 3)),
    )


def follow(run: Run) -> None:
    """Two sequences, token by token: every logit, choice and cycle."""
    plan = plan_decoder(run.model, run.fold)
    decoder, golden = plan.decoder(), Decoder(run.model)

    async def drive(context: Any) -> None:
        saturated = 0
        for seed in (1, 2):
            sampler, sequences, token = Sampler(run.temperature, seed), golden.start(), run.prompt[0]
            mantissa, exponent, state = settings_of(plan.config, sampler)
            context.set(decoder.temperature, {"mantissa": mantissa, "exponent": exponent})
            context.set(decoder.seed, state)
            for position in range(run.model.shape.context):
                sample = position >= len(run.prompt) - 1
                found = await take(context, plan, decoder, token, position == 0, sample, run.stall)
                logits = golden.forward(np.array([[token]]), sequences)
                cycles = plan.cycles.token(position, sample=sample)
                if not sample:
                    assert found == (cycles.total, None, [])
                    token = run.prompt[position + 1]
                    continue
                token = sampler.choose(logits.last(), run.model.form.scale_bits)
                assert found[2][: run.model.shape.vocabulary] == logits.values.reshape(-1).tolist()
                assert found[:2] == (cycles.total + run.stall, (cycles.choice, token))
            saturated += sequences.saturated
        assert context.get(decoder.saturated) == saturated

    simulator = Simulator(decoder)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()


async def take(
    context: Any, plan: DecoderPlan, decoder: Any, token: int, first: bool, sample: bool, stall: int
) -> tuple[int, tuple[int, int] | None, list[int]]:
    """Cycles until the next token can be taken; when there was a choice, and which; the logits."""
    assert context.get(decoder.token.ready)
    context.set(decoder.token.payload, {"token": token, "first": first, "sample": sample})
    context.set(decoder.token.valid, 1)
    await context.tick()
    context.set(decoder.token.valid, 0)
    cycles, choice, logits = 1, None, []
    while not context.get(decoder.token.ready):
        if context.get(decoder.logits.valid):
            logits += [context.get(decoder.logits.payload.data[lane]) for lane in range(plan.config.lanes)]
        if context.get(decoder.choice.valid) and not choice:
            choice = cycles, context.get(decoder.choice.payload)
        context.set(decoder.choice.ready, bool(choice and cycles >= choice[0] + stall))
        await context.tick()
        cycles += 1
        assert cycles < 50_000
    return cycles, choice, logits


@pytest.mark.parametrize(
    ("shape", "form", "fold"),
    [
        (Shape(11, 16, 2, 2, 1, 8, 20, 9), LanguageFormat(3, 3, 3), "4x8x4"),
        (Shape(7, 12, 1, 6, 2, 2, 5, 5), LanguageFormat(1, 5, 2), "3x2x1"),
        (Shape(5, 8, 2, 1, 1, 8, 9, 6), LanguageFormat(2, 2, 4), "4x4x2"),
    ],
)
def test_every_logit_choice_and_cycle_is_golden_s(shape: Shape, form: LanguageFormat, fold: str) -> None:
    model = random_model(shape, form, seed=4)
    follow(Run(model, Fold.parse(fold), 0.8, [1, 0], 2))


@pytest.mark.long
@given(run=runs())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_decoders_of_all_kinds_are_golden_s(run: Run) -> None:
    follow(run)
