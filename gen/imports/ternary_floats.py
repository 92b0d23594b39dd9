"""Floats that are ternary already: trits times what a trit is worth, for a matrix, its rows or groups of its inputs."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from golden.quantise import check_finite

GROUP_LEAST: Final = 16
"""Inputs in a group at least; in shorter ones, weights of any kind are soon equal."""
STEPS: Final = {"BF16": 2.0**-7, "F16": 2.0**-10, "F32": 2.0**-23, "F64": 2.0**-52}
"""Between 1 and the next number, by type."""

_SLACK: Final = 4
"""Steps between magnitudes that pass for one: a straight-through w + (q - w) rounds twice."""
_PIECE: Final = 1 << 14


def ternary_groups(weights: NDArray[np.floating[Any]], kind: str) -> int | None:
    """How magnitudes are shared, or None where they are more than trits can have.

    Parameters
    ----------
    weights
        Shape (outputs, inputs), finite.
    kind
        Their type in the file, one of `STEPS`.

    Returns
    -------
    0 if all magnitudes but 0 are one value, to the type's precision; n if those in each of n equal groups of a row's
    inputs are; None otherwise.

    """
    check_finite(weights, "weights")
    inputs, room = weights.shape[1], 1 + _SLACK * STEPS[kind]
    widths = [width for width in range(inputs - 1, GROUP_LEAST - 1, -1) if inputs % width == 0]
    for groups in (0, 1, *(inputs // width for width in widths)):
        low, high = np.inf, 0.0
        for lows, highs in _extremes(weights, max(groups, 1)):
            if groups == 0:
                low, high = min(low, float(lows.min())), max(high, float(highs.max()))
                fits = high <= low * room
            else:
                fits = bool((highs <= lows * room).all())
            if not fits:
                break
        else:
            return groups
    return None


def split_ternary(weights: NDArray[np.floating[Any]], groups: int) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Trits, and the magnitude of each group of each row, shape (outputs, groups), or (1,) for 0 groups.

    A matrix of zeros has the magnitude 1, a row or group of zeros 0.
    """
    extremes = list(_extremes(weights, max(groups, 1)))
    lows, highs = (np.concatenate(parts) for parts in zip(*extremes, strict=True))
    trits = np.sign(weights).astype(np.int8)
    if not highs.any():
        return trits, np.ones(1)
    if groups == 0:
        return trits, np.array([(lows.min() + highs.max()) / 2])
    return trits, np.where(highs > 0, (np.where(highs > 0, lows, 0) + highs) / 2, 0)


def loss(weights: NDArray[np.floating[Any]], trits: NDArray[np.int8], scale: float) -> float:
    """Norm of what trits times a scale lack of the weights, over the norm of the weights."""
    missing = total = 0.0
    for rows in _pieces(weights):
        part = weights[rows].astype(np.float64)
        total += float(np.square(part).sum())
        missing += float(np.square(part - scale * trits[rows]).sum())
    return (missing / total) ** 0.5 if total else 0.0


def _extremes(
    weights: NDArray[np.floating[Any]], groups: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Smallest magnitude above 0 (infinite if there is none) and largest, by row and group, some rows at a time."""
    for rows in _pieces(weights):
        magnitudes = np.abs(weights[rows]).astype(np.float64).reshape(-1, groups, weights.shape[1] // groups)
        yield np.where(magnitudes > 0, magnitudes, np.inf).min(axis=2), magnitudes.max(axis=2)


def _pieces(weights: NDArray[np.floating[Any]]) -> Iterator[slice]:
    rows = max(1, _PIECE // weights.shape[1])
    return (slice(start, start + rows) for start in range(0, len(weights), rows))
