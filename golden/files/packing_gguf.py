"""The ternary packings of ggml in GGUF files: TQ1_0 and TQ2_0.

Formats
    ``TQ2_0``
        A block of 256 trits along the inputs is 66 bytes. In each half of 128 trits, byte m of 32 holds the codes
        ``t + 1`` of trits m, m + 32, m + 64 and m + 96, the first in the lowest bits; the block's scale follows as
        float16.
    ``TQ1_0``
        A block of 256 trits is 54 bytes: trits 0 to 159 in 32 bytes of five, byte m holding m, m + 32, …; trits 160
        to 239 in 16 bytes of five, m, m + 16, …; trits 240 to 255 in 4 bytes of four, m, m + 4, …; the scale as
        float16. A byte is ``ceil(256·q / 243)`` with q the trits as base-3 digits ``t + 1``, first digit highest, a
        missing fifth digit 0. Digit n of a byte b is ``((b·3**n mod 256)·3) >> 8``, so every byte has a meaning.

Source: ``gguf/quants.py`` of llama.cpp.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.packing_hf import check_codes
from golden.trits import check_trits

BLOCK: Final = 256
"""Trits in a block of TQ1_0 and TQ2_0."""
BLOCK_BYTES: Final = {"TQ1_0": 54, "TQ2_0": 66}
"""Bytes of a block, its scale included."""

_STAGES: Final = ((0, 32, 5), (160, 16, 5), (240, 4, 4))
"""TQ1_0: first trit, bytes, trits a byte."""


def encode_tq(name: str, trits: NDArray[np.int8], scales: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Pack trits into blocks of ``TQ1_0`` or ``TQ2_0``.

    Parameters
    ----------
    name
        The packing.
    trits
        Shape (outputs, inputs); inputs a multiple of 256.
    scales
        Shape (outputs, inputs / 256); stored as float16.

    Returns
    -------
    uint8 of shape (outputs, bytes of a row).

    """
    outputs, blocks = len(trits), _blocks(trits.shape[1], BLOCK)
    codes = (check_trits(trits, "trits") + 1).view(np.uint8).reshape(outputs * blocks, BLOCK)
    packed = np.empty((len(codes), BLOCK_BYTES[name]), np.uint8)
    packed[:, -2:] = scales.astype("<f2").reshape(-1, 1).view(np.uint8)
    if name == "TQ2_0":
        quarters = codes.reshape(-1, 2, 4, 32)
        halves = packed[:, :-2].reshape(-1, 2, 32)
        halves[...] = quarters[:, :, 0]
        for place in range(1, 4):
            halves |= quarters[:, :, place] << 2 * place
        return packed.reshape(outputs, -1)
    start = 0
    for first, count, digits in _STAGES:
        value = np.zeros((len(codes), count), np.uint8)
        for digit in range(5):
            value *= 3
            if digit < digits:
                value += codes[:, first + digit * count : first + (digit + 1) * count]
        packed[:, start : start + count] = (value * np.uint16(256) + np.uint16(242)) // np.uint16(243)
        start += count
    return packed.reshape(outputs, -1)


def decode_tq(name: str, packed: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The inverse of `encode_tq`: trits (outputs, inputs) and scales (outputs, blocks)."""
    blocks = packed.reshape(-1, BLOCK_BYTES[name])
    scales = blocks[:, -2:].copy().view("<f2").astype(np.float32).reshape(len(packed), -1)
    trits = np.empty((len(blocks), BLOCK), np.int8)
    if name == "TQ2_0":
        halves, quarters = blocks[:, :-2].reshape(-1, 2, 32), trits.reshape(-1, 2, 4, 32)
        check_codes(halves)
        for place in range(4):
            quarters[:, :, place] = halves >> 2 * place & 3
    else:
        start = 0
        for first, count, digits in _STAGES:
            # The products wrap; (b·3) >> 8 is 1 from 86 and 2 from 171.
            value = blocks[:, start : start + count].copy()
            for digit in range(digits):
                trits[:, first + digit * count : first + (digit + 1) * count] = (value > 85).view(np.int8) + (
                    value > 170
                )
                value *= 3
            start += count
    trits -= 1
    return trits.reshape(len(packed), -1), scales


def _blocks(trits: int, block: int) -> int:
    if trits % block:
        raise TritweaveError(f"{trits} trits are no whole number of blocks of {block}")
    return trits // block
