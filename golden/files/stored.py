"""A tensor that lies in a file: where it is, and how to read it alone."""

from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError

DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "F16": "<f2",
    "BF16": "<u2",
    "F32": "<f4",
    "F64": "<f8",
}
"""Types that `StoredTensor.array` reads, and what numpy calls them; BF16 has no name there and is read as its bits."""


class Tensor(Protocol):
    """A tensor of some source; its values are read when they are asked for."""

    @property
    def name(self) -> str:
        """What its file calls it."""
        ...

    @property
    def type(self) -> str:
        """One of `DTYPES`, or what its file calls a type that is not read."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Slowest dimension first: (outputs, inputs) for a layer."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def array(self) -> NDArray[Any]:
        """Its values, in its shape."""
        ...


class LoadedTensor(NamedTuple):
    """A tensor that something else than a plain place in a file gives."""

    name: str
    type: str
    shape: tuple[int, ...]
    size: int
    load: Callable[[], NDArray[Any]]

    def array(self) -> NDArray[Any]:
        """Its values, in its shape; BF16 become float32."""
        if self.type not in DTYPES:
            raise TritweaveError(f"{self.name} has type {self.type}; numbers are {', '.join(DTYPES)}")
        return self.load()


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
        return (widened(values) if self.type == "BF16" else values).reshape(self.shape)


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """BF16 as float32, which begin with the same bits."""
    halves = np.zeros((bits.size, 2), "<u2")
    halves[:, 1] = bits.reshape(-1)
    return halves.view("<f4").reshape(bits.shape)


def check_places(path: Path, tensors: Iterable[StoredTensor], start: int, end: int, whole: bool = False) -> None:
    """Raise if a tensor lies outside of `start` to `end`, or two of them share bytes.

    With `whole`, also if a byte between `start` and `end` is of no tensor.
    """
    before, last = start, "the header"
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.size)):
        if tensor.start < start or tensor.start + tensor.size > end:
            place = f"bytes {tensor.start} to {tensor.start + tensor.size}"
            raise TritweaveError(f"{path}: {tensor.name} has {place}; the tensors have {start} to {end}")
        if tensor.start < before:
            raise TritweaveError(f"{path}: {tensor.name} and {last} share bytes")
        if whole and tensor.start != before:
            raise TritweaveError(f"{path}: {tensor.start - before} bytes before {tensor.name} are of no tensor")
        before, last = tensor.start + tensor.size, tensor.name
    if whole and before != end:
        raise TritweaveError(f"{path}: the last {end - before} bytes are of no tensor")


def check_shape(path: Path, name: str, shape: Any, dimensions: int = 8) -> tuple[int, ...]:
    """The shape as a tuple, or an error: a few whole numbers, none negative, whose product fits 63 bits."""
    numbers = isinstance(shape, list) and all(type(length) is int and length >= 0 for length in shape)
    if not numbers or len(shape) > dimensions or prod(shape) >= 1 << 63:
        raise TritweaveError(f"{path}: {name} has shape {str(shape)[:80]}; a tensor has up to {dimensions} dimensions")
    return tuple(shape)
