"""The ternary packing of bitnet.cpp in GGUF files, I2_S, which has several layouts under one name.

Formats
    Codes ``t + 1``, four a byte, the first in the highest bits. One float32 scale follows the tensor, then 28 bytes
    that mean nothing.

    ``blocks-128``
        A block of 128 trits is 32 bytes; byte m holds trit m of each quarter. Blocks run through the rows. bitnet.cpp's
        Python converters write it on every machine, its C++ quantiser on x86 with ACT_PARALLEL.
    ``blocks-64``
        The same with 64 trits in 16 bytes: the C++ quantiser on ARM.
    ``rows-4``
        Byte i of a group of four rows holds their trits of input i: the C++ quantiser on x86 without ACT_PARALLEL.

Sources: ``ggml-bitnet-mad.cpp`` and ``convert-hf-to-gguf-bitnet.py`` of bitnet.cpp.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.packing_hf import check_codes
from golden.trits import check_trits

LAYOUTS: Final = ("blocks-128", "blocks-64", "rows-4")
"""Names of the layouts; a file does not say which it has."""
I2S_TAIL: Final = 32
"""Bytes after the codes of an I2_S tensor; the first four are its scale."""


def encode_i2s(trits: NDArray[np.int8], scale: float, layout: str = LAYOUTS[0]) -> NDArray[np.uint8]:
    """Pack trits of shape (outputs, inputs) and their scale."""
    quarters = (check_trits(trits, "trits") + 1).view(np.uint8).reshape(_quarters(trits.shape, layout))
    packed = np.zeros((len(quarters), quarters.shape[2]), np.uint8)
    for place in range(4):
        packed |= quarters[:, place] << 6 - 2 * place
    tail = np.zeros(I2S_TAIL, np.uint8)
    tail[:4] = np.array([scale], "<f4").view(np.uint8)
    return np.concatenate((packed.reshape(-1), tail))


def decode_i2s(
    packed: NDArray[np.uint8], shape: tuple[int, ...], layout: str = LAYOUTS[0]
) -> tuple[NDArray[np.int8], float]:
    """The inverse of `encode_i2s`: trits of `shape`, which is (outputs, inputs), and the scale."""
    blocks, _, width = _quarters(shape, layout)
    codes = packed[:-I2S_TAIL].reshape(blocks, width)
    check_codes(codes)
    quarters = np.empty((blocks, 4, width), np.int8)
    for place in range(4):
        quarters[:, place] = codes >> 6 - 2 * place & 3
    quarters -= 1
    return quarters.reshape(shape), float(packed[-I2S_TAIL:][:4].copy().view("<f4")[0])


def check_layout(layout: str) -> str:
    """The layout, if it is one."""
    if layout not in LAYOUTS:
        raise TritweaveError(f"the layout of I2_S is {layout!r}; it is one of {', '.join(LAYOUTS)}")
    return layout


def _quarters(shape: tuple[int, ...], layout: str) -> tuple[int, int, int]:
    """Trits as blocks of four quarters; one quarter's trits share the bytes with another's."""
    outputs, inputs = shape
    if check_layout(layout) == "rows-4":
        if outputs % 4:
            raise TritweaveError(f"{outputs} rows are no whole number of groups of 4, as the layout {layout} has them")
        return outputs // 4, 4, inputs
    block = int(layout.removeprefix("blocks-"))
    if outputs * inputs % block:
        raise TritweaveError(f"{outputs * inputs} trits are no whole number of blocks of {block}")
    return outputs * inputs // block, 4, block // 4
