"""One BitLinear layer: the float definition, the exact integer form, and how often the two disagree."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX
from golden.quantise import quantise_activations, quantise_activations_float


def forward_float(
    values: NDArray[np.floating[Any]], weights: NDArray[np.int8], weight_scale: float
) -> NDArray[np.float64]:
    """BitLinear as published: quantise the activations, multiply by trits, scale back.

    Parameters
    ----------
    values
        Reals, shape (..., I).
    weights
        Trits, shape (O, I).
    weight_scale
        γ of Wmean3; the output is multiplied by it (the convention of AutoBitLinear and bitnet.cpp).

    Returns
    -------
    Reals, shape (..., O).

    """
    quantised, scale = quantise_activations_float(values)
    return quantised.astype(np.float64) @ weights.T.astype(np.float64) * (weight_scale / scale)


def forward_integer(
    values: NDArray[np.integer[Any]], weights: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """BitLinear as the hardware computes it: exact, scales left out.

    Parameters
    ----------
    values
        Integers, shape (..., I); any common positive factor leaves the result unchanged.
    weights
        Trits, shape (O, I).

    Returns
    -------
    Accumulators (int64, shape (..., O)) and the maxima of the input (int64, shape (..., 1)): one accumulator unit is
    worth ``weight_scale · maximum / 127`` input units.

    """
    if values.shape[-1] != weights.shape[-1]:
        raise TritweaveError(f"the input has {values.shape[-1]} values where the layer takes {weights.shape[-1]}")
    quantised, maximum = quantise_activations(values)
    # A float64 product of integers below 2**53 is exact and reaches the fast matrix routines.
    sums = (quantised.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)
    return sums, maximum


class Disagreement(NamedTuple):
    """How the float reference and the integer model differ on one layer."""

    activations: float
    """Share of quantised activations that differ."""
    outputs: float
    """Share of accumulators that differ."""
    largest: int
    """Largest difference of an accumulator, in accumulator units."""


def disagreement(
    values: NDArray[np.integer[Any]], weights: NDArray[np.int8], unit: float | NDArray[np.float64]
) -> Disagreement:
    """Compare the two forms on the same input, given as integers and, for the float form, as ``values · unit``.

    The float form is computed in float32, as the published implementations do; `unit` may be one a vector, shape
    (..., 1).
    """
    exact, _ = quantise_activations(values)
    rounded, _ = quantise_activations_float((values * unit).astype(np.float32))
    difference = np.abs((rounded.astype(np.float64) - exact) @ weights.T.astype(np.float64))
    return Disagreement(
        float(np.mean(rounded != exact)), float(np.mean(difference != 0)), int(difference.max(initial=0))
    )


def output_unit(input_unit: Any, maximum: NDArray[np.int64], weight_scale: float) -> NDArray[np.float64]:
    """What one accumulator unit is worth in real units, given what one input unit is worth."""
    return np.asarray(input_unit * weight_scale * maximum / ACTIVATION_MAX, np.float64)
