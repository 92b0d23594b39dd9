"""Anybody's vectors and labels, made ready for training: integers of the network's input, with a part to test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gen.training.data import Dataset, Examples
from golden.errors import TritweaveError
from golden.files.examples import as_labels, first_named, flat_vectors, read_arrays

VECTORS: Final = ("x_train", "vectors", "images", "x")
LABELS: Final = ("y_train", "labels", "y")
TEST_SHARE: Final = 10
"""Without a test part, one example in so many is held out."""


def read_labelled(file: Path, labels: Path | None, sizes: Sequence[int], seed: int) -> Dataset:
    """Vectors and labels for a network of these sizes.

    Parameters
    ----------
    file
        An ``.npz`` with arrays called as `VECTORS` and `LABELS`, and perhaps ``x_test`` and ``y_test``; or only
        vectors.
    labels
        Their labels, if they are in a file of their own.
    sizes
        Length of the input and of every layer's output.
    seed
        Chooses what is held out for the test where there is no test part.

    """
    arrays = read_arrays(file)
    vectors = arrays.get("", first_named(arrays, VECTORS))
    answers = first_named(arrays, LABELS)
    if labels is not None:
        found = read_arrays(labels)
        answers = found.get("", first_named(found, LABELS))
    for what, array, names in (("vectors", vectors, VECTORS), ("labels", answers, LABELS)):
        if array is None:
            hint = ", or give --labels FILE" if what == "labels" else ""
            raise TritweaveError(f"{file} holds no {what}; in an .npz call them {' or '.join(names)}{hint}")
    assert vectors is not None
    assert answers is not None
    flat, answers = _checked(file, vectors, answers, sizes)
    if "x_test" in arrays and "y_test" in arrays:
        test, test_answers = _checked(file, arrays["x_test"], arrays["y_test"], sizes)
        inputs, dtype, unit = _as_inputs(file, np.concatenate([flat, test]))
        train = Examples(inputs[: len(flat)], answers)
        return Dataset(train, Examples(inputs[len(flat) :], test_answers), dtype, unit)
    if len(flat) < 2 * TEST_SHARE:
        raise TritweaveError(f"{file} holds {len(flat)} vectors; at least {2 * TEST_SHARE} are needed to hold some out")
    inputs, dtype, unit = _as_inputs(file, flat)
    order = np.random.default_rng(seed).permutation(len(flat))
    test_places, train_places = np.split(order, [len(flat) // TEST_SHARE])
    train, test = (Examples(inputs[places], answers[places]) for places in (train_places, test_places))
    return Dataset(train, test, dtype, unit)


def _checked(
    file: Path, vectors: NDArray[Any], labels: NDArray[Any], sizes: Sequence[int]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    flat = flat_vectors(file, vectors)
    if flat.shape[1] != sizes[0]:
        raise TritweaveError(f"{file} holds vectors of {flat.shape[1]} values; --layers begins with {sizes[0]}")
    return flat, as_labels(file, labels, len(flat), sizes[-1])


def _as_inputs(file: Path, vectors: NDArray[Any]) -> tuple[NDArray[np.integer[Any]], str, float]:
    """Vectors as integers, their type, and what one unit of them is worth: what fits a byte stays as it is."""
    if not np.isfinite(vectors).all():
        raise TritweaveError(f"{file} holds vectors with values that are not finite")
    smallest, largest = float(vectors.min()), float(vectors.max())
    dtype = "uint8" if smallest >= 0 else "int8"
    limits = np.iinfo(dtype)
    whole = vectors.dtype.kind in "biu" and smallest >= limits.min and largest <= limits.max
    if whole:
        return vectors.astype(dtype), dtype, 1 / limits.max
    unit = max(largest, -smallest) / limits.max
    if unit == 0:
        raise TritweaveError(f"{file} holds vectors of nothing but zeros")
    return np.rint(vectors.astype(np.float64) / unit).astype(dtype), dtype, unit
