"""IDX, the format of the MNIST files: a big-endian header (0, 0, type, dimensions, sizes), raw bytes; gzip or plain."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.disk import read_bytes

_UNSIGNED_BYTE = 8


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes; a name ending in .gz is decompressed."""
    content = read_bytes(path, "IDX file")
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise TritweaveError(f"{path} is not a whole gzip file: {error}") from error
    if len(content) < 4 or content[:3] != bytes((0, 0, _UNSIGNED_BYTE)):
        raise TritweaveError(f"{path} starts with {content[:4].hex(' ')}; an IDX file of bytes starts with 00 00 08")
    header = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4))
    expected = header + int(np.prod(shape, dtype=object))
    if len(content) < header or len(content) != expected:
        raise TritweaveError(f"{path} has {len(content)} bytes where its header, shape {shape}, makes {expected}")
    try:
        return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    except ValueError as error:
        raise TritweaveError(f"{path} has a shape of {len(shape)} dimensions that no array takes: {error}") from error
