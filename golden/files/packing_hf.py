"""The trit packing of transformers' BitNet checkpoints: four codes a byte, strided over the output rows.

Format
    Code ``t + 1``. Byte (r, i) of a uint8 tensor of R rows holds the trits of input i and of outputs r, r + R, r + 2R
    and r + 3R, the first in the lowest two bits. Where the outputs are no multiple of four, R is rounded up and the
    codes of the missing rows are 0.

Source: ``pack_weights`` in ``integrations/bitnet.py`` of transformers.
"""

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.trits import check_trits

CODES = 4
"""Trits in a byte."""


def packed_rows(outputs: int) -> int:
    """Rows of the packed tensor of a layer."""
    return -(-outputs // CODES)


def encode_hf(trits: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack trits of shape (outputs, inputs) into uint8 of shape (ceil(outputs / 4), inputs)."""
    checked, rows = check_trits(trits, "trits"), packed_rows(len(trits))
    packed = np.zeros((rows, *trits.shape[1:]), np.uint8)
    for place in range(CODES):
        codes = (checked[place * rows : (place + 1) * rows] + 1).view(np.uint8)
        packed[: len(codes)] |= codes << 2 * place
    return packed


def decode_hf(packed: NDArray[np.uint8], outputs: int | None = None) -> NDArray[np.int8]:
    """The inverse of `encode_hf`; `outputs` drops the rows that only fill up the last byte."""
    check_codes(packed)
    rows, outputs = len(packed), CODES * len(packed) if outputs is None else outputs
    if packed_rows(outputs) != rows:
        raise TritweaveError(f"{rows} packed rows hold {CODES * rows} outputs, not {outputs}")
    trits = np.empty((CODES * rows, *packed.shape[1:]), np.int8)
    for place in range(CODES):
        trits[place * rows : (place + 1) * rows] = packed >> 2 * place & 3
    trits -= 1
    return trits[:outputs]


def check_codes(packed: NDArray[np.uint8]) -> None:
    """Raise if one of the four two-bit codes of a byte is 3, and say where."""
    bad = packed & packed >> 1 & 0x55
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise TritweaveError(
            f"byte {list(place)} is 0x{packed[place]:02x}, which holds code 3; a trit's code is 0, 1 or 2"
        )
