from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.language import decoder as chain
from golden.language.decoder import Decoder
from golden.language.format import LanguageFormat, Shape
from golden.language.integers import IntegerModel
from golden.language.widths import Widths
from support.language_models import forms, random_model, shapes

STORIES = Shape(vocabulary=512, hidden=128, blocks=5, heads=4, key_heads=1, head=32, intermediate=320, context=256)


def test_the_widths_that_the_document_names() -> None:
    found = Widths(STORIES, LanguageFormat(3, 3, 3))
    names = ("linear", "rotated", "quantiser", "added", "residual_squares", "vector_squares")
    assert [getattr(found, name) for name in names] == [15, 16, 18, 17, 38, 39]
    names = ("score_sum", "score_product", "score", "power_total", "context_sum", "logit_sum", "noisy")
    assert [getattr(found, name) for name in names] == [17, 27, 17, 24, 20, 19, 21]
    assert (found.residual_gained, found.vector_gained) == (23, 23)
    assert found.cache_bits == 5 * 256 * (2 * 32 * 6 + 2 * 18 + 8)


@settings(max_examples=30)
@given(shapes(), forms(), st.integers(0, 1 << 20))
def test_nothing_is_wider_than_its_width(shape: Shape, form: LanguageFormat, seed: int) -> None:
    widths, seen = Widths(shape, form), {}

    def watched(name: str, function):
        def call(*arguments):
            result = function(*arguments)
            seen.setdefault(name, []).append(
                np.abs(np.asarray(result[0] if isinstance(result, tuple) else result)).max()
            )
            return result

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("scores", "context", "squared_gate_times_up", "added", "exponentials"):
            patch.setattr(chain, name, watched(name, getattr(chain, name)))
        decoder = Decoder(random_model(shape, form, seed))
        tokens = np.random.default_rng(seed).integers(0, shape.vocabulary, (2, shape.context))
        logits = decoder.forward(tokens, decoder.start(2))
    limits = {
        "scores": widths.score,
        "context": 16,
        "squared_gate_times_up": 16,
        "added": form.residual_bits,
        "exponentials": 17,
    }
    for name, bits in limits.items():
        assert max(seen[name]) < 1 << bits - 1
    assert np.abs(logits.values).max() < 1 << widths.logit_sum - 1
    assert logits.unit.mantissa.max() < 1 << form.scale_bits


def test_an_epsilon_too_large_is_refused() -> None:
    model = random_model()
    IntegerModel.of(replace(model, epsilon=1.0))
    with pytest.raises(TritweaveError, match=r"an epsilon of 1000000.0 is too large for an embedding of step"):
        IntegerModel.of(replace(model, epsilon=1e6))
