"""The header of a GGUF file, read without its tensors.

Format
    Little-endian: ``GGUF``, the version (2 or 3), the numbers of tensors and of metadata; the metadata, each a key, a
    type and a value; for each tensor its name, dimensions (fastest first), type and offset. The offsets count from the
    end of the header, rounded up to ``general.alignment`` (32 unless given). A string is its length in 64 bits and its
    bytes; an array its items' type, their number in 64 bits, and the items.

Sources: ``docs/gguf.md`` of ggml; ``ggml.h`` of bitnet.cpp for I2_S.
"""

import struct
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from golden.errors import TritweaveError
from golden.files.packing_gguf import BLOCK, BLOCK_BYTES
from golden.files.packing_i2s import I2S_TAIL
from golden.files.stored import StoredTensor, check_places, check_shape

_TYPES: Final = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", BLOCK, BLOCK_BYTES["TQ1_0"]),
    35: ("TQ2_0", BLOCK, BLOCK_BYTES["TQ2_0"]),
    36: ("I2_S", 4, 1),
}
"""Name, values in a block, bytes of a block; other types are listed by number and not read."""

_SCALARS: Final = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_STRING_LIMIT, _ITEM_LIMIT, _ARRAY_LIMIT = 1 << 16, 1 << 24, 1 << 12


class GgufHeader(NamedTuple):
    """What a GGUF file says of itself."""

    tensors: dict[str, StoredTensor]
    metadata: dict[str, int | float | bool | str | list[int | float]]
    """Numbers, short strings and short arrays of numbers; other arrays and long strings are left out."""


def read_gguf_header(path: Path) -> GgufHeader:
    """Read and check the header; the tensors lie inside the file, and no two of them share bytes."""
    try:
        with path.open("rb") as file:
            return _Reader(path, file, path.stat().st_size).header()
    except OSError as error:
        raise TritweaveError(f"cannot read {path}: {error.strerror}") from error


class _Reader:
    """The header's parts in order; no length is believed before it is known to fit into the file."""

    def __init__(self, path: Path, file: BinaryIO, size: int):
        self.path, self.file, self.size = path, file, size

    def header(self) -> GgufHeader:
        """All of it."""
        if (magic := self.file.read(4)) != b"GGUF":
            raise TritweaveError(f"{self.path} starts with {magic.hex(' ')}; a GGUF file starts with 47 47 55 46")
        version = self._number("I")
        if version not in (2, 3):
            raise TritweaveError(f"{self.path} is GGUF version {version}; 2 and 3, little-endian, are read")
        tensors, metadata = self._number("Q"), self._number("Q")
        values = dict(self._unique(metadata, self._metadata))
        alignment = values.get("general.alignment", 32)
        if not (isinstance(alignment, int) and 8 <= alignment <= 1 << 20 and alignment % 8 == 0):
            raise TritweaveError(f"{self.path} has the alignment {alignment}; it is a multiple of 8 up to 1048576")
        found = dict(self._unique(tensors, self._tensor))
        start = -(-self.file.tell() // alignment) * alignment
        placed = {name: tensor._replace(start=start + tensor.start) for name, tensor in found.items()}
        check_places(self.path, placed.values(), start, self.size)
        return GgufHeader(placed, {name: value for name, value in values.items() if value is not None})

    def _unique(self, count: int, read: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(count):
            name, value = read()
            if name in found:
                raise TritweaveError(f"{self.path} names {name[:80]!r} twice")
            found[name] = value
        return found

    def _metadata(self) -> tuple[str, Any]:
        key = self._string()
        return str(key), self._value(self._number("I"), str(key))

    def _value(self, kind: int, key: str) -> Any:
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind == _STRING:
            return self._string(long=True)
        if kind != _ARRAY:
            raise TritweaveError(f"{self.path}: {key[:80]} has a value of unknown type {kind}")
        item, count = self._number("I"), self._number("Q")
        if item in _SCALARS and count <= _ARRAY_LIMIT:
            return [self._number(_SCALARS[item]) for _ in range(count)]
        if item in _SCALARS:
            self._skip(count * struct.calcsize(_SCALARS[item]))
        elif item == _STRING and count <= _ITEM_LIMIT:
            for _ in range(count):
                self._string(long=True)
        else:
            raise TritweaveError(f"{self.path}: {key[:80]} is an array of {count} items of type {item}")
        return None

    def _tensor(self) -> tuple[str, StoredTensor]:
        name, dimensions = str(self._string()), self._number("I")
        if dimensions > 4:
            raise TritweaveError(f"{self.path}: {name[:80]} has {dimensions} dimensions; a tensor has up to 4")
        lengths = [self._number("Q") for _ in range(dimensions)]
        shape = check_shape(self.path, name, lengths[::-1], 4)
        kind, offset = self._number("I"), self._number("Q")
        type_name, block, size = _TYPES.get(kind, (f"type {kind}", 1, 0))
        if lengths and lengths[0] % block and type_name != "I2_S":
            raise TritweaveError(
                f"{self.path}: {name} has rows of {lengths[0]} where {type_name} has blocks of {block}"
            )
        tail = I2S_TAIL if type_name == "I2_S" else 0
        return name, StoredTensor(name, type_name, shape, self.path, offset, prod(shape) // block * size + tail)

    def _number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self._take(struct.calcsize(code)))[0]

    def _string(self, long: bool = False) -> str | None:
        """The next string; a long one, where it may be, is passed over."""
        length = self._number("Q")
        if long and length > _STRING_LIMIT:
            self._skip(length)
            return None
        if length > _STRING_LIMIT:
            raise TritweaveError(f"{self.path} has a name of {length} bytes; at most {_STRING_LIMIT} are read")
        return self._take(length).decode(errors="replace")

    def _take(self, count: int) -> bytes:
        content = self.file.read(count)
        if len(content) != count:
            raise TritweaveError(f"{self.path} is not a whole GGUF file: it ends inside its header")
        return content

    def _skip(self, count: int) -> None:
        if self.file.tell() + count > self.size:
            raise TritweaveError(f"{self.path} is not a whole GGUF file: it ends inside its header")
        self.file.seek(count, 1)
