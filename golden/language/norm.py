"""The norm in front of a linear layer: gains, the quantiser, and, where it is needed, what the result is worth.

RMSNorm and the quantiser together do not depend on the vector's size. The element-wise lanes multiply by the gains, and
the quantiser takes care of the rest; the size is one scalar, found in parallel from an exact sum of squares.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.language.format import LanguageFormat
from golden.language.quantiser import quantise
from golden.language.scalars import Integers, Scalars, over_root, rounded_shift


class Gains(NamedTuple):
    """A norm's gains as multiples of one unit."""

    values: Integers
    """Each below ``2**gain_bits`` in magnitude."""
    unit: float
    """What 1 is worth, a shift of the products included."""
    shift: int
    """Bits that the products leave out, so that no more than ``quantiser_bits`` remain."""

    @classmethod
    def of(cls, gains: NDArray[np.floating], bits: int, form: LanguageFormat) -> "Gains":
        """Of real gains, for vectors whose elements have so many bits."""
        limit = (1 << form.gain_bits) - 1
        step = max(float(np.abs(gains).max()), float(np.finfo(np.float32).tiny)) / limit
        shift = max(bits + form.gain_bits - form.quantiser_bits, 0)
        return cls(np.rint(gains / np.float64(step)).astype(np.int64), step * 2.0**shift, shift)


class Normed(NamedTuple):
    """A vector as a linear layer takes it."""

    values: NDArray[np.int8]
    maximum: Integers
    """Before the quantiser, shape (..., 1)."""


def normed(vector: Integers, gains: Gains) -> Normed:
    """Times the gains, then quantised."""
    return Normed(*quantise(rounded_shift(vector * gains.values, gains.shift)))


def relative_size(vector: Integers, maximum: Integers, epsilon: int, bits: int) -> Scalars:
    """The quantiser's maximum over the root of the sum of squares; `epsilon` is what the sum starts with.

    A unit of the quantised vector is worth this times ``√length · unit of the gains / 127``.
    """
    squares = (vector * vector).sum(axis=-1, keepdims=True) + epsilon
    return over_root(maximum, squares, bits)
