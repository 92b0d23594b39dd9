"""Segmented matrices in a row, with ReLU between them: a network of any scheme, in floats and in integers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.activations import divide, ranges
from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX, STATIC
from golden.network import InputType, Layer, Network, Result, check_input, check_interface
from golden.quantise import quantise_activations
from golden.schemes.biases import biased_layers, has_biases
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


def static_inputs(batch: NDArray[np.integer[Any]]) -> NDArray[np.int8]:
    """255ths as 127ths: what a first layer takes whose activations are `STATIC`."""
    return divide(batch * np.int64(ACTIVATION_MAX), np.array(255, np.int64)).astype(np.int8)


def default_relus(matrices: Sequence[SegmentedMatrix]) -> list[bool]:
    """Whether a ReLU follows each layer where nothing else is said: not the last one, and none in front of a sign."""
    return [matrix.activations != "binary" for matrix in matrices[1:]] + [False]


def forward_float(
    matrices: Sequence[SegmentedMatrix], batch: NDArray[np.floating[Any]], relus: Sequence[bool] | None = None
) -> NDArray[np.float64]:
    """Results of the last layer by the equation in floats; batch of shape (n, inputs), ReLUs as in the network."""
    check_chain(matrices)
    values = batch.astype(np.float64)
    for matrix, relu in zip(matrices, relus or default_relus(matrices), strict=True):
        values = matrix.evaluate(values)
        values = np.maximum(values, 0) if relu else values
    return values


@dataclass(frozen=True, eq=False)
class SegmentedNetwork:
    """Layers in order, as integers from the first input to the last result; what a scaling engine computes.

    Parameters
    ----------
    name
        As a `golden.network.Network`'s.
    layers
        At least one, all of one rule, in a binary network the first one of `STATIC`; each takes as many values as the
        one before gives.
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
    constant
        What the last value of the first layer's input is, see `golden.schemes.biases`; 0: there are no biases.

    """

    name: str
    layers: tuple[IntegerLayer, ...]
    places: NDArray[np.int64]
    input_scales: NDArray[np.int64] | None = None
    input_type: InputType = "uint8"
    input_unit: float = 1.0
    constant: int = 0

    def __post_init__(self) -> None:
        check_interface(self.name, self.input_type, self.input_unit)
        rules = {layer.rule for layer in self.layers[self.layers[0].rule == STATIC :]}
        if len(rules) > 1 or STATIC in rules or (self.layers[0].rule == STATIC and rules - {"binary"}):
            found = sorted({layer.rule for layer in self.layers})
            raise TritweaveError(f"the layers' activations are {', '.join(found)}; one rule for all is needed")
        if self.rule == "binary" and self.layers[0].rule != STATIC:
            raise TritweaveError(f"the first layer's activations are binary; an engine takes them {STATIC}")

    @property
    def inputs(self) -> int:
        """Length of an input vector before it is prepared."""
        return len(self.places)

    @property
    def source_type(self) -> str:
        """What input vectors hold before they are prepared."""
        return self.input_type if self.input_scales is None and self.layers[0].rule != STATIC else "uint8"

    @property
    def rule(self) -> str:
        """How the engine quantises all layers' inputs, one of `golden.formats.RULES`."""
        rule = self.layers[-1].rule
        return "binary" if rule == STATIC else rule

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
        vector is multiplied by them and quantised, which the first layer's own quantiser then leaves as it is. So are
        255ths as 127ths, where the first layer's inputs are `STATIC`; and the constant that biases need is put behind.
        """
        values = batch
        if self.layers[0].rule == STATIC:
            values = static_inputs(batch)
        elif self.input_scales is not None:
            values = quantise_activations(batch * self.input_scales)[0]
        arranged = np.zeros((len(batch), self.layers[0].inputs), values.dtype)
        arranged[:, self.places] = values
        if self.constant:
            arranged[:, -1] = self.constant
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
            # A sign is worth 1, whatever its value was.
            unit = units if layer.rule == "binary" else unit * units
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


def integer_network(
    name: str,
    matrices: Sequence[SegmentedMatrix],
    *,
    relus: Sequence[bool] | None = None,
    input_type: InputType = "uint8",
    input_unit: float = 1.0,
) -> AnyNetwork:
    """The integer form of a network; one whose matrices have a scale each, and no biases, needs no scaling.

    A layer's order and input scales become the order of the rows before it and part of their scales; the first
    layer's are left to `SegmentedNetwork.prepare`. Of rows in front of a sign only the sign counts, so each gets
    mantissas as large as they may be.

    Parameters
    ----------
    name, input_type, input_unit
        As a `golden.network.Network`'s. `STATIC` inputs are uint8, worth 255ths, and are prepared.
    matrices
        The layers.
    relus
        Whether a ReLU follows each; None: `default_relus`.

    """
    check_chain(matrices)
    relus = relus or default_relus(matrices)
    folded = list(matrices)
    for index, after in enumerate(matrices[1:]):
        if relus[index] and after.input_scales is not None and (after.input_scales < 0).any():
            raise TritweaveError(f"layer {index + 1} has an input scale below 0, which does not pass a ReLU")
        folded[index] = _rows(folded[index], after.order, after.input_scales)
        if after.activations == "binary":
            folded[index] = _levelled_rows(folded[index])
        folded[index + 1] = replace(after, order=None, input_scales=None)
    first = matrices[0]
    order = np.arange(first.inputs) if first.order is None else np.argsort(first.order)
    scales = None if first.input_scales is None else Mantissas.of([first.input_scales]).values[0][order]
    if scales is not None:
        input_type, input_unit = "int8", 1.0
    if first.activations == STATIC:
        input_type, input_unit = "int8", 1 / ACTIVATION_MAX
    if has_biases(folded):
        if scales is not None:
            raise TritweaveError("layer 0 has input scales, with which its inputs have no unit to add a bias in")
        constant = np.iinfo(input_type).max
        layers = biased_layers(folded, relus, constant * input_unit)
        return SegmentedNetwork(name, _levelled(layers), order, None, input_type, input_unit, constant)
    layers = tuple(IntegerLayer.of(matrix, relu=relu) for matrix, relu in zip(folded, relus, strict=True))
    if all(layer.one_scale for layer in layers) and first.order is None and scales is None:
        plain = (Layer(layer.parts[0].trits, layer.unit, layer.relu) for layer in layers)
        return Network(name, tuple(plain), input_type, input_unit)
    return SegmentedNetwork(name, _levelled(layers), order, scales, input_type, input_unit)


def _levelled(layers: Sequence[IntegerLayer]) -> tuple[IntegerLayer, ...]:
    """Layers with mantissas as large as any has: all share one shift, by which small ones would lose all they say."""
    largest = [max(int(np.abs(part.mantissas).max()) for part in layer.parts) for layer in layers]
    return tuple(layer.times(max(largest) // most) for layer, most in zip(layers, largest, strict=True))


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
        bias=None if matrix.bias is None else times(matrix.bias[rows]),
    )


def _levelled_rows(matrix: SegmentedMatrix) -> SegmentedMatrix:
    """The matrix with each row's largest real brought to 1."""
    largest = np.abs(matrix.scales).max(axis=(0, 2))
    for reals in (matrix.offsets, matrix.bias):
        if reals is not None:
            largest = np.maximum(largest, np.abs(reals.reshape(matrix.outputs, -1)).max(axis=1))
    return _rows(matrix, None, 1 / np.maximum(largest, np.finfo(np.float32).tiny))


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
