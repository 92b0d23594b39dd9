"""Segmented matrices in a row, with ReLU between them: a network of any scheme, in floats and in integers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritiumError
from golden.segmented import SegmentedMatrix
from golden.segmented_integer import IntegerMatrix


def check_chain(matrices: Sequence[SegmentedMatrix]) -> None:
    """Raise unless each matrix takes as many values as the one before gives."""
    if not matrices:
        raise TritiumError("the network has no layers; it needs at least one")
    for index, (before, after) in enumerate(pairwise(matrices)):
        if before.outputs != after.inputs:
            raise TritiumError(
                f"layer {index} gives {before.outputs} values where layer {index + 1} takes {after.inputs}"
            )


def forward_float(matrices: Sequence[SegmentedMatrix], batch: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Results of the last layer by the equation in floats; batch of shape (n, inputs)."""
    check_chain(matrices)
    values = batch
    for matrix in matrices[:-1]:
        values = np.maximum(matrix.evaluate(values), 0)
    return matrices[-1].evaluate(values)


def forward_integer(matrices: Sequence[SegmentedMatrix], batch: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Results of the last layer by the integer form: integers from the first input to the last result."""
    check_chain(matrices)
    values: NDArray[np.integer[Any]] = batch
    for matrix in matrices[:-1]:
        values = np.maximum(IntegerMatrix(matrix).forward(values).values, 0)
    return IntegerMatrix(matrices[-1]).forward(values).values
