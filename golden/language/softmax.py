"""Softmax in powers of two: a shift by the whole part, a table for the rest, and the quantiser for what is left."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.language.format import EXPONENTIAL_BITS
from golden.language.quantiser import quantise
from golden.language.scalars import Integers, Scalars


class Weights(NamedTuple):
    """What each cached token counts for a query."""

    values: NDArray[np.int8]
    """0 to 127, shape (..., positions)."""
    maximum: Integers
    """Before the quantiser, shape (..., 1); 0 if all are 0."""
    total: Integers
    """Sum of the powers of two, shape (..., 1)."""


def power_table(bits: int) -> Integers:
    """``2**-f`` for f = 0, 1/2**bits, 2/2**bits, … as multiples of ``2**-EXPONENTIAL_BITS``."""
    return np.rint(np.exp2(EXPONENTIAL_BITS - np.arange(1 << bits) / (1 << bits))).astype(np.int64)


def exponentials(scores: Integers, mask: NDArray[np.bool_], bits: int) -> Integers:
    """``2**(score - largest score)``, truncated: the table's entry, shifted by the whole part.

    Parameters
    ----------
    scores
        In units of ``2**-bits``, shape (..., positions).
    mask
        What counts; at least one of each vector.
    bits
        Of the table.

    """
    largest = np.max(scores, axis=-1, keepdims=True, where=mask, initial=np.iinfo(np.int64).min)
    distance = np.where(mask, largest - scores, 0)
    found = power_table(bits)[distance & (1 << bits) - 1] >> np.minimum(distance >> bits, 62)
    return np.where(mask, found, 0)


def weighted(powers: Integers, scales: Scalars, peaks: Integers, bits: int) -> Weights:
    """The powers times the values' scales, aligned to the largest exponent, truncated, and quantised to 7 bits.

    Parameters
    ----------
    powers
        Of `exponentials`, shape (..., sharing, n, positions).
    scales
        Of the cached values, mantissas of `bits` bits, shape (..., positions).
    peaks
        The largest exponents up to each query's token, shape (..., n).
    bits
        Of a mantissa.

    """
    right = bits + peaks[..., None, :, None] - scales.exponent[..., None, None, :]
    products = powers * scales.mantissa[..., None, None, :] >> np.clip(right, 0, 62)
    values, _ = quantise(products)
    return Weights(values, products.max(axis=-1, keepdims=True), powers.sum(axis=-1, keepdims=True))
