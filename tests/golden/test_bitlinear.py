import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.bitlinear import Disagreement, disagreement, forward_float, forward_integer, output_unit
from golden.errors import TritweaveError
from golden.quantise import quantise_activations, quantise_activations_float

UNITS = [1.0, 1 / 255, 0.1, 3e4]


def random_trits(draws: np.random.Generator, *shape: int) -> np.ndarray:
    return draws.integers(-1, 2, shape, np.int8)


def test_integer_form_on_known_values():
    # (10, 20, 40)·127/40 = 31.75, 63.5, 127; (0, -3, 1)·127/3 = 0, -127, 42.33
    values = np.array([[10, 20, 40], [0, -3, 1]])
    weights = np.array([[1, -1, 0], [0, 1, 1], [-1, -1, -1], [0, 0, 0]], np.int8)
    sums, maximum = forward_integer(values, weights)
    assert sums.tolist() == [[32 - 64, 64 + 127, -32 - 64 - 127, 0], [127, 42 - 127, 127 - 42, 0]]
    assert maximum.tolist() == [[40], [3]]


def test_float_form_on_known_values():
    # scale 127/2; q = 32 (31.75), -64 (-63.5), 127
    values = np.array([0.5, -1.0, 2.0])
    weights = np.array([[1, 1, 1], [-1, 0, 1]], np.int8)
    expected = np.array([32 - 64 + 127, 127 - 32]) * 3.0 * 2 / 127
    np.testing.assert_allclose(forward_float(values, weights, 3.0), expected, rtol=1e-15)


@given(st.data())
def test_integer_form_equals_sums_in_plain_integers(data):
    inputs, outputs = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    trit_rows = st.lists(st.lists(st.integers(-1, 1), min_size=inputs, max_size=inputs), min_size=outputs)
    weights = data.draw(trit_rows)
    values = data.draw(st.lists(st.integers(-(2**40), 2**40), min_size=inputs, max_size=inputs))
    sums, _ = forward_integer(np.array(values), np.array(weights, np.int8))
    quantised = quantise_activations(np.array(values))[0].tolist()
    assert sums.dtype == np.int64
    assert sums.tolist() == [sum(w * q for w, q in zip(row, quantised, strict=True)) for row in weights]


def test_the_largest_sum_of_a_wide_layer_is_exact():
    inputs = 100_001
    values = np.where(np.arange(inputs) % 2, -5, 5)
    sums, _ = forward_integer(values, np.sign(values).astype(np.int8)[None])
    assert sums.tolist() == [127 * inputs]


def test_a_zero_vector_gives_zeros_and_the_unit_of_a_maximum_of_one():
    sums, maximum = forward_integer(np.zeros((2, 3), np.uint8), np.ones((4, 3), np.int8))
    assert sums.tolist() == [[0] * 4] * 2
    assert maximum.tolist() == [[1], [1]]


def test_the_wrong_number_of_inputs_is_refused():
    with pytest.raises(TritweaveError, match="the input has 4 values where the layer takes 3"):
        forward_integer(np.ones((2, 4), np.int64), np.ones((5, 3), np.int8))


@pytest.mark.parametrize(
    ("input_unit", "maximum", "scale", "unit"),
    [(0.5, [[254], [127]], 3.0, [[3.0], [1.5]]), (np.array([[1.0], [4.0]]), [[127], [127]], 0.25, [[0.25], [1.0]])],
)
def test_the_unit_of_an_accumulator(input_unit, maximum, scale, unit):
    assert output_unit(input_unit, np.array(maximum), scale).tolist() == unit


@pytest.mark.parametrize("power", [-3, 0, 5])
def test_both_forms_are_equal_where_the_scales_are_exact(power):
    draws = np.random.default_rng(3)
    values = draws.integers(-127, 128, (50, 40))
    values[:, 7] = 127
    weights, scale, unit = random_trits(draws, 20, 40), float(np.float32(0.0317)), 2.0**power
    sums, maximum = forward_integer(values, weights)
    np.testing.assert_array_equal(
        forward_float(values * unit, weights, scale), sums * output_unit(unit, maximum, scale)
    )


@pytest.mark.parametrize("unit", UNITS)
def test_both_forms_agree_to_rounding_wherever_they_quantise_alike(unit):
    draws = np.random.default_rng(4)
    values, weights = draws.integers(-3000, 3001, (200, 60)), random_trits(draws, 30, 60)
    exact, _ = quantise_activations(values)
    rounded, _ = quantise_activations_float(values * unit)
    alike = (exact == rounded).all(axis=1)
    assert alike.mean() > 0.9
    sums, maximum = forward_integer(values, weights)
    real = (sums * output_unit(unit, maximum, 0.7))[alike]
    found = forward_float(values * unit, weights, 0.7)[alike]
    np.testing.assert_allclose(found, real, rtol=1e-13, atol=0)


@pytest.mark.parametrize("unit", UNITS)
def test_both_forms_quantise_alike_wherever_there_can_be_no_tie(unit):
    # 254·a is never an odd multiple of an odd maximum, and the next value to a tie is 1/(2·maximum) from it:
    # beyond what float32 loses for maxima of twelve bits.
    draws = np.random.default_rng(5)
    maximum = draws.integers(0, 2048, (300, 1)) * 2 + 1
    values = np.rint(draws.uniform(-1, 1, (300, 40)) * maximum).astype(np.int64)
    values[:, :1] = maximum
    weights = random_trits(draws, 10, 40)
    assert disagreement(values, weights, unit) == Disagreement(0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        # 15·127/30 is the tie 63.5, exactly 64; in float32, 127/30 falls short of it and the product below 63.5.
        ([[15, 30]], [[1, 0]], Disagreement(0.5, 1.0, 1)),
        ([[15, 30]], [[0, 1]], Disagreement(0.5, 0.0, 0)),
        ([[15, 30], [1, 3]], [[1, 0], [0, 1], [1, 1], [-1, 1]], Disagreement(1 / 4, 3 / 8, 1)),
        ([[15, -15, 30, 15]], [[1, -1, 0, 1], [1, 1, 1, 0], [-1, 0, 1, -1]], Disagreement(3 / 4, 2 / 3, 3)),
        ([[64, 128]], [[1, 1]], Disagreement(0.0, 0.0, 0)),
        ([[0, 0]], [[1, 1]], Disagreement(0.0, 0.0, 0)),
    ],
)
def test_disagreement_counts_the_ties_that_float32_misses(values, weights, expected):
    assert disagreement(np.array(values), np.array(weights, np.int8), 1.0) == expected
