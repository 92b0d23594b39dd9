"""A safetensors file written one tensor at a time, whole or not at all, with a CRC-32 in its metadata.

Format
    Wider types lie before narrower ones, in the order of the list, so that all are aligned; the header is JSON with
    sorted keys and no spaces, filled up with spaces to a multiple of 8 bytes. ``crc32`` in the metadata, of eight
    hexadecimal digits, is the CRC-32 of the other metadata as such JSON, followed by the tensors in the order in which
    they come.
"""

import json
import zlib
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from golden.errors import TritweaveError
from golden.files.disk import replacing

_CODES: Final = {"<f4": "F32", "<i4": "I32", "u1": "U8", "i1": "I8"}


class TensorSpec(NamedTuple):
    """A tensor that will be written."""

    name: str
    dtype: str
    """``<f4``, ``<i4``, ``u1`` or ``i1``."""
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Its length."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


def write_tensors(
    path: Path, specs: list[TensorSpec], metadata: dict[str, str], contents: Iterable[tuple[str, Iterable[bytes]]]
) -> None:
    """Write the file.

    Parameters
    ----------
    path
        The file; it is replaced when all tensors are written.
    specs
        All tensors; no two of one name.
    metadata
        Anything but ``crc32``.
    contents
        The same tensors, each with its bytes in pieces, in the order of the CRC.

    """
    places: dict[str, tuple[int, int]] = {}
    header: dict[str, Any] = {"__metadata__": metadata | {"crc32": "0" * 8}}
    end = 0
    for spec in sorted(specs, key=lambda spec: -np.dtype(spec.dtype).itemsize):
        start, end = end, end + spec.bytes
        places[spec.name] = start, end
        header[spec.name] = {"dtype": _CODES[spec.dtype], "shape": spec.shape, "data_offsets": [start, end]}
    data = 8 + -(-len(canonical(header)) // 8) * 8
    crc = zlib.crc32(canonical(metadata))
    with replacing(path) as temporary, temporary.open("wb") as file:
        for name, pieces in contents:
            start, stop = places.pop(name)
            file.seek(data + start)
            for piece in pieces:
                file.write(piece)
                crc = zlib.crc32(piece, crc)
            if file.tell() != data + stop:
                raise TritweaveError(
                    f"{name} has {file.tell() - data - start} bytes where {stop - start} were expected"
                )
        if places:
            raise TritweaveError(f"{next(iter(places))} is missing")
        header["__metadata__"]["crc32"] = f"{crc:08x}"
        file.seek(0)
        file.write((data - 8).to_bytes(8, "little") + canonical(header).ljust(data - 8))


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
