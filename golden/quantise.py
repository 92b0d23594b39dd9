"""The quantisers: activations to int8 (A8max), as floats and as exact integers, and weights to trits (Wmean3)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX

EPSILON = 1e-5
"""Floor of both scales in the float definitions."""


def quantise_activations_float(values: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """A8max, the float definition: ``s = 127 / max(max|x|, 1e-5)``, ``q = clamp(RNE(x·s), -128, 127)``.

    Parameters
    ----------
    values
        Finite reals, shape (..., n); one scale per vector of the last axis. Scale and product are computed in their
        precision, in float32 at least, as the published implementations do.

    Returns
    -------
    q (int8, same shape) and s (float64, shape (..., 1)), so that x ≈ q / s.

    Source: the BitNet b1.58 training tips, as in ``integrations/bitnet.py`` of transformers.

    """
    check_finite(values, "activations")
    values = values.astype(np.promote_types(values.dtype, np.float32))
    scale = ACTIVATION_MAX / np.maximum(np.abs(values).max(axis=-1, keepdims=True), EPSILON)
    return np.clip(np.rint(values * scale), -128, ACTIVATION_MAX).astype(np.int8), scale.astype(np.float64)


def quantise_activations(values: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """A8max over integers, exact: ``q = RNE(127·a / max|a|)`` as a rational, ties to even; a zero vector gives zeros.

    Parameters
    ----------
    values
        Integers with magnitude below 2**55, shape (..., n); one maximum per vector of the last axis.

    Returns
    -------
    q (int8 in [-127, 127], same shape) and the maxima (int64, shape (..., 1); 1 for a zero vector), so that
    a ≈ q · maximum / 127.

    """
    if values.dtype.kind not in "iu":
        raise TritweaveError(f"activations have dtype {values.dtype}; the integer quantiser takes integers")
    magnitude = np.abs(values.astype(np.int64))
    maximum = np.maximum(magnitude.max(axis=-1, keepdims=True), 1)
    quotient, remainder = np.divmod(ACTIVATION_MAX * magnitude, maximum)
    quotient += (2 * remainder > maximum) | ((2 * remainder == maximum) & (quotient & 1 == 1))
    return (np.sign(values.astype(np.int64)) * quotient).astype(np.int8), maximum


def quantise_weights(weights: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int8], float]:
    """Wmean3: ``γ = max(mean|W|, 1e-5)``, ``t = clamp(RNE(W/γ), -1, 1)``; the layer computes with γ·t.

    Parameters
    ----------
    weights
        Finite reals of any shape; one scale for all of them. The mean is taken in float64, the quotients in their
        precision, in float32 at least.

    Returns
    -------
    t (int8, same shape) and γ.

    Source: BitNet b1.58 (2402.17764), with the clamp that every implementation uses in place of γ + ε.

    """
    check_finite(weights, "weights")
    scale = max(float(np.abs(weights).mean(dtype=np.float64)), EPSILON)
    ratios = weights.astype(np.promote_types(weights.dtype, np.float32), copy=False) / scale
    # In place: an imported layer can have a hundred million weights.
    np.rint(ratios, out=ratios)
    return np.clip(ratios, -1, 1, out=ratios).astype(np.int8), scale


def check_finite(values: NDArray[np.floating[Any]], name: str) -> None:
    """Raise unless there are floats, at least one, and all of them finite."""
    if values.dtype.kind != "f" or values.size == 0:
        raise TritweaveError(
            f"{name} have dtype {values.dtype} and shape {values.shape}; floats, at least one, are needed"
        )
    if not np.isfinite(values).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise TritweaveError(f"{name} hold {values[place]} at {list(place)}; every value must be finite")
