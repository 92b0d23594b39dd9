"""The integer form of a single layer, and how far it is from the floats: a figure, never a tolerance of hardware."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.formats import ACTIVATION_MAX
from golden.quantise import quantise_activations
from golden.schemes.biases import biased_layer
from golden.schemes.integer import IntegerLayer, Mantissas, Results
from golden.schemes.segmented import SegmentedMatrix


def forward_alone(
    matrix: SegmentedMatrix, batch: NDArray[np.integer[Any]], unit: float | NDArray[np.float64] = 1.0
) -> Results:
    """The integer form of one matrix on inputs in its source's order: these times the input scales, if it has any.

    Scaled inputs are quantised as the layer does it, which then leaves them as they are. A bias gets a constant of
    about the size of the largest input.

    Parameters
    ----------
    matrix
        The layer.
    batch
        Integers of magnitude below 2**24, shape (n, inputs).
    unit
        What one of them is worth: one for all, or shape (n, 1). Results have units of it.

    """
    arranged, scaled = matrix.arranged(batch).astype(np.int64), np.ones((len(batch), 1))
    if matrix.input_scales is not None:
        mantissas = Mantissas.of([matrix.input_scales])
        arranged, maxima = quantise_activations(arranged * mantissas.values[0])
        scaled = maxima * (mantissas.unit / ACTIVATION_MAX)
    if matrix.bias is None:
        layer = IntegerLayer.of(matrix)
    else:
        units = np.broadcast_to(unit * scaled, scaled.shape)
        worth = float((np.maximum(np.abs(arranged).max(axis=1, keepdims=True), 1) * units).max())
        if matrix.activations == "binary":
            units, worth = np.ones_like(units), 1.0
        layer, _ = biased_layer(matrix, worth)
        # All but the largest vectors have units below the largest; a constant of too many bits says little.
        constants = np.minimum(np.rint(worth / units), (1 << 24) - 1).astype(np.int64)
        arranged = np.hstack([arranged, constants])
    values, units = layer.forward(arranged)
    # A sign is worth 1, whatever the value was.
    return Results(values, units / unit if matrix.activations == "binary" else units * scaled)


def distance(
    matrix: SegmentedMatrix, batch: NDArray[np.integer[Any]], unit: float | NDArray[np.float64] = 1.0
) -> float:
    """How far the integer form is from the float one: the largest difference over the largest float result."""
    results, units = forward_alone(matrix, batch, unit)
    exact = matrix.evaluate(batch * np.asarray(unit, np.float64))
    return float(np.abs(results * units * unit - exact).max() / max(np.abs(exact).max(), np.finfo(np.float64).tiny))
