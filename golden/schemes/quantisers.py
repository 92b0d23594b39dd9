"""The published weight quantisers by name: from a matrix of floats to a `golden.schemes.segmented.SegmentedMatrix`.

Where a paper leaves the activations in 16-bit floats, they are quantised by A8max here (``int8``). Norms around a layer
belong to the network, not to its matrix.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.quantise import EPSILON, check_finite, quantise_weights
from golden.schemes.atom import atom_structure, quantise_atom
from golden.schemes.billm import billm_structure, quantise_billm
from golden.schemes.segmented import SegmentedMatrix, Structure, segment_ends

Floats = NDArray[np.floating[Any]]

_ITERATIONS: Final = 1000


def quantise_b158(weights: Floats) -> SegmentedMatrix:
    """BitNet b1.58 (Ma et al., 2402.17764): ``γ = mean|W|``, ``T = clamp(RNE(W/γ), -1, 1)``, ``y = γ·T·x``."""
    trits, gamma = quantise_weights(weights)
    return _one_plane(trits, np.full((len(weights), 1), gamma))


def quantise_bitnet(weights: Floats) -> SegmentedMatrix:
    """BitNet (Wang et al., 2310.11453): ``T = Sign(W - mean(W))``, ``β = mean|W|``, ``y = β·T·x``; Sign(0) is -1."""
    mean, beta = weights.mean(dtype=np.float64), np.abs(weights).mean(dtype=np.float64)
    return _one_plane(np.where(weights > mean, 1, -1), np.full((len(weights), 1), beta))


def quantise_bwn(weights: Floats, activations: str = "int8") -> SegmentedMatrix:
    """Binary-Weight-Network (Rastegari et al., 1603.05279): ``T = sign(W)``, ``α[o] = mean|W[o]|``, ``y = α·T·x``.

    XNOR-Net, of the same paper, also takes the signs of the activations: ``y[o] = α[o]·K·Σ_i T[o,i]·sign(x[i])`` with
    ``K = mean|x|``; that is ``activations`` = ``sign``. Inputs that are never negative, such as a ReLU's, lose all they
    say there: the paper has a batch norm in between. sign(0) is +1.
    """
    alpha = np.abs(weights).mean(axis=1, keepdims=True, dtype=np.float64)
    return _one_plane(_signs(weights), alpha, activations)


def quantise_onebit(weights: Floats) -> SegmentedMatrix:
    """OneBit (Xu et al., 2402.11295): ``T = Sign(W)``, ``|W| ≈ h·gᵀ`` of rank 1, ``y = h ⊙ (T·(g ⊙ x))``.

    Sign(0) is +1. h and g are the first singular vectors of |W|, each with the square root of the singular value, as
    the paper's SVID begins its training; power iteration finds them. The LayerNorm after a layer is the network's.
    """
    magnitudes = np.abs(weights).astype(np.float64)
    # No magnitude is negative, so the start is never at right angles to what is looked for.
    rows, columns, value = magnitudes.sum(axis=1), np.empty(0), 0.0
    for _ in range(_ITERATIONS):
        rows /= np.linalg.norm(rows)
        columns = magnitudes.T @ rows
        before, value = value, float(np.linalg.norm(columns))
        columns /= value
        if value - before <= 1e-15 * value:
            break
        rows = magnitudes @ columns
    rows /= np.linalg.norm(rows)
    root = np.sqrt(value)
    matrix = _one_plane(_signs(weights), (rows * root)[:, None])
    return SegmentedMatrix(matrix.planes, matrix.scales, matrix.ends, input_scales=(columns * root).astype(np.float32))


def quantise_group(weights: Floats, group: int) -> SegmentedMatrix:
    """Ternary groups: the absmean of b1.58 (2402.17764) for every `group` inputs of a row, scales in float16.

    ``γ[o,g] = max(mean|W[o,g]|, 1e-5)``, ``T = clamp(RNE(W/γ), -1, 1)``, ``y[o] = Σ_g γ[o,g]·T[o,g]·x[g]``. Groups of
    64, 128 and 256 with float16 scales are those of ggml's formats Q2_0, Q1_0 and TQ2_0. A last group may be shorter.
    """
    ends = segment_ends(weights.shape[1], group)
    trits, scales = np.empty(weights.shape, np.int8), np.empty((len(weights), len(ends)), np.float32)
    for index, part in enumerate(np.split(weights.astype(np.float64), ends[:-1], axis=1)):
        gamma = np.maximum(np.abs(part).mean(axis=1, keepdims=True), EPSILON)
        trits[:, ends[index] - part.shape[1] : ends[index]] = np.clip(np.rint(part / gamma), -1, 1)
        # What float16 cannot hold becomes infinite, and is refused by the matrix.
        with np.errstate(over="ignore"):
            scales[:, index] = gamma[:, 0].astype(np.float16)
    return SegmentedMatrix(trits[None], scales[None], ends)


def _whole(inputs: int, **parts: Any) -> Structure:
    return Structure(1, (inputs,), **parts)


def _grouped(inputs: int, group: int) -> Structure:
    return Structure(1, segment_ends(inputs, group))


class Scheme(NamedTuple):
    """A way to quantise."""

    quantise: Callable[..., SegmentedMatrix]
    """From finite weights, shape (outputs, inputs)."""
    paper: str
    """arXiv number."""
    structure: Callable[[int], Structure] = _whole
    """What it makes of so many inputs."""
    one_scale: bool = False
    """Whether the whole matrix has a single scale."""
    calibrated: bool = False
    """Whether it takes inputs of the layer, as the argument ``calibration``."""


SCHEMES: Final = {
    "b1.58": Scheme(quantise_b158, "2402.17764", one_scale=True),
    "bitnet": Scheme(quantise_bitnet, "2310.11453", one_scale=True),
    "bwn": Scheme(quantise_bwn, "1603.05279"),
    "xnor": Scheme(partial(quantise_bwn, activations="sign"), "1603.05279", partial(_whole, activations="sign")),
    "onebit": Scheme(quantise_onebit, "2402.11295", partial(_whole, input_scales=True)),
    "billm": Scheme(quantise_billm, "2402.04291", billm_structure, calibrated=True),
    **{
        f"group{group}": Scheme(partial(quantise_group, group=group), "2402.17764", partial(_grouped, group=group))
        for group in (64, 128, 256)
    },
    "atom": Scheme(quantise_atom, "2310.19102", atom_structure, calibrated=True),
}
"""By name."""


def scheme_named(name: str) -> Scheme:
    """The scheme of that name, or an error that lists the known ones."""
    if name not in SCHEMES:
        raise TritweaveError(f"scheme {name!r} is not known; the schemes are {', '.join(SCHEMES)}")
    return SCHEMES[name]


def quantise(name: str, weights: Floats, calibration: Floats | None = None) -> SegmentedMatrix:
    """A matrix by a scheme.

    Parameters
    ----------
    name
        One of `SCHEMES`.
    weights
        Finite reals that float32 can hold, shape (outputs, inputs), not all 0.
    calibration
        Inputs that the layer gets, shape (n, inputs); of use to some schemes, and left aside by the others.

    """
    scheme = scheme_named(name)
    if weights.ndim != 2 or 0 in weights.shape:
        raise TritweaveError(f"weights have shape {weights.shape}; a layer's is (outputs, inputs), none zero")
    check_finite(weights, "weights")
    largest = float(np.abs(weights).max())
    if not float(np.finfo(np.float32).tiny) <= largest <= float(np.finfo(np.float32).max):
        raise TritweaveError(f"the largest weight is {largest:g}; it must be above 0 and within float32")
    weights = weights.astype(np.promote_types(weights.dtype, np.float32), copy=False)
    if calibration is None or not scheme.calibrated:
        return scheme.quantise(weights)
    if calibration.ndim != 2 or calibration.shape[1] != weights.shape[1]:
        raise TritweaveError(f"calibration has shape {calibration.shape}; it must be (n, {weights.shape[1]})")
    check_finite(calibration, "calibration inputs")
    return scheme.quantise(weights, calibration=calibration)


def _one_plane(trits: NDArray[Any], scales: NDArray[np.float64], activations: str = "int8") -> SegmentedMatrix:
    return SegmentedMatrix(trits.astype(np.int8)[None], scales.astype(np.float32)[None], (trits.shape[1],), activations)


def _signs(weights: Floats) -> NDArray[Any]:
    return np.where(weights < 0, -1, 1)
