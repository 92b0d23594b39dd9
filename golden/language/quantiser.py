"""The quantiser with a limit given at run time: 127 for activations, half of 3**n for digits, 64 to 127 for queries."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.formats import ACTIVATION_MAX


def quantise(
    values: NDArray[np.integer[Any]], limit: int | NDArray[np.int64] = ACTIVATION_MAX
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """``q = RNE(limit·a / max|a|)`` over the last axis, exact; a vector of zeros gives zeros.

    Parameters
    ----------
    values
        Integers of magnitude below 2**40, shape (..., n).
    limit
        1 to 127; one for all, or one a vector, shape (..., 1).

    Returns
    -------
    q (int8) and the largest magnitudes (int64, shape (..., 1); 1 for a vector of zeros).

    """
    maximum = np.maximum(np.abs(values).max(axis=-1, keepdims=True), 1)
    # The float64 quotient is off by less than 2**-46, and one that is no tie lies at least 1 / 2m from any.
    quotients = values * np.asarray(limit, np.float64) / maximum
    return np.rint(quotients, out=quotients).astype(np.int8), maximum.astype(np.int64)
