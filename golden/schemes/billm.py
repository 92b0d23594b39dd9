"""BiLLM: salient columns binarised twice, the other weights split by magnitude and binarised once."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from golden.schemes.segmented import SegmentedMatrix, Structure, segment_ends

BLOCK: Final = 128
"""Columns that are quantised together."""

SALIENT_MAX: Final = 50
"""Salient columns of a block at most."""

_SPLITS: Final = np.linspace(0.1, 0.9, 80)
"""Shares of a block's largest magnitude that are tried as the split."""

_DAMPING: Final = 0.01

PLANES: Final = 6
"""Two of signs for the salient columns, one each for small and large others; masks of the salient and of the large."""

Matrix = NDArray[np.float64]


def quantise_billm(
    weights: NDArray[np.floating[Any]], calibration: NDArray[np.floating[Any]] | None = None
) -> SegmentedMatrix:
    """BiLLM (Huang et al., 2402.04291): in each block of 128 columns, ``W ≈ Σ_parts mask·(μ[o] + α[o]·sign(W - μ))``.

    μ is the row's mean over a part and α the mean magnitude of what is left. The salient columns are a part whose rest
    is binarised once more, by the same rule; the other weights are two parts, those up to a magnitude and those above.
    Columns are salient by ``Σ_o |W/diag(H⁻¹)|²`` with the Hessian ``H = XᵀX`` of the calibration inputs, damped by
    a hundredth of its mean diagonal; H is 1 without them. How many are (1 to 50, fewer than all) and where the others
    split (80 places from 0.1 to 0.9 of the largest magnitude) is searched for the least squared error. The published
    compensation of errors in later blocks (GPTQ) is not part of it.

    Offsets are the means of the small part; masks of {0, 1} with the differences to the others' means correct them.
    """
    outputs, inputs = weights.shape
    ends = segment_ends(inputs, BLOCK)
    saliency = _saliency(weights.astype(np.float64), calibration)
    planes = np.zeros((PLANES, outputs, inputs), np.int8)
    scales = np.zeros((PLANES, outputs, len(ends)), np.float32)
    offsets = np.zeros((outputs, len(ends)), np.float32)
    start = 0
    for index, end in enumerate(ends):
        block = planes[:, :, start:end], scales[:, :, index], offsets[:, index]
        _block(weights[:, start:end].astype(np.float64), saliency[start:end], *block)
        start = end
    return SegmentedMatrix(planes, scales, ends, offsets=offsets)


def billm_structure(inputs: int) -> Structure:
    """What `quantise_billm` makes of so many inputs."""
    return Structure(PLANES, segment_ends(inputs, BLOCK), offsets=True)


def binarise(values: Matrix, mask: NDArray[np.bool_]) -> tuple[Matrix, Matrix, NDArray[np.int8]]:
    """Rows' means over a mask, mean magnitudes of the rest, and its signs, 0 outside of the mask; sign(0) is +1."""
    count = np.maximum(mask.sum(axis=1), 1)
    mean = np.where(mask, values, 0).sum(axis=1) / count
    rest = np.where(mask, values - mean[:, None], 0)
    return mean, np.abs(rest).sum(axis=1) / count, np.where(mask, np.where(rest < 0, -1, 1), 0).astype(np.int8)


def _approximate(values: Matrix, mask: NDArray[np.bool_]) -> Matrix:
    mean, scale, signs = binarise(values, mask)
    return np.where(mask, mean[:, None], 0) + scale[:, None] * signs


def _saliency(weights: Matrix, calibration: NDArray[np.floating[Any]] | None) -> Matrix:
    if calibration is None:
        return np.square(weights).sum(axis=0)
    hessian = calibration.T.astype(np.float64) @ calibration
    hessian[np.diag_indices_from(hessian)] += max(_DAMPING * np.diag(hessian).mean(), np.finfo(np.float64).tiny)
    return np.square(weights / np.diag(np.linalg.inv(hessian))).sum(axis=0)


def _salient(block: Matrix, saliency: Matrix) -> NDArray[np.bool_]:
    """The columns, as a mask, that leave the least error with all others in one part."""
    order = np.argsort(-saliency, kind="stable")
    best, chosen = np.inf, np.zeros(block.shape[1], bool)
    for count in range(1, min(SALIENT_MAX, block.shape[1] - 1) + 1):
        columns = np.zeros(block.shape[1], bool)
        columns[order[:count]] = True
        salient, rest = block[:, columns], block[:, ~columns]
        whole = np.ones_like(salient, bool)
        left = salient - _approximate(salient, whole)
        left -= _approximate(left, whole)
        error = np.square(left).sum() + np.square(rest - _approximate(rest, np.ones_like(rest, bool))).sum()
        if error < best:
            best, chosen = error, columns
    return chosen


def _block(block: Matrix, saliency: Matrix, planes: NDArray[Any], scales: NDArray[Any], offsets: NDArray[Any]) -> None:
    """Quantise a block into its slices of the planes, scales and offsets."""
    salient = np.broadcast_to(_salient(block, saliency), block.shape)
    magnitudes = np.abs(block)
    largest = magnitudes[~salient].max(initial=0)
    best, large = np.inf, np.zeros_like(salient)
    for share in _SPLITS:
        above = ~salient & (magnitudes > share * largest)
        error = np.square(block - _approximate(block, above) - _approximate(block, ~salient & ~above))[~salient].sum()
        if error < best:
            best, large = error, above
    mean, scales[0], planes[0] = binarise(block, salient)
    left = np.where(salient, block - _approximate(block, salient), 0)
    second, scales[1], planes[1] = binarise(left, salient)
    base, scales[2], planes[2] = binarise(block, ~salient & ~large)
    top, scales[3], planes[3] = binarise(block, large)
    planes[4], planes[5] = salient, large
    scales[4], scales[5], offsets[:] = mean + second - base, top - base, base
