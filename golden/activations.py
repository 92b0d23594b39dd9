"""Activation rules of the schemes: how a layer's input becomes small integers, as floats and as exact integers.

The columns of an input lie in groups, consecutive ranges that a rule may treat apart.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritiumError
from golden.quantise import EPSILON, check_finite, quantise_activations, quantise_activations_float

RULES: Final = ("int8", "sign", "int4-groups")
"""``int8``: A8max over the whole vector. ``sign``: +1 or -1 (+1 for 0), worth the mean magnitude (XNOR-Net,
1603.05279). ``int4-groups``: -8 to 7 in each group but the last, A8max in the last (Atom, 2310.19102)."""

LARGEST: Final = {"int8": 127, "sign": 1, "int4-groups": 127}
"""The largest magnitude that a rule gives."""

FACTOR_MAX: Final = (1 << 15) - 1
"""In the integer form of ``int4-groups``, the factor of the group that has the largest unit."""

_CLIP: Final = (9, 10)
"""Atom clips activations to 0.9 of a group's largest magnitude; a fraction, so that integers stay integers."""


class Activations(NamedTuple):
    """A batch as small integers; each is worth ``value · factor of its group · unit``."""

    values: NDArray[np.int8]
    """Shape (n, inputs)."""
    factors: NDArray[Any]
    """Shape (n, groups): reals, with a unit of 1; or integers from 0 to `FACTOR_MAX`."""
    unit: NDArray[np.float64]
    """Shape (n, 1)."""


def check_rule(rule: str) -> None:
    """Raise unless it is one of `RULES`."""
    if rule not in RULES:
        raise TritiumError(f"activation rule {rule!r} is not known; the rules are {', '.join(RULES)}")


def activations_float(values: NDArray[np.floating[Any]], rule: str, ends: Sequence[int]) -> Activations:
    """The definitions as published, in the precision of the values, float32 at least.

    Parameters
    ----------
    values
        Finite reals, shape (n, inputs).
    rule
        One of `RULES`.
    ends
        Of each group, the index behind its last column.

    """
    check_rule(rule)
    check_finite(values, "activations")
    values = values.astype(np.promote_types(values.dtype, np.float32), copy=False)
    if rule == "int8":
        quantised, scale = quantise_activations_float(values)
        return _uniform(quantised, 1 / scale, ends)
    if rule == "sign":
        return _uniform(_signs(values), np.abs(values).mean(axis=1, keepdims=True, dtype=np.float64), ends)
    *groups, outliers = np.split(values, list(ends[:-1]), axis=1)
    limits = [np.maximum(np.abs(group).max(axis=1, keepdims=True) * (_CLIP[0] / _CLIP[1]), EPSILON) for group in groups]
    quantised, scale = quantise_activations_float(outliers)
    small = [np.rint(group / (limit / 7)).clip(-8, 7) for group, limit in zip(groups, limits, strict=True)]
    factors = np.hstack([limit.astype(np.float64) / 7 for limit in limits] + [1 / scale])
    return Activations(np.hstack([*small, quantised]).astype(np.int8), factors, np.ones((len(values), 1)))


def activations_integer(values: NDArray[np.integer[Any]], rule: str, ends: Sequence[int]) -> Activations:
    """The same over integers, exact: every quotient is rational and rounds to nearest, ties to even; zeros give zeros.

    The factors of ``int4-groups`` are the groups' units, ``RNE(FACTOR_MAX · unit / largest unit)``, where a group of
    zeros counts as having a largest magnitude of 1; those of the other rules are 1.

    Parameters
    ----------
    values
        Integers with magnitude below 2**40, below 2**36 for ``int4-groups``; shape (n, inputs).
    rule, ends
        As for `activations_float`.

    """
    check_rule(rule)
    if values.dtype.kind not in "iu":
        raise TritiumError(f"activations have dtype {values.dtype}; the integer form takes integers")
    values = values.astype(np.int64)
    whole = np.ones((len(values), len(ends)), np.int64)
    if rule == "int8":
        quantised, maximum = quantise_activations(values)
        return Activations(quantised, whole, maximum / 127)
    if rule == "sign":
        return Activations(_signs(values), whole, np.abs(values).sum(axis=1, keepdims=True) / values.shape[1])
    *groups, outliers = np.split(values, list(ends[:-1]), axis=1)
    numerator, denominator = _CLIP
    maxima = [np.maximum(np.abs(group).max(axis=1, keepdims=True), 1) for group in groups]
    small = [
        divide(7 * denominator * group, numerator * maximum).clip(-8, 7)
        for group, maximum in zip(groups, maxima, strict=True)
    ]
    quantised, maximum = quantise_activations(outliers)
    # Units over a common denominator: a group's is 9·maximum / (10·7), the outliers' maximum / 127.
    units = np.hstack([numerator * 127 * maximum for maximum in maxima] + [denominator * 7 * maximum])
    largest = units.max(axis=1, keepdims=True)
    factors = divide(FACTOR_MAX * units, largest)
    unit = largest / (denominator * 7 * 127 * FACTOR_MAX)
    return Activations(np.hstack([*small, quantised]).astype(np.int8), factors, unit)


def divide(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.int64]:
    """The quotients of integers, denominators above 0, rounded to nearest, ties to even."""
    quotient, remainder = np.divmod(numerator, denominator)
    return quotient + ((2 * remainder > denominator) | ((2 * remainder == denominator) & (quotient & 1 == 1)))


def ranges(ends: Sequence[int]) -> list[tuple[int, int]]:
    """First column and the index behind the last one of each group."""
    return list(pairwise((0, *ends)))


def _uniform(quantised: NDArray[np.int8], factor: NDArray[np.float64], ends: Sequence[int]) -> Activations:
    return Activations(quantised, np.repeat(factor, len(ends), axis=1), np.ones((len(quantised), 1)))


def _signs(values: NDArray[Any]) -> NDArray[np.int8]:
    return np.where(values < 0, -1, 1).astype(np.int8)
