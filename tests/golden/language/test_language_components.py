from fractions import Fraction
from itertools import product
from math import cos, sin
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.language.cache import Cache
from golden.language.context import context, guard_bits
from golden.language.embedding import embedded
from golden.language.feed_forward import squared_gate_times_up
from golden.language.format import ZERO_EXPONENT, LanguageFormat, Shape, levels
from golden.language.norm import Gains, normed, relative_size
from golden.language.products import Linear, exact_product
from golden.language.quantiser import quantise
from golden.language.residual import added
from golden.language.rotary import Rotation
from golden.language.scalars import Scalars
from golden.language.scores import quantised_query, scores
from golden.language.softmax import Weights, exponentials, power_table, weighted
from golden.quantise import quantise_activations
from golden.trits import balanced_ternary

LIMITS = [levels(digits) for digits in range(1, 6)] + [64, 100, 127]
FORM = LanguageFormat(3, 3, 3, gain_bits=6, scale_bits=8, table_bits=5, quantiser_bits=16)


def scalars(mantissas: list[Any], exponents: list[Any]) -> Scalars:
    return Scalars(np.array(mantissas), np.array(exponents))


@pytest.mark.parametrize("limit", LIMITS)
def test_the_quantiser_is_exact_for_every_small_quotient(limit: int) -> None:
    for maximum in range(1, 300):
        values = np.arange(-maximum, maximum + 1)
        expected = [round(Fraction(limit * int(value), maximum)) for value in values]
        assert quantise(values, limit)[0].tolist() == expected


@given(st.integers(1, 1 << 40), st.sampled_from(LIMITS), st.data())
def test_the_quantiser_is_exact_beside_ties(maximum: int, limit: int, data: st.DataObject) -> None:
    middle = (2 * data.draw(st.integers(0, limit - 1)) + 1) * maximum // (2 * limit)
    near = [value for value in range(middle - 2, middle + 3) if 0 <= value <= maximum]
    found, largest = quantise(np.array([*near, maximum]), limit)
    assert found.tolist() == [round(Fraction(limit * value, maximum)) for value in (*near, maximum)]
    assert largest.tolist() == [maximum]


def test_the_quantiser_is_the_engine_s_and_takes_a_limit_a_vector() -> None:
    values = np.random.default_rng(0).integers(-(1 << 20), 1 << 20, (50, 9))
    for one, other in zip(quantise(values), quantise_activations(values), strict=True):
        np.testing.assert_array_equal(one, other)
    limits = np.random.default_rng(1).integers(1, 128, (50, 1))
    rows = [quantise(row, int(limit))[0] for row, limit in zip(values, limits[:, 0], strict=True)]
    np.testing.assert_array_equal(quantise(values, limits)[0], rows)
    assert quantise(np.zeros(4, int))[0].tolist() == [0] * 4


@pytest.mark.parametrize("digits", range(1, 6))
def test_digits_on_the_array_are_the_numbers_that_they_stand_for(digits: int) -> None:
    random, limit = np.random.default_rng(digits), levels(digits)
    numbers, vector = random.integers(-limit, limit + 1, (7, 30)), random.integers(-127, 128, 30)
    planes = [3**place * (plane @ vector) for place, plane in enumerate(balanced_ternary(numbers, digits))]
    sums = Linear.of(numbers.astype(np.int8), limit).sums(vector.astype(np.int8))
    np.testing.assert_array_equal(sums, np.sum(planes, axis=0))
    np.testing.assert_array_equal(embedded(numbers.astype(np.int8), np.array([[2]]), 3)[0, 0], numbers[2] * 8)


def test_products_too_large_for_short_floats_are_exact() -> None:
    left, right = np.full((1, 3000), 127), np.full((3000, 1), 121)
    assert exact_product(left, right, 127 * 121 * 3000).item() == 127 * 121 * 3000


def test_gains_keep_their_unit_and_products_fit_the_quantiser() -> None:
    gains = Gains.of(np.array([0.5, -2.0, 1.0]), 16, FORM)
    assert gains.values.tolist() == [16, -63, 32]
    assert gains.shift == 6
    assert gains.unit == 2.0 / 63 * 64
    vector = np.array([(1 << 15) - 1] * 3)
    assert normed(vector, gains).maximum.item() == (32767 * 63 + 32) >> 6 < 1 << 15


def test_a_norm_s_size_is_what_its_values_are_worth() -> None:
    random = np.random.default_rng(3)
    vector, real = random.integers(-3000, 3000, 96), random.normal(1, 0.2, 96)
    gains = Gains.of(real, 16, LanguageFormat(3, 3, 3, gain_bits=12, quantiser_bits=24))
    found = normed(vector, gains)
    size = relative_size(vector, found.maximum, 0, 16)
    unit = float(size.reals().item()) * np.sqrt(96) * gains.unit / 127
    expected = vector / np.sqrt(np.mean(vector.astype(float) ** 2)) * real
    assert np.abs(found.values * unit - expected).max() < 0.6 * unit
    started = relative_size(vector, found.maximum, int((vector**2).sum()), 16)
    assert abs(started.reals() / size.reals() - np.sqrt(0.5)).item() < 1e-4


def test_rotation_turns_pairs_by_their_angle() -> None:
    table = Rotation.of(9, 6, 100.0, 14)
    vectors = np.random.default_rng(4).integers(-9000, 9000, (2, 3, 5, 6))
    found = table.rotated(vectors, 4)
    for place, pair in product(range(5), range(3)):
        angle = (4 + place) * 100.0 ** (-2 * pair / 6)
        near, far = vectors[..., place, pair], vectors[..., place, pair + 3]
        assert np.abs(found[..., place, pair] - (near * cos(angle) - far * sin(angle))).max() < 1.5
        assert np.abs(found[..., place, pair + 3] - (far * cos(angle) + near * sin(angle))).max() < 1.5
    np.testing.assert_array_equal(table.rotated(vectors[..., :1, :], 0), vectors[..., :1, :])


def test_the_cache_holds_digits_scales_and_the_largest_exponent_so_far() -> None:
    shape = Shape(vocabulary=2, hidden=2, blocks=1, heads=1, key_heads=1, head=2, intermediate=1, context=4)
    cache = Cache.empty(shape, 1, 4)
    keys = np.array([[[[3, -6], [0, 0]]]])
    values = np.array([[[[40, 1], [5, 5]]]])
    sizes = scalars([[[[128], [128]]]], [[[[-7], [-7]]]])
    cache.write(0, keys, values, sizes, FORM)
    cache.write(2, values[:, :, :1] * 0, values[:, :, :1] * 4, Scalars(*(part[:, :, :1] for part in sizes)), FORM)
    assert cache.keys[0, 0].tolist() == [[6, -13], [0, 0], [0, 0], [0, 0]]
    assert cache.values[0, 0].tolist() == [[13, 0], [13, 13], [13, 0], [0, 0]]
    assert cache.key_scales.mantissa[0, 0].tolist() == [192, 0, 0, 0]
    assert cache.value_scales.mantissa[0, 0].tolist() == [160, 160, 160, 0]
    assert cache.value_scales.exponent[0, 0].tolist() == [-2, -5, 0, ZERO_EXPONENT]
    assert cache.peaks[0, 0].tolist() == [-2, -2, 0, ZERO_EXPONENT]


def test_a_query_s_unit_is_a_power_of_two() -> None:
    query = np.random.default_rng(5).integers(-9000, 9000, (40, 8))
    size = scalars([[200]], [[-9]])
    small, exponent = quantised_query(query, size, Scalars.constant(0.0123, 16), 16)
    real = query * 200 / 512 * 0.0123
    assert ((np.abs(small).max(axis=1) >= 64) & (np.abs(small).max(axis=1) <= 127)).all()
    # The limit has seven bits, and so has what a query is worth.
    assert np.abs(small * np.exp2(exponent) / np.abs(real).max(axis=1, keepdims=True)).max() < 1 + 1 / 64
    np.testing.assert_allclose(small * np.exp2(exponent), real, atol=np.abs(real).max() / 64)


def test_scores_round_down_and_saturate() -> None:
    keys = np.array([[[1, 0], [-1, 0], [13, 13]]], np.int8)
    query, exponent = np.array([[[[100, 100]]]], np.int8), np.array([[[[-10]]]])
    found = scores(query, exponent, keys, scalars([[129, 129, 255]], [[-8, -8, 7]]), FORM)
    # 100 · 129 · 2**(-18 + 5) is 1.57; the last has nowhere to shift to, and saturates.
    assert found.tolist() == [[[[1, -2, 16 * 2048 - 1]]]]


def test_powers_of_two_by_shift_and_table() -> None:
    assert power_table(4).tolist()[:3] == [32768, 31379, 30048]
    assert power_table(8)[-1] == round(32768 * 2 ** (-255 / 256))
    found = exponentials(np.array([70, 64, 38, -900, 5000]), np.array([1, 1, 1, 1, 0], bool), 5)
    assert found.tolist() == [32768, power_table(5)[6], 16384, 0, 0]


def test_weights_take_the_values_scales_with_them() -> None:
    powers = np.array([[[[32768, 16384, 32768, 0]]]])
    found = weighted(powers, scalars([[128, 255, 128, 255]], [[3, 3, 1, 9]]), np.array([[3]]), 8)
    # 16384, 16320, 4096 and nothing.
    assert found.values.tolist() == [[[[127, 127, 32, 0]]]]
    assert found.maximum.item() == 16384
    assert found.total.item() == 81920
    nothing = weighted(powers, scalars([[0] * 4], [[ZERO_EXPONENT] * 4]), np.array([[ZERO_EXPONENT]]), 8)
    assert not nothing.values.any()
    assert nothing.maximum.item() == 0


@pytest.mark.parametrize("digits", range(1, 6))
def test_the_widest_context_fits(digits: int) -> None:
    form, limit = LanguageFormat(3, 3, digits, scale_bits=8), levels(digits)
    # Every weight but the largest was rounded up from little more than a half.
    weights = Weights(
        np.array([[[[[127] + [1] * 255]]]], np.int8), np.array([[[[[32767]]]]]), np.array([[[[[65800]]]]])
    )
    values = np.full((1, 1, 256, 1), limit, np.int8)
    found = context(weights, values, np.zeros((1, 1, 1), int), form).item()
    assert abs(found / (382 * limit * 32767 / 65800 * 2 ** guard_bits(digits)) - 1) < 1 / 256
    assert found < 1 << 15
    assert 2 * 127 * limit * 2 ** (guard_bits(digits) + 1) >= 1 << 15


def test_heads_share_the_unit_of_the_largest_values() -> None:
    weights = Weights(*(np.full((1, 2, 1, 1, 1), number) for number in (127, 32640, 32768)))
    found = context(weights, np.full((1, 2, 1, 1), 13, np.int8), np.array([[[4], [1]]]), FORM)
    # A factor of 255 / 256, and three fraction bits.
    assert found.reshape(-1).tolist() == [round(127 * 13 * 8 * 255 / 256), round(127 * 13 * 255 / 256)]


def test_the_hidden_vector_is_its_product_over_64() -> None:
    random = np.random.default_rng(6)
    gate, up = random.integers(-999, 1000, (2, 50))
    gate[0], up[:2] = 1200, (-1300, 1)
    eights = [
        [round(Fraction(127 * int(value), limit)) for value in half]
        for half, limit in ((gate.clip(0), 1200), (up, 1300))
    ]
    expected = [(g * g * u + 32) // 64 for g, u in zip(*eights, strict=True)]
    assert squared_gate_times_up(gate, up).tolist() == expected
    assert expected[0] == -32006
    assert not squared_gate_times_up(-np.abs(gate), up).any()


def test_the_residual_saturates_and_counts() -> None:
    found = added(np.array([32000, -32000, 5]), np.array([1000, -1000, 3]), scalars([128], [-7]), 16)
    assert found.values.tolist() == [32767, -32767, 8]
    assert found.saturated == 2
