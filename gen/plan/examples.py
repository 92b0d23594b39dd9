"""Vectors that commands run, and their labels: MNIST's test images, or a user's own."""

import io
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from gen.command import writable
from gen.plan.presets import TEST_LABELS, TEST_VECTORS
from golden.errors import TritweaveError
from golden.files.disk import write_bytes
from golden.files.examples import (
    LABELS,
    VECTORS,
    as_inputs,
    as_labels,
    first_named,
    flat_vectors,
    read_array,
    read_arrays,
)
from golden.schemes.network import AnyNetwork

_DIGITS = 10
"""A network with fewer outputs was not made for MNIST's labels."""

VectorsOption = Annotated[
    Path | None,
    typer.Option("--vectors", metavar="FILE", help="Input vectors: IDX, .npy or .npz. Default: MNIST test images."),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="Their labels, likewise. Default: those in the .npz, if any."),
]
LogitsOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE.npy", callback=writable, help="Write the logits, int32."),
]


class Interface(NamedTuple):
    """What a network takes and gives."""

    name: str
    inputs: int
    dtype: str
    unit: float
    outputs: int


def interface(network: AnyNetwork) -> Interface:
    """What a network takes before it prepares it, and gives."""
    unit, outputs = network.input_unit, network.layers[-1].outputs
    return Interface(network.name, network.inputs, network.source_type, unit, outputs)


def read_examples(
    takes: Interface, count: int | None, vectors: Path | None, labels: Path | None, *, default: int
) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64] | None]:
    """Vectors as a network takes them, and their labels, if there are any.

    Parameters
    ----------
    takes
        The network.
    count
        How many, from the first.
    default
        How many at most if no count is given.
    vectors, labels
        Files. Without one of vectors they are MNIST's test images.

    """
    file = vectors or TEST_VECTORS
    flat = flat_vectors(file, read_array(file, VECTORS))
    if flat.shape[1] != takes.inputs:
        hint = "" if vectors else f"; give --vectors FILE (IDX, .npy or .npz) of {takes.inputs} values each"
        held = "vectors" if vectors else "MNIST's test images,"
        raise TritweaveError(f"{file} holds {held} of {flat.shape[1]} values; {takes.name} takes {takes.inputs}{hint}")
    count = min(default, len(flat)) if count is None else count
    if count > len(flat):
        raise TritweaveError(f"{count} vectors are asked for; {file} holds {len(flat)}")
    inputs = as_inputs(file, flat[:count], takes.dtype, takes.unit)
    source, answers = labels, None
    if labels is not None:
        answers = read_array(labels, LABELS)
    elif vectors is None and takes.outputs >= _DIGITS:
        source, answers = TEST_LABELS, read_array(TEST_LABELS, LABELS)
    elif vectors is None:
        return inputs, None
    elif vectors.suffix == ".npz":
        source, answers = vectors, first_named(read_arrays(vectors), LABELS)
    if answers is None or source is None:
        return inputs, None
    return inputs, as_labels(source, answers, len(flat), takes.outputs)[:count]


def require_labels(labels: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The labels, or an error that says how to give them."""
    if labels is None:
        raise TritweaveError("the vectors have no labels; give --labels FILE, or an .npz with both")
    return labels


def write_logits(path: Path | None, logits: NDArray[np.int32]) -> None:
    """Write logits as an ``.npy`` file, if there is a path."""
    if path:
        content = io.BytesIO()
        np.save(content, logits, allow_pickle=False)
        write_bytes(path, content.getvalue())
