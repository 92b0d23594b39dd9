"""Atom: 4-bit weights and activations in groups, outlier channels in 8 bits."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.quantise import EPSILON
from golden.schemes.segmented import SegmentedMatrix, Structure, segment_ends
from golden.trits import balanced_ternary

GROUP: Final = 128
"""Channels that share a scale, and outlier channels at most."""

_CLIP: Final = 0.85
_DIGITS: Final = (1, 3, 9)


def quantise_atom(
    weights: NDArray[np.floating[Any]], calibration: NDArray[np.floating[Any]] | None = None
) -> SegmentedMatrix:
    """Atom (Zhao et al., 2310.19102), W4A4: ``y = Σ_g s_x[g]·s[o,g]·Σ_{i in g} W4·q4 + s_x·s8[o]·Σ_outliers W8·q8``.

    In each group of 128 channels ``s = max(0.85·max|W|, 1e-5) / 7`` and ``W4 = clamp(RNE(W/s), -8, 7)``; activations
    likewise at run time, with 0.9. The outliers are the channels with the largest mean squares of their inputs, or of
    their weights without calibration: 128, or an eighth of a small layer. They move behind the others. The 4-bit values
    become three planes of balanced ternary digits, worth 1, 3 and 9: one less than planes of bits. Atom's error
    compensation (GPTQ) is not part of it.
    """
    structure = atom_structure(weights.shape[1])
    outliers, ends = structure.side, structure.ends
    importance = np.square(weights if calibration is None else calibration, dtype=np.float64).mean(axis=0)
    last = np.argsort(importance, kind="stable")[-outliers:]
    order = np.concatenate([np.setdiff1d(np.arange(structure.inputs), last), np.sort(last)])
    arranged = weights.astype(np.float64)[:, order]
    inner = ends[-1]
    values = np.empty((len(weights), inner), np.int64)
    scales = np.empty((len(weights), len(ends)))
    for index, part in enumerate(np.split(arranged[:, :inner], ends[:-1], axis=1)):
        scales[:, index] = np.maximum(_CLIP * np.abs(part).max(axis=1), EPSILON) / 7
        end = ends[index]
        values[:, end - part.shape[1] : end] = np.clip(np.rint(part / scales[:, index, None]), -8, 7)
    side_scales = np.maximum(np.abs(arranged[:, inner:]).max(axis=1), EPSILON) / 127
    side = np.clip(np.rint(arranged[:, inner:] / side_scales[:, None]), -127, 127)
    return SegmentedMatrix(
        balanced_ternary(values, len(_DIGITS)),
        np.stack([digit * scales for digit in _DIGITS]).astype(np.float32),
        ends,
        "int4-groups",
        side=side.astype(np.int8),
        side_scales=side_scales.astype(np.float32),
        order=order.astype(np.int32),
    )


def atom_structure(inputs: int) -> Structure:
    """What `quantise_atom` makes of so many inputs."""
    outliers = max(1, min(GROUP, inputs // 8))
    if inputs <= outliers:
        raise TritweaveError(f"the layer has {inputs} input; atom needs one that is no outlier")
    ends = segment_ends(inputs - outliers, GROUP)
    return Structure(len(_DIGITS), ends, "int4-groups", side=outliers, order=True)
