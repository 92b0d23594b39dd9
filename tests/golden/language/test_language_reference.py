from pathlib import Path

import numpy as np
import pytest

from golden.language.decoder import Decoder
from golden.language.folder import read_language_model
from golden.language.format import LanguageFormat, Shape
from golden.language.reference import Reference
from support.language_models import random_model

FIXTURES = Path(__file__).parents[2] / "data" / "language"
MEDIUM = Shape(vocabulary=64, hidden=96, blocks=3, heads=6, key_heads=2, head=16, intermediate=160, context=48)


@pytest.mark.parametrize("name", ["floats", "latent", "multiply", "divide"])
def test_it_is_transformers_definition(name: str) -> None:
    answers = np.load(FIXTURES / name / "answers.npz")
    found = Reference(read_language_model(FIXTURES / name), trained=False).forward(answers["tokens"])
    np.testing.assert_allclose(found, answers["logits"], atol=1e-4)


def test_with_many_digits_the_trained_form_is_close_and_floats_have_one_form() -> None:
    answers = np.load(FIXTURES / "latent" / "answers.npz")
    found = Reference(read_language_model(FIXTURES / "latent")).forward(answers["tokens"])
    assert 0 < np.sqrt(np.mean((found - answers["logits"]) ** 2)) < 0.15 * answers["logits"].std()
    floats = read_language_model(FIXTURES / "floats")
    one, other = (Reference(floats, trained=trained).forward(answers["tokens"]) for trained in (True, False))
    np.testing.assert_array_equal(one, other)


def test_the_first_token_s_value_passes_the_trained_attention_whole() -> None:
    # One token alone has all the weight: with it, the form with three digits is the definition with a rounded value.
    model = random_model(MEDIUM, LanguageFormat(5, 1, 5))
    one, other = (Reference(model, trained=trained).forward(np.array([[3]])) for trained in (True, False))
    assert np.sqrt(np.mean((one - other) ** 2)) < 0.04 * other.std()


@pytest.mark.parametrize("digits", [3, 4, 5])
def test_wide_integers_are_close_to_the_trained_form(digits: int) -> None:
    form = LanguageFormat(
        digits, digits, digits, 24, 6, gain_bits=12, scale_bits=16, rotation_bits=14, table_bits=8, quantiser_bits=24
    )
    model = random_model(MEDIUM, form, digits)
    tokens = np.random.default_rng(0).integers(0, 64, (3, 48))
    decoder = Decoder(model)
    logits = decoder.forward(tokens, decoder.start(3)).reals() * np.log(2)
    expected = Reference(model).forward(tokens)
    assert np.sqrt(np.mean((logits - expected) ** 2)) < 0.06 * expected.std()
