"""LayerNorm in front of a layer's quantiser, in integers: one pass of sums, one root, and a rounding.

With n values x, ``S = Σ x``, ``V = n·Σ x² - S²`` and the root ``R = floor(√V)``, n times the deviation, LayerNorm's
result times R is ``g·(n·x - S) + b·R``: nothing has to be divided, since the quantiser behind takes any factor out.
What the definition adds under the root is left out; a vector of equal values has a root of 1, so that the biases are
its result.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.formats import GAIN_MAX, NORMED_BITS


class Normed(NamedTuple):
    """What a norm makes of a batch."""

    values: NDArray[np.int64]
    """Shape (n, elements)."""
    units: NDArray[np.float64]
    """Shape (n, 1): what one of them is worth."""


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """A LayerNorm as integers.

    Parameters
    ----------
    gains, biases
        Multiples of one unit, of magnitude up to `golden.formats.GAIN_MAX`, shape (elements,).
    unit
        What one of them is worth.

    """

    gains: NDArray[np.int64]
    biases: NDArray[np.int64]
    unit: float

    @classmethod
    def of(cls, gains: NDArray[np.floating[Any]], biases: NDArray[np.floating[Any]]) -> "LayerNorm":
        """The nearest multiples to real gains and biases of a unit with which the largest is `GAIN_MAX`."""
        peak = max(float(np.abs(gains).max()), float(np.abs(biases).max()))
        if not peak:
            raise TritweaveError("a LayerNorm's gains and biases are all 0")
        step = peak / GAIN_MAX
        return cls(np.rint(gains / step).astype(np.int64), np.rint(biases / step).astype(np.int64), step)

    @property
    def elements(self) -> int:
        """Length of a vector."""
        return len(self.gains)

    def bound(self, low: int, high: int) -> int:
        """The largest magnitude before the shift, of vectors of values from `low` to `high`."""
        spread = high - low
        # A deviation is half of the spread at most.
        return int(np.abs(self.gains).max()) * (self.elements - 1) * spread + int(np.abs(self.biases).max()) * max(
            self.elements * spread // 2, 1
        )

    def forward(self, values: NDArray[np.integer[Any]], shift: int) -> Normed:
        """Integers of shape (n, elements), whose sums of squares times the elements stay below 2**62, shifted right.

        The shift rounds to nearest, ties upwards.
        """
        wide = values.astype(np.int64)
        sums = wide.sum(axis=1, keepdims=True)
        variances = self.elements * (wide * wide).sum(axis=1, keepdims=True) - sums * sums
        roots = np.maximum(floor_roots(variances), 1)
        results = self.gains * (self.elements * wide - sums) + self.biases * roots + half_of(shift) >> shift
        return Normed(results, self.unit * 2.0**shift / roots)


def shift_for(bound: int) -> int:
    """The fewest bits to leave out so that results of up to a magnitude have at most `NORMED_BITS`."""
    shift = 0
    while bound + half_of(shift) >= 1 << shift + NORMED_BITS - 1:
        shift += 1
    return shift


def floor_roots(squares: NDArray[np.int64]) -> NDArray[np.int64]:
    """Square roots of integers from 0 to 2**62, rounded down."""
    roots = np.sqrt(squares.astype(np.float64)).astype(np.int64)
    roots -= roots * roots > squares
    return roots + ((roots + 1) * (roots + 1) <= squares)


def half_of(shift: int) -> int:
    """Half of a result's unit, where there is one."""
    return 1 << shift >> 1
