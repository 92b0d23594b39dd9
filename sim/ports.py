"""What Verilator's C++ types hold of a port with several lanes."""

import numpy as np
from numpy.typing import NDArray


def port_bytes(bits: int) -> int:
    """Bytes of the C++ type that Verilator gives a port: 1, 2, 4, 8, or whole 32-bit words."""
    if bits <= 16:
        return 1 if bits <= 8 else 2
    return 4 if bits <= 32 else 8 if bits <= 64 else -(-bits // 32) * 4


def lane_values(content: NDArray[np.uint8], lanes: int, width: int) -> NDArray[np.int64]:
    """Signed values of `width` bits, shape (..., lanes), of the bytes of ports, shape (..., `port_bytes`)."""
    bits = np.unpackbits(content, axis=-1, bitorder="little")[..., : lanes * width]
    place = 1 << np.arange(width)
    place[-1] = -place[-1]
    return bits.reshape(*content.shape[:-1], lanes, width).astype(np.int64) @ place
