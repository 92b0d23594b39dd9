from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from golden.language.format import ZERO_EXPONENT
from golden.language.scalars import Scalars, leading, over_root, quotient, rounded_shift, scaled

BITS = st.integers(8, 16)


def worth(scalars: Scalars) -> Fraction:
    return int(scalars.mantissa) * Fraction(2) ** int(scalars.exponent)


def array(value: int) -> np.ndarray:
    return np.array(value, np.int64)


@given(st.integers(1, (1 << 53) - 1), BITS)
def test_leading_bits_are_the_nearest_of_their_length(value: int, bits: int) -> None:
    found = leading(array(value), bits)
    assert int(found.mantissa).bit_length() == bits
    unit = Fraction(2) ** (value.bit_length() - bits)
    assert worth(found) == unit * floor(value / unit + Fraction(1, 2))


def test_leading_bits_carry_and_zero_stays() -> None:
    found = leading(np.array([0, 255, 511, 1023]), 8, 3)
    assert found.mantissa.tolist() == [0, 255, 128, 128]
    assert found.exponent.tolist() == [ZERO_EXPONENT, 3, 5, 6]


@given(st.floats(1e-12, 1e12), BITS)
def test_constants_are_the_nearest(value: float, bits: int) -> None:
    found = Scalars.constant(value, bits)
    assert int(found.mantissa).bit_length() == bits
    assert abs(worth(found) / Fraction(value) - 1) <= Fraction(1, 1 << bits)


@given(st.integers(1, (1 << 19) - 1), st.integers(1, (1 << 30) - 1), BITS)
def test_quotients_are_off_by_half_a_unit_and_what_the_divider_leaves_out(
    numerator: int, denominator: int, bits: int
) -> None:
    found = worth(quotient(array(numerator), array(denominator), bits)) / Fraction(numerator, denominator)
    assert 1 - Fraction(3, 2 << bits) <= found <= 1 + Fraction(1, 1 << bits)


@given(st.integers(1, (1 << 18) - 1), st.integers(1, (1 << 48) - 1), BITS)
def test_a_maximum_over_a_root(maximum: int, squares: int, bits: int) -> None:
    found = worth(over_root(array(maximum), array(squares), bits)) / maximum
    # Against 1 / √squares by squares, so that no root is taken here: the root is too small by 2**-(bits + 1) at most.
    assert (1 - Fraction(3, 2 << bits)) ** 2 <= found**2 * squares <= (1 + Fraction(7, 4 << bits)) ** 2


def test_nothing_over_the_root_of_nothing_is_nothing() -> None:
    found = over_root(np.array([1, 0]), np.array([0, 9]), 8)
    assert found.mantissa.tolist() == [0, 0]
    assert found.exponent.tolist() == [ZERO_EXPONENT] * 2


@given(st.integers(-(1 << 24), 1 << 24), st.integers(0, (1 << 16) - 1), st.integers(-80, 4))
def test_lanes_round_to_nearest_and_never_shift_to_the_left(value: int, mantissa: int, exponent: int) -> None:
    found = scaled(array(value), Scalars(array(mantissa), array(exponent)))
    expected = floor(value * mantissa * Fraction(2) ** min(exponent, 0) + Fraction(1, 2))
    assert int(found) == expected


@given(st.integers(-(1 << 40), 1 << 40), st.integers(0, 20))
def test_shifts_round_to_nearest_ties_upwards(value: int, shift: int) -> None:
    assert int(rounded_shift(array(value), shift)) == floor(Fraction(value, 1 << shift) + Fraction(1, 2))


@given(st.integers(1, 0xFFFF), st.integers(-20, 20), st.integers(1, 0xFFFF), BITS)
def test_products(first: int, exponent: int, second: int, bits: int) -> None:
    left, right = leading(array(first), bits, exponent), leading(array(second), bits)
    assert abs(worth(left.times(right, bits)) / (worth(left) * worth(right)) - 1) <= Fraction(1, 1 << bits)
    assert abs(worth(left.times_integers(array(second), bits)) / (worth(left) * second) - 1) <= Fraction(1, 1 << bits)
