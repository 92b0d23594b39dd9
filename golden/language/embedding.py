"""The embedding in digits: a token's row becomes the residual, and all rows times the last vector are the logits.

The logits are the sums of a linear layer whose weights are the same numbers: on the array a pass for each digit, worth
1, 3, 9, ….
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.language.scalars import Integers, Scalars


class Logits(NamedTuple):
    """Logits as integers, and what one of them is worth in log2, one scalar a token."""

    values: Integers
    """Shape (..., vocabulary)."""
    unit: Scalars
    """Shape (..., 1)."""

    def reals(self) -> NDArray[np.float64]:
        """Logits in log2: the probability of a token is 2 to its logit, over the sum of all."""
        return self.values * self.unit.reals()

    def last(self) -> "Logits":
        """Those behind the last token of each sequence."""
        return Logits(self.values[..., -1, :], Scalars(*(part[..., -1, :] for part in self.unit)))


def embedded(embedding: NDArray[np.int8], tokens: NDArray[np.integer], fraction_bits: int) -> Integers:
    """The residual in front of the first block: rows in units of a step over ``2**fraction_bits``."""
    return embedding[tokens].astype(np.int64) << fraction_bits
