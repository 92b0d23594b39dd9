"""Exact products of small integers by the fast routines for floats."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.formats import ACTIVATION_MAX


def exact_product(left: NDArray[Any], right: NDArray[Any], bound: int) -> NDArray[np.int64]:
    """A matrix product of integers none of whose partial sums is beyond `bound`, which is below 2**53."""
    dtype = float_type(bound)
    return (left.astype(dtype, copy=False) @ right.astype(dtype, copy=False)).astype(np.int64)


def float_type(bound: int) -> type[np.floating[Any]]:
    """The shortest float type that holds every integer up to `bound`."""
    return np.float32 if bound < 1 << 24 else np.float64


class Linear(NamedTuple):
    """Trits made ready for a fast exact product."""

    transposed: NDArray[np.floating[Any]]

    @classmethod
    def of(cls, trits: NDArray[np.int8], limit: int = 1) -> "Linear":
        """Of shape (outputs, inputs), of magnitudes up to `limit`."""
        dtype = float_type(ACTIVATION_MAX * limit * trits.shape[1])
        return cls(np.ascontiguousarray(trits.T.astype(dtype)))

    def sums(self, values: NDArray[np.int8]) -> NDArray[np.int64]:
        """The array's accumulators."""
        return (values.astype(self.transposed.dtype) @ self.transposed).astype(np.int64)
