"""Segmented matrices in a row, with ReLU between them: a network of any scheme, in floats and in integers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.activations import ranges
from golden.errors import TritweaveError
from golden.network import InputType, Layer, Network, Result, check_input, check_interface
from golden.quantise import quantise_activations
from golden.schemes.integer import IntegerLayer, Mantissas, Part
from golden.schemes.segmented import SegmentedMatrix


def check_chain(matrices: Sequence[SegmentedMatrix]) -> None:
    """Raise unless each matrix takes as many values as the one before gives."""
    if not matrices:
        raise TritweaveError("the network has no layers; it needs at least one")
    for index, (before, after) in enumerate(pairwise(matrices)):
        if before.outputs != after.inputs:
            raise TritweaveError(
                f"layer {index} gives {before.outputs} values where layer {index + 1} takes {after.inputs}"
            )


def forward_float(matrices: Sequence[SegmentedMatrix], batch: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Results of the last layer by the equation in floats; batch of shape (n, inputs)."""
    check_chain(matrices)
    values = batch
    for matrix in matrices[:-1]:
        values = np.maximum(matrix.evaluate(values), 0)
    return matrices[-1].evaluate(values)


@dataclass(frozen=True, eq=False)
class SegmentedNetwork:
    """Layers in order, as integers from the first input to the last result; what a scaling engine computes.

    Parameters
    ----------
    name
        As a `golden.network.Network`'s.
    layers
        At least one, all of one rule; each takes as many values as the one before gives.
    places
        int64, shape (inputs of the network as it was quantised,): where each goes in the first layer's input, whose
        other places are 0.
    input_scales
        Mantissas of the network's inputs, shape as `places`; None: there are none.
    input_type
        What the first layer takes.
    input_unit
        What one unit of it is worth, in units of the network's inputs; with input scales it depends on the vector, and
        is left out.

    """

    name: str
    layers: tuple[IntegerLayer, ...]
    places: NDArray[np.int64]
    input_scales: NDArray[np.int64] | None = None
    input_type: InputType = "uint8"
    input_unit: float = 1.0

    def __post_init__(self) -> None:
        check_interface(self.name, self.input_type, self.input_unit)
        rules = {layer.rule for layer in self.layers}
        if len(rules) != 1:
            raise TritweaveError(f"the layers' activations are {', '.join(sorted(rules))}; one rule for all is needed")

    @property
    def inputs(self) -> int:
        """Length of an input vector before it is prepared."""
        return len(self.places)

    @property
    def source_type(self) -> str:
        """What input vectors hold before they are prepared."""
        return self.input_type if self.input_scales is None else "uint8"

    @property
    def rule(self) -> str:
        """How all layers' inputs are quantised."""
        return self.layers[0].rule

    @property
    def shift(self) -> int:
        """By how many bits all layers' sums are rounded."""
        return max(layer.shift for layer in self.layers)

    @property
    def trits(self) -> int:
        """Weights of all planes in all layers."""
        return sum(part.trits.size for layer in self.layers for part in layer.parts)

    def prepare(self, batch: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        """Vectors as the network's source has them to vectors as the first layer takes them.

        Their order is what comes before the first layer does in the schemes' papers, and so are input scales: the
        vector is multiplied by them and quantised, which the first layer's own quantiser then leaves as it is.
        """
        values = batch
        if self.input_scales is not None:
            values = quantise_activations(batch * self.input_scales)[0]
        arranged = np.zeros((len(batch), self.layers[0].inputs), values.dtype)
        arranged[:, self.places] = values
        return arranged

    def check_batch(self, batch: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        """As `golden.network.Network.check_batch`, of prepared vectors."""
        return check_input(batch, self.name, self.input_type, self.layers[0].inputs)

    def forward(self, batch: NDArray[np.integer[Any]]) -> Result:
        """Logits of prepared vectors."""
        values: NDArray[np.integer[Any]] = self.check_batch(batch)
        unit: Any = self.input_unit
        for layer in self.layers:
            values, units = layer.forward(values, self.shift)
            unit = unit * units
        return Result(values.astype(np.int32), unit)

    def aligned(self, columns: int) -> "SegmentedNetwork":
        """The same network with every group of inputs but a layer's last one filled up to whole chunks of columns.

        What is filled in has weights of 0, and the layer before gives 0 there.
        """
        layers: list[IntegerLayer] = []
        places = self.places
        for layer in self.layers:
            where, ends = _spread(layer, columns)
            if layers:
                layers[-1] = _with_outputs(layers[-1], where, ends[-1])
            else:
                places = where[places]
            layers.append(_with_inputs(layer, where, ends))
        return replace(self, layers=tuple(layers), places=places)


AnyNetwork = Network | SegmentedNetwork
"""What an engine can run."""


def integer_network(name: str, matrices: Sequence[SegmentedMatrix]) -> AnyNetwork:
    """The integer form of a network for uint8 inputs; one whose matrices have a scale each needs no scaling.

    A layer's order and input scales become the order of the rows before it and part of their scales; the first
    layer's are left to `SegmentedNetwork.prepare`.
    """
    check_chain(matrices)
    folded = list(matrices)
    for index, after in enumerate(matrices[1:]):
        if after.input_scales is not None and (after.input_scales < 0).any():
            raise TritweaveError(f"layer {index + 1} has an input scale below 0, which does not pass a ReLU")
        folded[index] = _rows(folded[index], after.order, after.input_scales)
        folded[index + 1] = replace(after, order=None, input_scales=None)
    first = matrices[0]
    layers = tuple(IntegerLayer.of(matrix, relu=matrix is not folded[-1]) for matrix in folded)
    order = np.arange(first.inputs) if first.order is None else np.argsort(first.order)
    if first.input_scales is None:
        scales = None
        if all(layer.one_scale for layer in layers) and first.order is None:
            plain = (Layer(layer.parts[0].trits, layer.unit, layer.relu) for layer in layers)
            return Network(name, tuple(plain))
    else:
        scales = Mantissas.of([first.input_scales]).values[0][order]
    return SegmentedNetwork(name, layers, order, scales, "uint8" if scales is None else "int8")


def _rows(
    matrix: SegmentedMatrix, order: NDArray[np.int32] | None, scales: NDArray[np.float32] | None
) -> SegmentedMatrix:
    """The matrix with its rows in an order, and multiplied by scales."""
    rows = np.arange(matrix.outputs) if order is None else order
    factors = np.ones(matrix.outputs, np.float32) if scales is None else scales

    def times(reals: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scales of rows, or of rows and segments."""
        return reals * factors.reshape(-1, *[1] * (reals.ndim - 1))

    return replace(
        matrix,
        planes=np.ascontiguousarray(matrix.planes[:, rows]),
        scales=np.stack([times(plane[rows]) for plane in matrix.scales]),
        offsets=None if matrix.offsets is None else times(matrix.offsets[rows]),
        side=None if matrix.side is None else np.ascontiguousarray(matrix.side[rows]),
        side_scales=None if matrix.side_scales is None else times(matrix.side_scales[rows]),
    )


def _spread(layer: IntegerLayer, columns: int) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Where a layer's inputs go, and where its groups end, once all but the last group are whole chunks."""
    where, ends, next_start = [], [], 0
    for start, end in ranges(layer.ends):
        where.append(np.arange(end - start) + next_start)
        ends.append(next_start + end - start)
        next_start += -(-(end - start) // columns) * columns
    filled = [*(int(part[0]) for part in where[1:]), ends[-1]]
    return np.concatenate(where), tuple(filled)


def _with_inputs(layer: IntegerLayer, where: NDArray[np.int64], ends: tuple[int, ...]) -> IntegerLayer:
    parts = []
    for part in layer.parts:
        start, end = ranges(ends)[part.group]
        trits = np.zeros((layer.outputs, end - start), np.int8)
        trits[:, where[slice(*ranges(layer.ends)[part.group])] - start] = part.trits
        parts.append(part._replace(trits=trits))
    # A sign is worth the mean magnitude, in which zeros would count.
    unit = layer.unit * ends[-1] / layer.inputs if layer.rule == "sign" else layer.unit
    return replace(layer, parts=tuple(parts), ends=ends, unit=unit)


def _with_outputs(layer: IntegerLayer, where: NDArray[np.int64], outputs: int) -> IntegerLayer:
    parts = []
    for part in layer.parts:
        trits, mantissas = np.zeros((outputs, part.trits.shape[1]), np.int8), np.zeros(outputs, np.int64)
        trits[where], mantissas[where] = part.trits, part.mantissas
        parts.append(Part(part.group, trits, mantissas))
    return replace(layer, parts=tuple(parts))
