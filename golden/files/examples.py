"""Vectors and their labels out of files: IDX, ``.npy``, or ``.npz`` with both."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.disk import read_bytes
from golden.files.idx import read_idx

VECTORS = ("vectors", "images", "x_test", "x")
LABELS = ("labels", "y_test", "y")
"""What arrays in an ``.npz`` are called, in the order in which they are looked for."""


def read_array(path: Path, names: Sequence[str]) -> NDArray[Any]:
    """The array in a file, of an ``.npz`` the first that has one of the names; an error says what is there instead."""
    arrays = read_arrays(path)
    if len(arrays) == 1 and "" in arrays:
        return arrays[""]
    found = first_named(arrays, names)
    if found is None:
        raise TritweaveError(f"{path} holds {', '.join(arrays) or 'nothing'}; one of {', '.join(names)} is needed")
    return found


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz``, with their names in small letters; any other file has one, without a name."""
    if path.suffix not in (".npy", ".npz"):
        return {"": read_idx(path)}
    try:
        loaded = np.load(io.BytesIO(read_bytes(path, "arrays")), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        return {name.lower(): loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise TritweaveError(f"{path} is no {path.suffix} file of numbers: {error}") from error


def first_named(arrays: dict[str, NDArray[Any]], names: Sequence[str]) -> NDArray[Any] | None:
    """The first array that is there of those names."""
    return next((arrays[name] for name in names if name in arrays), None)


def flat_vectors(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """An array of numbers as vectors, shape (n, values): everything behind the first axis is a vector."""
    if array.ndim < 2 or 0 in array.shape or array.dtype.kind not in "biuf":
        raise TritweaveError(
            f"{path} has {array.dtype} of shape {array.shape}; vectors are numbers of shape (n, values)"
        )
    return array.reshape(len(array), -1)


def as_labels(path: Path, array: NDArray[Any], count: int, classes: int) -> NDArray[np.int64]:
    """Labels, one for each of so many vectors, each from 0 to classes - 1."""
    if array.shape not in ((count,), (count, 1)) or array.dtype.kind not in "biu":
        raise TritweaveError(
            f"{path} has labels of shape {array.shape}, {array.dtype}; "
            f"one whole number for each of {count} vectors is needed"
        )
    labels = array.reshape(count).astype(np.int64)
    if wrong := labels[(labels < 0) | (labels >= classes)].tolist():
        raise TritweaveError(f"{path} holds the label {wrong[0]}; labels are 0 to {classes - 1}")
    return labels


def as_inputs(path: Path, vectors: NDArray[Any], dtype: str, unit: float) -> NDArray[np.integer[Any]]:
    """Vectors of numbers as a network takes them.

    Parameters
    ----------
    path
        Their file, for errors.
    vectors
        Whole numbers are taken as they are, reals are divided by the unit and rounded.
    dtype, unit
        ``uint8`` or ``int8``, and what one unit of the network's input is worth.

    """
    values = vectors
    if vectors.dtype.kind == "f":
        if unit == 1 and not np.array_equal(vectors, np.rint(vectors)):
            raise TritweaveError(
                f"{path} holds reals, and the network does not say what a unit of its input is worth; "
                f"give whole numbers, {dtype}"
            )
        values = np.rint(vectors.astype(np.float64) / unit)
    limits = np.iinfo(dtype)
    wrong = ~((values >= limits.min) & (values <= limits.max))
    if wrong.any():
        raise TritweaveError(
            f"{path} holds {vectors[wrong][0]:g}, which is {values[wrong][0]:g} units of the input; "
            f"the network takes {dtype}, {limits.min} to {limits.max}"
        )
    return values.astype(dtype)
