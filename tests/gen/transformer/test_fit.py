from dataclasses import replace

import pytest

from gen.language.models import load_speaker
from gen.plan.devices import DEVICES, device_named
from gen.plan.plan import Fold
from gen.transformer.fit import area_on, fit_decoder, host_link, lacks
from gen.transformer.plan import plan_decoder
from golden.errors import TritweaveError
from golden.language.format import Shape
from support.language_models import SMALL, random_model

LARGE = Shape(vocabulary=512, hidden=128, blocks=4, heads=4, key_heads=1, head=32, intermediate=320, context=256)


def test_a_larger_device_gets_a_faster_decoder_and_both_have_room() -> None:
    model, cycles = random_model(replace(SMALL, vocabulary=64)), []
    for device in map(device_named, ("ecp5-12f", "ecp5-85f")):
        plan = fit_decoder(model, device)
        assert lacks(plan, device, host_link(plan)) == []
        cycles.append(plan.cycles.token(8).total)
    assert cycles[0] > cycles[1]


def test_a_model_that_is_too_large_is_told_what_is_short_and_what_would_do() -> None:
    with pytest.raises(TritweaveError) as found:
        fit_decoder(random_model(LARGE), device_named("ecp5-12f"), known={"a board": device_named("ecp5-85f")})
    text = str(found.value)
    assert "random with 256 tokens of context does not fit ecp5-12f" in text
    assert "block RAMs of 32" in text
    assert text.endswith("a board would do")


def test_a_shorter_context_is_named_if_it_would_do_and_then_it_does() -> None:
    model, device = random_model(replace(SMALL, hidden=32, head=8, context=8192)), device_named("ecp5-12f")
    with pytest.raises(TritweaveError, match="--context ") as found:
        fit_decoder(model, device)
    context = int(str(found.value).split("--context ")[1].split()[0])
    assert fit_decoder(model, device, context=context).config.shape.context == context


@pytest.mark.parametrize(("fold", "lut4", "multipliers"), [("8x8x4", 12003, 25), ("16x16x8", 25133, 49)])
def test_the_estimate_is_near_what_synthesis_counted(fold: str, lut4: int, multipliers: int) -> None:
    # Of `names`, LUT4 + 2 CCU2C + 6 DPR16X4.
    area = area_on(plan_decoder(load_speaker("names").model, Fold.parse(fold)), DEVICES["ecp5-85f"])
    assert area.lut4 == pytest.approx(lut4, rel=0.1)
    assert area.multipliers == multipliers
