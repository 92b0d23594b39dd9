from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.quantise import quantise_activations, quantise_activations_float

# The exhaustive test is over every pair of a value and a maximum below this.
MAXIMA = 2**12
vectors = st.lists(st.integers(-(2**55) + 1, 2**55 - 1), min_size=1, max_size=8)


def exact(values: list[int]) -> list[int]:
    """The definition in rationals; Python rounds a fraction half to even."""
    maximum = max(map(abs, values)) or 1
    return [round(Fraction(127 * value, maximum)) for value in values]


def is_nearest_ties_to_even(quantised: np.ndarray, values: np.ndarray, maximum: int) -> np.ndarray:
    """Whether q is 127·a/m rounded, without a division: |2·127·a - 2·q·m| < m, or = m with an even q."""
    distance = np.abs(254 * values - 2 * maximum * quantised.astype(np.int64))
    return (distance < maximum) | ((distance == maximum) & (quantised % 2 == 0))


def test_every_value_under_every_maximum_of_twelve_bits_is_rounded_exactly():
    for maximum in range(1, MAXIMA):
        values = np.arange(-maximum, maximum + 1)
        quantised, found = quantise_activations(values)
        assert found.tolist() == [maximum]
        assert is_nearest_ties_to_even(quantised, values, maximum).all(), maximum


def test_the_exhaustive_criterion_is_the_rounding_of_fractions():
    draws = np.random.default_rng(1)
    for maximum in [*range(1, 30), *draws.integers(30, MAXIMA, 300).tolist()]:
        for value in draws.integers(-maximum, maximum + 1, 4).tolist():
            around = np.arange(-128, 129)
            accepted = around[is_nearest_ties_to_even(around, np.array(value), maximum)]
            assert accepted.tolist() == [round(Fraction(127 * value, maximum))]


@given(vectors)
def test_values_up_to_the_limit_equal_the_rational_definition(values):
    quantised, maximum = quantise_activations(np.array(values))
    assert quantised.dtype == np.int8
    assert maximum.dtype == np.int64
    assert quantised.tolist() == exact(values)
    assert maximum.tolist() == [max(map(abs, values)) or 1]


@pytest.mark.parametrize(
    ("values", "quantised"),
    [
        ([1, 2], [64, 127]),  # 63.5 up to even
        ([1, 254], [0, 127]),  # 0.5 down to even
        ([3, 254], [2, 127]),  # 1.5 up
        ([5, 254], [2, 127]),  # 2.5 down
        ([-1, -3, -5, 254], [0, -2, -2, 127]),
        ([251, -253, -254], [126, -126, -127]),  # 125.5 up and -126.5 up
        ([15, 30], [64, 127]),
        ([1, 255], [0, 127]),  # just below a half
        ([1, 253], [1, 127]),  # just above
    ],
)
def test_ties_go_to_even(values, quantised):
    assert quantise_activations(np.array(values))[0].tolist() == quantised


@pytest.mark.parametrize(
    ("values", "dtype", "quantised", "maximum"),
    [
        ([0, 0, 0], np.uint8, [0, 0, 0], 1),
        ([0, 0, 0], np.int64, [0, 0, 0], 1),
        ([-128, 127, 64], np.int8, [-127, 126, 64], 128),  # 126.008 and 63.5
        ([-128], np.int8, [-127], 128),
        ([255, 128, 1], np.uint8, [127, 64, 0], 255),  # 63.75 and 0.498
        ([65535, 258], np.uint16, [127, 0], 65535),
        ([1], np.int64, [127], 1),
    ],
)
def test_ends_of_the_input_types(values, dtype, quantised, maximum):
    result, found = quantise_activations(np.array(values, dtype))
    assert result.tolist() == quantised
    assert found.tolist() == [maximum]


def test_each_vector_of_a_batch_has_its_own_maximum():
    values = np.array([[[1, 2], [0, 0]], [[-4, 3], [254, 1]]])
    quantised, maximum = quantise_activations(values)
    assert quantised.tolist() == [[[64, 127], [0, 0]], [[-127, 95], [127, 0]]]
    assert maximum.tolist() == [[[2], [1]], [[4], [254]]]


@given(st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=8), st.integers(1, 2**24))
def test_a_common_positive_factor_changes_nothing(values, factor):
    scaled, _ = quantise_activations(np.array(values) * factor)
    assert scaled.tolist() == quantise_activations(np.array(values))[0].tolist()


@given(vectors)
def test_the_largest_magnitude_becomes_127_and_minus_128_never_occurs(values):
    quantised, _ = quantise_activations(np.array(values))
    assert np.abs(quantised.astype(int)).max() == (127 if any(values) else 0)


@given(vectors)
def test_negation_commutes_with_quantisation(values):
    quantised, _ = quantise_activations(np.array(values))
    negated, _ = quantise_activations(-np.array(values))
    assert negated.tolist() == (-quantised).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_the_integer_quantiser_takes_integers_only(dtype):
    with pytest.raises(TritweaveError, match="the integer quantiser takes integers"):
        quantise_activations(np.ones(3, dtype))


@pytest.mark.parametrize(
    ("values", "quantised", "scale"),
    [
        ([1.0, -0.5, 0.25, 0.0], [127, -64, 32, 0], 127.0),  # -63.5 and 31.75
        ([-0.5, 0.125], [-127, 32], 254.0),
        ([1e-6, -1e-5], [13, -127], 127 / 1e-5),  # 12.7
        ([1e-6, 5e-7], [13, 6], 127 / 1e-5),  # below the floor: 12.7 and 6.35
        ([0.0, 0.0], [0, 0], 127 / 1e-5),
    ],
)
def test_float_definition_on_known_values(values, quantised, scale):
    result, found = quantise_activations_float(np.array(values))
    assert result.tolist() == quantised
    assert found.tolist() == [scale]


@pytest.mark.parametrize(("dtype", "width"), [(np.float16, 16), (np.float32, 32), (np.float64, 64)])
@given(data=st.data())
def test_float_definition_equals_its_direct_evaluation_in_the_precision_of_the_values(dtype, width, data):
    values = data.draw(st.lists(st.floats(-1024, 1024, width=width), min_size=1, max_size=8))
    real = np.float64 if dtype == np.float64 else np.float32
    scale = real(127) / max(*map(abs, map(real, values)), real(1e-5))
    expected = [max(-128, min(127, round(float(real(value) * scale)))) for value in values]
    result, found = quantise_activations_float(np.array(values, dtype))
    assert result.tolist() == expected
    assert found.tolist() == [scale]
    assert (result.dtype, found.dtype) == (np.int8, np.float64)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_float_quantiser_names_what_is_not_finite(value):
    values = np.zeros((2, 3), np.float32)
    values[1, 2] = value
    with pytest.raises(TritweaveError, match=rf"activations hold {value} at \[1, 2\]; every value must be finite"):
        quantise_activations_float(values)


@pytest.mark.parametrize("values", [np.zeros(3, np.int64), np.zeros((2, 0), np.float32)])
def test_the_float_quantiser_takes_floats_and_at_least_one(values):
    with pytest.raises(TritweaveError, match=r"activations have dtype .*; floats, at least one, are needed"):
        quantise_activations_float(values)
