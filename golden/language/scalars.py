"""The scalar unit: numbers of a short mantissa and an exponent, one a vector or head, made serially.

A scalar is ``mantissa · 2**exponent``. Its mantissa has exactly `bits` bits, or is 0. Every operation rounds once, to
nearest, ties upwards, except the square root, which has two bits more and leaves the rest out.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.language.format import ZERO_EXPONENT

Integers = NDArray[np.int64]


class Scalars(NamedTuple):
    """Scalars of any shape."""

    mantissa: Integers
    exponent: Integers

    @classmethod
    def constant(cls, value: float, bits: int) -> "Scalars":
        """The nearest scalar to a real number above 0: for the image, made once."""
        fraction, exponent = np.frexp(np.float64(value))
        return leading(np.rint(np.ldexp(fraction, 53)).astype(np.int64), bits, exponent.astype(np.int64) - 53)

    def times(self, other: "Scalars", bits: int) -> "Scalars":
        """The product."""
        return leading(self.mantissa * other.mantissa, bits, self.exponent + other.exponent)

    def times_integers(self, values: Integers, bits: int) -> "Scalars":
        """The product with integers, none negative; a value is not rounded before."""
        return leading(self.mantissa * values, bits, self.exponent)

    def reals(self) -> NDArray[np.float64]:
        """What they are worth."""
        return np.ldexp(self.mantissa.astype(np.float64), self.exponent.astype(np.int32))


def leading(values: Integers, bits: int, exponent: Integers | int = 0) -> Scalars:
    """Integers of less than 54 bits, none negative, times ``2**exponent``, as scalars."""
    shift = bit_lengths(values) - bits
    right = np.maximum(shift, 0)
    mantissa = values + (1 << right >> 1) >> right << np.maximum(-shift, 0)
    carried = mantissa >> bits
    return Scalars(mantissa >> carried, np.where(mantissa == 0, ZERO_EXPONENT, exponent + shift + carried))


def quotient(numerator: Integers, denominator: Integers, bits: int) -> Scalars:
    """Numerators, none negative, of at most ``2·bits + 3`` bits, over denominators above 0.

    A restoring divider finds ``bits + 1`` or ``bits + 2`` bits of the quotient, more if the numerator is longer than
    the denominator by more than that; then it is rounded.
    """
    shift = np.maximum(bit_lengths(denominator) + bits + 1 - bit_lengths(numerator), 0)
    found = (numerator << shift) // denominator
    return leading(found, bits, -shift)


def over_root(maximum: Integers, squares: Integers, bits: int) -> Scalars:
    """A maximum over the root of a sum of squares; 0 if the sum is.

    The sum is shifted by an even number of bits until it has ``2·(bits + 2)`` or one less, and a restoring square root
    gives the ``bits + 2`` bits of the root; then the maximum is divided by it.
    """
    half = (bit_lengths(squares) + 1 >> 1) - (bits + 2)
    aligned = squares >> 2 * np.maximum(half, 0) << 2 * np.maximum(-half, 0)
    # Below 2**52, where the root of a float64 never rounds up to an integer.
    root = np.sqrt(aligned.astype(np.float64)).astype(np.int64)
    found = quotient(maximum, np.maximum(root, 1), bits)
    mantissa = np.where(squares == 0, 0, found.mantissa)
    return Scalars(mantissa, np.where(mantissa == 0, ZERO_EXPONENT, found.exponent - half))


def scaled(values: Integers, scalars: Scalars, exponent: Integers | int = 0) -> Integers:
    """What a lane does with an element: ``value · scalar · 2**exponent``, rounded to nearest, ties upwards.

    The product is only ever shifted to the right: a scalar so large that it would go left is taken as one that need
    not be shifted.
    """
    right = np.clip(-(scalars.exponent + exponent), 0, 62)
    return values * scalars.mantissa + (1 << right >> 1) >> right


def rounded_shift(values: Integers, shift: int) -> Integers:
    """Integers over ``2**shift``, rounded to nearest, ties upwards."""
    return values + (1 << shift >> 1) >> shift


def bit_lengths(values: Integers) -> Integers:
    """Bits of the magnitudes of integers below 2**53; of 0, none."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)
