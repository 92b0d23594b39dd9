from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.quantise import EPSILON, quantise_weights


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("weights", "trits", "scale"),
    [
        ([1.0, -1.0, 0.5, -0.5], [1, -1, 1, -1], 0.75),
        ([0.25, -0.25, 1.5, -2.0], [0, 0, 1, -1], 1.0),
        ([0.5, 1.5, 1.0, -1.0], [0, 1, 1, -1], 1.0),  # 0.5 goes to the even 0, 1.5 to 2 and is clamped
        ([-0.5, -1.5, 1.0, -1.0], [0, -1, 1, -1], 1.0),
        ([2.5, 0.0, 0.0, 0.0, 0.0], [1, 0, 0, 0, 0], 0.5),  # 5 is clamped
        ([[0.0, 4.0], [-4.0, 0.0]], [[0, 1], [-1, 0]], 2.0),
        ([7.0], [1], 7.0),
    ],
)
def test_trits_and_scale_of_known_weights(weights, trits, scale, dtype):
    result, found = quantise_weights(np.array(weights, dtype))
    assert result.dtype == np.int8
    assert result.tolist() == trits
    assert found == scale


@pytest.mark.parametrize(
    ("weights", "trits"),
    [
        ([0.0, 0.0], [0, 0]),
        ([4e-6], [0]),  # 0.4 of the floor; 1 of its own mean
        ([6e-6, -6e-6, 0.0], [1, -1, 0]),
        ([2e-6, -2e-6, 1.5e-5], [0, 0, 1]),
    ],
)
def test_the_scale_has_a_floor(weights, trits):
    result, scale = quantise_weights(np.array(weights))
    assert scale == EPSILON == 1e-5
    assert result.tolist() == trits


def test_one_scale_serves_weights_of_any_shape():
    weights = np.random.default_rng(2).normal(size=(4, 3, 5))
    trits, scale = quantise_weights(weights)
    flat, same = quantise_weights(weights.reshape(-1))
    assert scale == pytest.approx(same, rel=1e-15)
    np.testing.assert_array_equal(trits.reshape(-1), flat)


def test_the_mean_of_float32_weights_is_taken_in_float64():
    weights = np.full(2**12, 2.0**-24, np.float32)
    weights[0] = 1.0
    # In float32, 1 + 2**-24 is 1 again.
    assert quantise_weights(weights)[1] == (1 + 4095 * 2.0**-24) / 4096


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
def test_trits_are_the_rational_definition_away_from_ties(numbers):
    mean = Fraction(sum(map(abs, numbers)), len(numbers))
    assume(mean > 0)
    ratios = [number / mean for number in numbers]
    assume(all(abs(abs(ratio) - Fraction(1, 2)) > Fraction(1, 10**9) for ratio in ratios))
    trits, scale = quantise_weights(np.array(numbers, np.float64))
    assert trits.tolist() == [max(-1, min(1, round(ratio))) for ratio in ratios]
    assert scale == pytest.approx(float(mean), rel=1e-15)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.integers(0, 20))
def test_a_factor_of_two_goes_into_the_scale_alone(values, power):
    trits, scale = quantise_weights(np.array(values))
    assume(scale > EPSILON)
    scaled_trits, scaled = quantise_weights(np.array(values) * 2.0**power)
    assert scaled == scale * 2.0**power
    np.testing.assert_array_equal(scaled_trits, trits)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_named_with_their_place(value):
    weights = np.zeros((2, 3), np.float32)
    weights[1, 0] = value
    with pytest.raises(TritweaveError, match=rf"weights hold {value} at \[1, 0\]; every value must be finite"):
        quantise_weights(weights)


@pytest.mark.parametrize("weights", [np.zeros((2, 2), np.int8), np.zeros((0, 4), np.float32)])
def test_weights_are_floats_and_at_least_one(weights):
    with pytest.raises(TritweaveError, match=r"weights have dtype .*; floats, at least one, are needed"):
        quantise_weights(weights)


def test_half_precision_weights_are_divided_in_single_precision():
    weights = np.random.default_rng(1).normal(size=100_000).astype(np.float16)
    trits, scale = quantise_weights(weights)
    expected, same_scale = quantise_weights(weights.astype(np.float32))
    np.testing.assert_array_equal(trits, expected)
    assert scale == same_scale
    # What halves would have made of it.
    assert (trits != np.clip(np.rint(weights / np.float16(scale)), -1, 1)).any()
