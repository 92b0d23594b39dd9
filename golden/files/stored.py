"""A tensor that lies in a file: where it is, and how to read it alone."""

from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError

DTYPES = {"U8": "u1", "I8": "i1", "F16": "<f2", "BF16": "<u2", "I32": "<i4", "F32": "<f4", "F64": "<f8"}
"""Types that `StoredTensor.array` reads, and what numpy calls them; BF16 has no name there and is read as its bits."""


class StoredTensor(NamedTuple):
    """Name, type, shape and place of a tensor; nothing of it is read before `raw` or `array`."""

    name: str
    type: str
    """As its file calls it, e.g. ``BF16`` or ``TQ1_0``."""
    shape: tuple[int, ...]
    """Slowest dimension first: (outputs, inputs) for a layer."""
    path: Path
    start: int
    """Where in the file, in bytes."""
    size: int
    """Bytes."""

    def raw(self) -> NDArray[np.uint8]:
        """Its bytes, as they are now."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                content = np.fromfile(file, np.uint8, self.size)
        except OSError as error:
            raise TritweaveError(f"cannot read {self.path}: {error.strerror}") from error
        if len(content) != self.size:
            raise TritweaveError(f"{self.path} ends in the middle of {self.name}")
        return content

    def array(self) -> NDArray[Any]:
        """Its values, in its shape; BF16 become float32."""
        if self.type not in DTYPES:
            raise TritweaveError(f"{self.name} has type {self.type}; numbers are {', '.join(DTYPES)}")
        values = self.raw().view(DTYPES[self.type])
        if self.type == "BF16":
            halves = np.zeros((len(values), 2), "<u2")
            halves[:, 1] = values
            values = halves.view("<f4")
        return values.reshape(self.shape)


def check_places(path: Path, tensors: Iterable[StoredTensor], start: int, end: int) -> None:
    """Raise if a tensor lies outside of `start` to `end`, or two of them share bytes."""
    before, last = start, ""
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.size)):
        if tensor.start < start or tensor.start + tensor.size > end:
            place = f"bytes {tensor.start} to {tensor.start + tensor.size}"
            raise TritweaveError(f"{path}: {tensor.name} has {place}; the tensors have {start} to {end}")
        if tensor.start < before:
            raise TritweaveError(f"{path}: {tensor.name} and {last} share bytes")
        before, last = tensor.start + tensor.size, tensor.name


def check_shape(path: Path, name: str, shape: Any, dimensions: int = 8) -> tuple[int, ...]:
    """The shape as a tuple, or an error: a few whole numbers, none negative, whose product fits 63 bits."""
    numbers = isinstance(shape, list) and all(type(length) is int and length >= 0 for length in shape)
    if not numbers or len(shape) > dimensions or prod(shape) >= 1 << 63:
        raise TritweaveError(f"{path}: {name} has shape {str(shape)[:80]}; a tensor has up to {dimensions} dimensions")
    return tuple(shape)
