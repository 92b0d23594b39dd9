"""The residual: a fixed-point vector to which each half of a block adds."""

from typing import NamedTuple

import numpy as np

from golden.language.scalars import Integers, Scalars, scaled


class Sum(NamedTuple):
    """A residual, and how many of its elements were cut to its width."""

    values: Integers
    saturated: int


def added(residual: Integers, sums: Integers, scale: Scalars, bits: int) -> Sum:
    """The residual plus a linear layer's sums times their scale; one product an element, saturated to `bits`."""
    limit = (1 << bits - 1) - 1
    total = residual + scaled(sums, scale)
    return Sum(total.clip(-limit, limit), int(np.count_nonzero(np.abs(total) > limit)))
