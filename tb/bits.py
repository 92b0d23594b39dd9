"""Between arrays of numbers and the bits of a port: element 0 in the lowest bits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_words(values: NDArray[np.integer[Any]], width: int) -> list[int]:
    """Each row of `values`, shape (n, lanes), as one integer; of a value its lowest `width` bits, at most 63."""
    bits = values.astype(np.int64)[..., None] >> np.arange(width) & 1
    rows = np.packbits(bits.reshape(len(values), -1).astype(np.uint8), axis=-1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def from_words(words: Sequence[int], width: int, lanes: int, *, signed: bool = True) -> NDArray[np.int64]:
    """The inverse of `to_words`, shape (n, lanes)."""
    size = -(-width * lanes // 8)
    rows = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), np.uint8).reshape(-1, size)
    bits = np.unpackbits(rows, axis=-1, bitorder="little", count=width * lanes).reshape(-1, lanes, width)
    place = 1 << np.arange(width)
    if signed:
        place[-1] = -place[-1]
    return bits.astype(np.int64) @ place
