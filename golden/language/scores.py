"""Scores: queries times keys, in log2, with one product a score."""

import numpy as np
from numpy.typing import NDArray

from golden.formats import ACTIVATION_MAX
from golden.language.format import QUERY_BITS, SCORE_WHOLE, LanguageFormat, levels
from golden.language.products import exact_product
from golden.language.quantiser import quantise
from golden.language.scalars import Integers, Scalars, leading


def quantised_query(query: Integers, sizes: Scalars, constant: Scalars, bits: int) -> tuple[NDArray[np.int8], Integers]:
    """Rotated queries as int8, and the exponents of what a unit is worth, shape (..., 1).

    The quantiser's limit is not 127 but the leading bits of the query's real size, 64 to 127, so that a unit is worth
    a power of two and a score needs no factor for its query.

    Parameters
    ----------
    query
        Shape (..., head).
    sizes
        What `golden.language.norm.relative_size` says of the token.
    constant
        What a query's element times a key's, at a relative size of 1, is worth in log2.
    bits
        Of a mantissa.

    """
    maximum = np.maximum(np.abs(query).max(axis=-1, keepdims=True), 1)
    worth = sizes.times(constant, bits).times_integers(maximum, bits)
    limit = leading(worth.mantissa, QUERY_BITS, worth.exponent)
    return quantise(query, limit.mantissa)[0], limit.exponent


def scores(
    query: NDArray[np.int8], exponent: Integers, keys: NDArray[np.int8], scales: Scalars, form: LanguageFormat
) -> Integers:
    """Scores in units of ``2**-table_bits`` of log2, rounded down, saturated to `SCORE_WHOLE` whole bits.

    Parameters
    ----------
    query, exponent
        Of `quantised_query`, shape (..., sharing, n, head) and (..., sharing, n, 1).
    keys, scales
        Of the cache, shape (..., positions, head) and (..., positions).
    form
        The widths.

    Returns
    -------
    Shape (..., sharing, n, positions).

    """
    bound = ACTIVATION_MAX * levels(form.key_digits) * query.shape[-1]
    sums = exact_product(query, np.swapaxes(keys, -1, -2)[..., None, :, :], bound)
    right = np.clip(-(scales.exponent[..., None, None, :] + exponent + form.table_bits), 0, 62)
    limit = (1 << SCORE_WHOLE + form.table_bits - 1) - 1
    return np.clip(sums * scales.mantissa[..., None, None, :] >> right, -limit, limit)
