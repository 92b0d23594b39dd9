from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from golden.language.folder import read_language_model
from golden.language.format import LanguageFormat, Shape
from golden.language.model import LanguageModel
from support.language_models import SMALL, forms, random_model, shapes
from support.plain_decoder import PlainDecoder

FIXTURES = Path(__file__).parents[2] / "data" / "language"


def drawn_tokens(model: LanguageModel, sequences: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, model.shape.vocabulary, (sequences, model.shape.context))


@settings(max_examples=40, deadline=None)
@given(shapes(), forms(), st.integers(0, 1 << 20))
def test_it_is_what_plain_integers_make_one_by_one(shape: Shape, form: LanguageFormat, seed: int) -> None:
    model = random_model(shape, form, seed)
    decoder, tokens = Decoder(model), drawn_tokens(model, 1, seed)
    logits = decoder.forward(tokens, decoder.start())
    plain = PlainDecoder(decoder.integers)
    for place, token in enumerate(tokens[0]):
        values, unit = plain.step(int(token))
        np.testing.assert_array_equal(logits.values[0, place], values)
        assert Fraction(float(logits.unit.reals()[0, place, 0])) == unit


@settings(max_examples=40, deadline=None)
@given(shapes(), forms(), st.integers(1, 3), st.data())
def test_any_cut_of_any_number_of_sequences_gives_the_same(
    shape: Shape, form: LanguageFormat, sequences: int, data: st.DataObject
) -> None:
    model = random_model(shape, form, data.draw(st.integers(0, 1 << 20)))
    decoder, tokens = Decoder(model), drawn_tokens(model, sequences, 1)
    together = decoder.start(sequences, shape.context)
    expected = decoder.forward(tokens, together)
    saturated = 0
    for row in range(sequences):
        alone, place, parts = decoder.start(), 0, []
        while place < shape.context:
            count = data.draw(st.integers(1, shape.context - place))
            parts.append(decoder.forward(tokens[row : row + 1, place : place + count], alone))
            place += count
        saturated += alone.saturated
        np.testing.assert_array_equal(np.concatenate([part.values[0] for part in parts]), expected.values[row])
        np.testing.assert_array_equal(np.concatenate([part.reals()[0] for part in parts]), expected.reals()[row])
    assert saturated == together.saturated


def test_known_logits() -> None:
    model = read_language_model(FIXTURES / "latent")
    decoder = Decoder(model)
    logits = decoder.forward(np.load(FIXTURES / "latent" / "answers.npz")["tokens"], decoder.start(2))
    assert logits.values[0, -1, :6].tolist() == [6718, -4944, -10064, -5488, -11207, 6559]
    assert logits.unit.mantissa[:, -1, 0].tolist() == [597, 519]
    assert int(np.abs(logits.values).sum()) == 4442359


def test_a_model_of_floats_has_no_integer_form() -> None:
    with pytest.raises(TritweaveError, match="floats has floats for weights"):
        Decoder(read_language_model(FIXTURES / "floats"))


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([[0] * 17], "the sequence has 17 tokens; the context of random holds 16"),
        ([[24]], "token 24 is none of random's, which are 0 to 23"),
        ([[3, -1]], "token -1 is none"),
        ([[]], r"tokens have dtype float64 and shape \(1, 0\)"),
        ([[0.5]], "tokens have dtype float64"),
    ],
)
def test_tokens_that_cannot_be_taken(tokens: list, message: str) -> None:
    decoder = Decoder(random_model(SMALL))
    with pytest.raises(TritweaveError, match=message):
        decoder.forward(np.array(tokens), decoder.start())


def test_the_context_ends() -> None:
    decoder = Decoder(random_model(SMALL))
    sequences = decoder.start()
    decoder.forward(np.zeros((1, 16), np.int64), sequences)
    with pytest.raises(TritweaveError, match="the sequence has 17 tokens"):
        decoder.forward(np.zeros((1, 1), np.int64), sequences)


def test_saturation_is_counted() -> None:
    model = random_model(SMALL, LanguageFormat(5, 3, 3, residual_bits=12, fraction_bits=3))
    loud = [block._replace(down=block.down._replace(scale=500.0)) for block in model.blocks]
    decoder = Decoder(LanguageModel(**{**vars(model), "blocks": tuple(loud)}))
    sequences = decoder.start()
    decoder.forward(np.zeros((1, 4), np.int64), sequences)
    assert sequences.saturated > 0
