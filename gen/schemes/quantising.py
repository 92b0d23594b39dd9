"""Quantising: float layers of a source become a scheme file; and how many examples the result still recognises."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen.imports.sources import Source
from gen.plan.examples import Interface
from golden.errors import TritweaveError
from golden.files.stored import Tensor
from golden.formats import ACTIVATION_MAX, STATIC
from golden.schemes.alone import distance, forward_alone
from golden.schemes.file import MatrixSpec, read_scheme, write_scheme
from golden.schemes.integer import IntegerLayer
from golden.schemes.network import default_relus, forward_float, integer_network, static_inputs
from golden.schemes.quantisers import quantise, scheme_named
from golden.schemes.segmented import SegmentedMatrix

_FLOATS = ("F16", "BF16", "F32", "F64")
_BATCH = 1000
_UNIT = 1 / 255
"""What one unit of the vectors is worth."""
_SAMPLE = 500


@dataclass(frozen=True)
class QuantisedLayer:
    """A layer as it was quantised.

    Parameters
    ----------
    name, outputs, inputs, planes, segments
        What it is.
    error
        Norm of the difference of the weights over the norm of the weights.
    accumulator_bits, shift
        Of the integer form.

    """

    name: str
    outputs: int
    inputs: int
    planes: int
    segments: int
    error: float
    accumulator_bits: int
    shift: int


@dataclass(frozen=True)
class Accuracy:
    """What a network makes of vectors with labels.

    Parameters
    ----------
    images
        How many.
    floats, integers
        Share recognised by the two forms.
    distances
        Of each layer, on the first images: see `golden.schemes.integer.distance`.

    """

    images: int
    floats: float
    integers: float
    distances: list[float]

    def figures(self) -> dict[str, Any]:
        """All of it, for a file."""
        return asdict(self)


def quantise_layers(
    scheme: str,
    source: Source,
    names: Sequence[str],
    output: Path,
    progress: Callable[[int], None] = lambda count: None,
) -> list[QuantisedLayer]:
    """Write a scheme file, one layer in memory at a time.

    Parameters
    ----------
    scheme
        One of `golden.schemes.quantisers.SCHEMES`.
    source
        Where the float weights are.
    names
        Which layers, and in which order.
    output
        The file; it is replaced when all layers are written.
    progress
        Called with 1 after each layer.

    """
    specs, made = [_spec(scheme, source, name) for name in names], []

    def matrices() -> Iterator[SegmentedMatrix]:
        for name in names:
            weights = source.matrix(name).array()
            try:
                matrix = quantise(scheme, weights)
                made.append(_described(name, weights, matrix))
            except TritweaveError as error:
                raise TritweaveError(f"{source.path}: {name}: {error}") from error
            yield matrix
            progress(1)

    write_scheme(output, scheme, source.description, specs, matrices())
    return made


def measure_accuracy(file: Path, batch: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> Accuracy:
    """Run a scheme file's layers, in their order with ReLU between them, on uint8 vectors with labels.

    The layers must be what `interface_of` lets pass.
    """
    opened = read_scheme(file)
    matrices = [opened.read(name) for name in opened.specs]
    network = integer_network("quantised", matrices, input_unit=_UNIT)
    prepared = network.prepare(batch)
    floats = _recognised(lambda part: forward_float(matrices, part), batch * _UNIT, labels)
    integers = _recognised(lambda part: network.forward(part).logits, prepared, labels)
    distances, values, unit = [], batch[:_SAMPLE].astype(np.int64), np.full((1, 1), _UNIT)
    if matrices[0].activations == STATIC:
        values, unit = static_inputs(values), np.full((1, 1), 1 / ACTIVATION_MAX)
    for matrix, relu in zip(matrices, default_relus(matrices), strict=True):
        distances.append(distance(matrix, values, unit))
        results, units = forward_alone(matrix, values, unit)
        values, unit = np.maximum(results, 0) if relu else results, units * unit
    return Accuracy(len(batch), floats / len(batch), integers / len(batch), distances)


def chosen_layers(source: Source, patterns: Sequence[str]) -> list[str]:
    """The layers that patterns name, in the source's order, or all of its matrices; at least one."""
    names = source.select(patterns) if patterns or source.layers else source.matrices()
    if not names:
        raise TritweaveError(f"{source.path} holds no matrix")
    source.prepare(names)
    return names


def float_matrix(source: Source, name: str) -> Tensor:
    """A layer, if its weights are floats."""
    weight = source.matrix(name)
    if weight.type not in _FLOATS:
        raise TritweaveError(f"{weight.name} has type {weight.type}; floats are {', '.join(_FLOATS)}")
    return weight


def interface_of(source: Source, names: Sequence[str]) -> Interface:
    """What the layers take and give as a network, in which each takes what the one before gives."""
    shapes = [source.matrix(name).shape for name in names]
    for (before, after), name in zip(pairwise(shapes), names[1:], strict=True):
        if before[0] != after[1]:
            raise TritweaveError(f"{name} takes {after[1]} values where the layer before gives {before[0]}")
    return Interface(source.path.name, shapes[0][1], "uint8", 1.0, shapes[-1][0])


def _spec(scheme: str, source: Source, name: str) -> MatrixSpec:
    outputs, inputs = float_matrix(source, name).shape
    try:
        return MatrixSpec(name, outputs, scheme_named(scheme).structure(inputs))
    except TritweaveError as error:
        raise TritweaveError(f"{source.path}: {name}: {error}") from error


def _described(name: str, weights: NDArray[np.floating[Any]], matrix: SegmentedMatrix) -> QuantisedLayer:
    form = IntegerLayer.of(matrix)
    error = np.linalg.norm(matrix.weights() - weights) / np.linalg.norm(weights.astype(np.float64))
    shape = (matrix.outputs, matrix.inputs, len(matrix.planes), len(matrix.ends))
    return QuantisedLayer(name, *shape, float(error), form.accumulator_bits, form.shift)


def _recognised(
    form: Callable[[NDArray[Any]], NDArray[Any]], batch: NDArray[Any], labels: NDArray[np.integer[Any]]
) -> int:
    """For how many vectors the largest result is the label's; a few at a time, for their products are large."""
    starts = range(0, len(batch), _BATCH)
    answers = [form(batch[start : start + _BATCH]).argmax(axis=1) for start in starts]
    return int(np.count_nonzero(np.concatenate(answers) == labels))
