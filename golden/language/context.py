"""The context: softmax weights times the cached values, and all heads in one unit."""

import numpy as np
from numpy.typing import NDArray

from golden.formats import ACTIVATION_MAX
from golden.language.format import VECTOR_BITS, LanguageFormat, levels
from golden.language.products import exact_product
from golden.language.scalars import Integers, quotient, scaled
from golden.language.softmax import Weights


def guard_bits(digits: int) -> int:
    """Fraction bits of a context's element, so that it has `VECTOR_BITS` and never saturates.

    A weight of at least 1 is at most twice what it is rounded from, so the sum of weights times digits, times the
    head's factor, is at most ``2 · 127 · levels``; the factor's own rounding adds one part in 2**8 at most.
    """
    bound = 2 * ACTIVATION_MAX * levels(digits) * 257 // 256 + 1
    return VECTOR_BITS - 1 - bound.bit_length()


def context(weights: Weights, values: NDArray[np.int8], peaks: Integers, form: LanguageFormat) -> Integers:
    """Each head's weighted values, in the unit of the key head whose values are the largest.

    A head's sums are worth its largest weight over its sum of powers: one scalar a head, one product an element.

    Parameters
    ----------
    weights
        Shape (sequences, key heads, sharing, n, positions).
    values
        Of the cache, shape (sequences, key heads, positions, head).
    peaks
        The largest exponents of the values up to each query's token, shape (sequences, key heads, n).
    form
        The widths.

    Returns
    -------
    `VECTOR_BITS`, shape (sequences, key heads, sharing, n, head).

    """
    bound = ACTIVATION_MAX * levels(form.value_digits) * values.shape[-2]
    sums = exact_product(weights.values, values[..., None, :, :], bound)
    factor = quotient(weights.maximum, weights.total, form.scale_bits)
    behind = peaks - peaks.max(axis=1, keepdims=True)
    return scaled(sums, factor, behind[:, :, None, :, None] + guard_bits(form.value_digits))
