"""Activation rules of the schemes: how a layer's input becomes small integers, as floats and as exact integers.

The columns of an input lie in groups, consecutive ranges that a rule may treat apart.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX, FACTOR_BITS, INT4, INT4_CLIP, RULES, STATIC
from golden.quantise import EPSILON, check_finite, quantise_activations, quantise_activations_float

_CLIP: Final = INT4_CLIP[0] / INT4_CLIP[1]


class Activations(NamedTuple):
    """A batch as small integers; each is worth ``value · factor of its group · unit``.

    In the integer form of groups it is worth a constant more, which is for the scales: see `group_units`.
    """

    values: NDArray[np.int8]
    """Shape (n, inputs)."""
    factors: NDArray[Any]
    """Shape (n, groups): reals, with a unit of 1; or integers from 0 to 2**FACTOR_BITS - 1."""
    unit: NDArray[np.float64]
    """Shape (n, 1)."""


def check_rule(rule: str) -> None:
    """Raise unless it is one of `RULES`, or `STATIC`."""
    if rule not in (*RULES, STATIC):
        raise TritweaveError(f"activation rule {rule!r} is not known; the rules are {', '.join((*RULES, STATIC))}")


def activations_float(values: NDArray[np.floating[Any]], rule: str, ends: Sequence[int]) -> Activations:
    """The definitions as published, in the precision of the values, float32 at least.

    Parameters
    ----------
    values
        Finite reals, shape (n, inputs).
    rule
        One of `RULES`, or `STATIC`.
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
    one = np.ones((len(values), 1))
    if rule == "binary":
        return _uniform(_signs(values), one, ends)
    if rule == STATIC:
        quantised = np.rint(values * ACTIVATION_MAX).clip(-ACTIVATION_MAX, ACTIVATION_MAX)
        return _uniform(quantised.astype(np.int8), one / ACTIVATION_MAX, ends)
    parts = np.split(values, list(ends[:-1]), axis=1)
    if rule == "int8-groups":
        quantised, scales = zip(*map(quantise_activations_float, parts), strict=True)
        return Activations(np.hstack(quantised), np.hstack([1 / scale for scale in scales]), one)
    *groups, outliers = parts
    limits = [np.maximum(np.abs(group).max(axis=1, keepdims=True) * _CLIP, EPSILON) for group in groups]
    quantised, scale = quantise_activations_float(outliers)
    small = [np.rint(group / (limit / INT4[1])).clip(*INT4) for group, limit in zip(groups, limits, strict=True)]
    factors = np.hstack([limit.astype(np.float64) / INT4[1] for limit in limits] + [1 / scale])
    return Activations(np.hstack([*small, quantised]).astype(np.int8), factors, one)


def activations_integer(values: NDArray[np.integer[Any]], rule: str, ends: Sequence[int]) -> Activations:
    """The same over integers, exact: every quotient is rational and rounds to nearest, ties to even; zeros give zeros.

    With groups, a group's factor is ``floor(m / 2**e)``: m is its largest magnitude, 1 for a group of zeros,
    and e is such that the factor of the group with the largest one has `FACTOR_BITS` bits; 2**e is the unit. The
    factors of the other rules are 1. What `STATIC` takes is what it gives.

    Parameters
    ----------
    values
        Integers with magnitude below 2**55, below 2**40 for ``sign``; shape (n, inputs).
    rule, ends
        As for `activations_float`.

    """
    check_rule(rule)
    if values.dtype.kind not in "iu":
        raise TritweaveError(f"activations have dtype {values.dtype}; the integer form takes integers")
    values = values.astype(np.int64)
    whole = np.ones((len(values), len(ends)), np.int64)
    if rule == "int8":
        quantised, maximum = quantise_activations(values)
        return Activations(quantised, whole, maximum / ACTIVATION_MAX)
    if rule == "sign":
        return Activations(_signs(values), whole, np.abs(values).sum(axis=1, keepdims=True) / values.shape[1])
    one = np.ones((len(values), 1))
    if rule == "binary":
        return Activations(_signs(values), whole, one)
    if rule == STATIC:
        if (np.abs(values) > ACTIVATION_MAX).any():
            raise TritweaveError(f"activations reach {np.abs(values).max()}; {ACTIVATION_MAX} is the largest magnitude")
        return Activations(values.astype(np.int8), whole, one)
    *groups, last = np.split(values, list(ends[:-1]), axis=1)
    quantise = quantise_activations if rule == "int8-groups" else _int4
    quantised, maxima = zip(*map(quantise, groups), quantise_activations(last), strict=True)
    largest = np.hstack(maxima)
    exponent = _bits(largest.max(axis=1, keepdims=True)) - FACTOR_BITS
    factors = largest >> np.maximum(exponent, 0) << np.maximum(-exponent, 0)
    unit = np.ldexp(np.ones(exponent.shape), exponent)
    return Activations(np.hstack(quantised), factors, unit)


def group_units(rule: str, groups: int) -> NDArray[np.float64]:
    """By group, what `activations_integer` leaves to the scales: a value is worth ``value · factor · unit`` times this.

    With groups, a unit of int4 is 9/70 of the largest magnitude, and one of int8 1/127.
    """
    check_rule(rule)
    if rule == "int8-groups":
        return np.full(groups, 1 / ACTIVATION_MAX)
    if rule != "int4-groups":
        return np.ones(groups)
    return np.array([INT4_CLIP[0] / (INT4_CLIP[1] * INT4[1])] * (groups - 1) + [1 / ACTIVATION_MAX])


def group_limits(rule: str, groups: int) -> NDArray[np.int64]:
    """By group, the largest magnitude of ``value · factor`` that `activations_integer` gives."""
    check_rule(rule)
    if rule in ("int8", STATIC):
        return np.full(groups, ACTIVATION_MAX)
    if rule in ("sign", "binary"):
        return np.ones(groups, np.int64)
    inner = ACTIVATION_MAX if rule == "int8-groups" else -INT4[0]
    return np.array([inner] * (groups - 1) + [ACTIVATION_MAX]) * ((1 << FACTOR_BITS) - 1)


def divide(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.int64]:
    """The quotients of integers, denominators above 0, rounded to nearest, ties to even."""
    quotient, remainder = np.divmod(numerator, denominator)
    return quotient + ((2 * remainder > denominator) | ((2 * remainder == denominator) & (quotient & 1 == 1)))


def ranges(ends: Sequence[int]) -> list[tuple[int, int]]:
    """First column and the index behind the last one of each group."""
    return list(pairwise((0, *ends)))


def _uniform(quantised: NDArray[np.int8], factor: NDArray[np.float64], ends: Sequence[int]) -> Activations:
    return Activations(quantised, np.repeat(factor, len(ends), axis=1), np.ones((len(quantised), 1)))


def _int4(group: NDArray[np.int64]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """A group's values, and its largest magnitude or 1."""
    maximum = np.maximum(np.abs(group).max(axis=1, keepdims=True), 1)
    quotients = divide(INT4[1] * INT4_CLIP[1] * group, INT4_CLIP[0] * maximum)
    return quotients.clip(*INT4).astype(np.int8), maximum


def _signs(values: NDArray[Any]) -> NDArray[np.int8]:
    return np.where(values < 0, -1, 1).astype(np.int8)


def _bits(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lengths of integers from 1 on, in bits."""
    return np.count_nonzero(values[..., None] >> np.arange(63), axis=-1)
