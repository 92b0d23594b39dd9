"""Biases in the integer form: parts over one more input, a constant, which layers hand on to each other.

A bias is worth the same for every vector; a unit of a layer's results is not, since it contains the largest magnitude
of the layer's input. So the vector says itself what its units are worth: its last value is a constant, known in real
units, in a group of its own. A bias is a part over that group, whose mantissas are the biases over the constant; and a
row more of the layer before, with a weight for its own constant alone, gives the constant in the units of its results.
So no unit has to be computed, and hardware for groups is hardware for biases.

int8 activations become ``int8-groups``: the constant's group has a factor of its own, as does each segment. Signs of a
binary network are worth 1, and the constant's is +1: there it needs no factor, and a bias is a threshold.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from golden.activations import group_units
from golden.errors import TritweaveError
from golden.formats import MANTISSA_MAX
from golden.schemes.integer import IntegerLayer, Mantissas, Part, real_parts
from golden.schemes.segmented import SegmentedMatrix

HEADROOM: Final = 8
"""How far biases over their constant may lie above the layer's scales, whose mantissas lose as much: the constant is
then of the size of the activations, whose factors lose what it lies above them."""


def biased_layers(
    matrices: Sequence[SegmentedMatrix], rectified: Sequence[bool], worth: float
) -> tuple[IntegerLayer, ...]:
    """The layers of a network of which at least one has a bias, as integers.

    Parameters
    ----------
    matrices, rectified
        The layers, and whether a ReLU follows.
    worth
        Of the constant that is the last value of the first layer's input.

    """
    last = max(index for index, matrix in enumerate(matrices) if matrix.bias is not None)
    layers = []
    for index, (matrix, relu) in enumerate(zip(matrices, rectified, strict=True)):
        if index > last:
            layers.append(IntegerLayer.of(_grouped(matrix), relu=relu))
            continue
        layer, unit = biased_layer(matrix, worth, relu=relu)
        if index < last:
            layer, mantissa = _handing_on(layer, _wanted(matrices[index + 1]) / worth / unit)
            # A sign is worth 1, whatever the result was.
            worth = 1.0 if matrices[index + 1].activations == "binary" else worth * mantissa * unit
        layers.append(layer)
    return tuple(layers)


def biased_layer(matrix: SegmentedMatrix, worth: float, *, relu: bool = False) -> tuple[IntegerLayer, float]:
    """A layer whose last input is a constant of a worth, and what a mantissa of 1 makes of that constant."""
    if matrix.side is not None:
        raise TritweaveError("a layer with a side path has no place for a constant, which biases of its network need")
    matrix = _grouped(matrix)
    groups, trits, reals = real_parts(matrix)
    count = len(matrix.ends)
    unit = float(group_units(matrix.activations, count + 1)[-1])
    bias = np.zeros(matrix.outputs) if matrix.bias is None else matrix.bias.astype(np.float64)
    mantissas = Mantissas.of([*reals, bias * (unit / worth)])
    ones = np.ones((matrix.outputs, 1), np.int8)
    parts = map(Part, (*groups, count), (*trits, ones), mantissas.values)
    ends = (*matrix.ends, matrix.inputs + 1)
    return IntegerLayer(tuple(parts), ends, matrix.activations, mantissas.unit, relu, side=True), mantissas.unit / unit


def has_biases(matrices: Sequence[SegmentedMatrix]) -> bool:
    """Whether any of the layers has one."""
    return any(matrix.bias is not None for matrix in matrices)


def _grouped(matrix: SegmentedMatrix) -> SegmentedMatrix:
    return replace(matrix, activations="int8-groups") if matrix.activations == "int8" else matrix


def _wanted(matrix: SegmentedMatrix) -> float:
    """What the constant in a layer's input should be worth; without a bias to be measured by, as much as may be."""
    if matrix.bias is None:
        return np.inf
    return float(np.abs(matrix.bias).max() / max(np.abs(matrix.scales).max(), np.finfo(np.float32).tiny)) / HEADROOM


def _handing_on(layer: IntegerLayer, wanted: float) -> tuple[IntegerLayer, int]:
    """The layer with a row more, which gives the constant times a mantissa near the one wanted."""
    largest = max(int(np.abs(part.mantissas).max()) for part in layer.parts)
    mantissa = int(np.clip(np.rint(min(wanted, largest)), 1, MANTISSA_MAX))
    *others, constant = layer.parts
    parts = [_with_row(part, 0, 0) for part in others] + [_with_row(constant, 1, mantissa)]
    return replace(layer, parts=tuple(parts)), mantissa


def _with_row(part: Part, trit: int, mantissa: int) -> Part:
    row = np.full((1, part.trits.shape[1]), trit, np.int8)
    mantissas: NDArray[np.int64] = np.append(part.mantissas, mantissa)
    return part._replace(trits=np.vstack([part.trits, row]), mantissas=mantissas)
