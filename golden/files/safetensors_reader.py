"""The header of a safetensors file, read without its tensors, so that files larger than the memory can be used.

Format
    A little-endian 64-bit length, as many bytes of JSON, then the tensors. The JSON is an object: each name has
    ``dtype``, ``shape`` and ``data_offsets``, its first byte and the one behind its last, counted from the end of the
    JSON; ``__metadata__`` is an object of strings.
"""

import json
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple

from golden.errors import TritweaveError
from golden.files.stored import StoredTensor, check_places, check_shape

HEADER_LIMIT: Final = 100_000_000
"""Bytes of JSON at most, as in the reference reader."""

_BYTES: Final = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}


class SafetensorsHeader(NamedTuple):
    """What a safetensors file says of itself."""

    tensors: dict[str, StoredTensor]
    metadata: dict[str, str]


def read_safetensors_header(path: Path) -> SafetensorsHeader:
    """Read and check the header; every byte behind it is of one tensor, as the reference reader has it too."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, HEADER_LIMIT):
                raise TritweaveError(
                    f"{path} is not a whole safetensors file: "
                    f"its header has {length} bytes, the file {size}; at most {HEADER_LIMIT} are read"
                )
            text = file.read(length)
    except OSError as error:
        raise TritweaveError(f"cannot read {path}: {error.strerror}") from error
    header = parse_json(path, text)
    metadata = header.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())):
        raise TritweaveError(f"{path}: __metadata__ is no object of strings")
    tensors = {name: _tensor(path, name, entry, 8 + length) for name, entry in header.items()}
    check_places(path, tensors.values(), 8 + length, size, whole=True)
    return SafetensorsHeader(tensors, metadata)


def parse_json(path: Path, text: bytes) -> dict[str, Any]:
    """The JSON object that `text`, from `path`, is; a key must not come twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise TritweaveError(f"{path} names {twice[:80]!r} twice")
        return found

    try:
        parsed = json.loads(text, object_pairs_hook=unique)
    except TritweaveError:
        raise
    except (ValueError, RecursionError) as error:
        raise TritweaveError(f"{path} holds JSON that cannot be read: {error}") from error
    if not isinstance(parsed, dict):
        raise TritweaveError(f"{path} holds JSON that is no object")
    return parsed


def _tensor(path: Path, name: str, entry: Any, data: int) -> StoredTensor:
    keys = {"dtype", "shape", "data_offsets"}
    if not (isinstance(entry, dict) and keys <= entry.keys() and isinstance(entry["dtype"], str)):
        raise TritweaveError(f"{path}: {name} lacks one of {', '.join(sorted(keys))}")
    dtype, offsets = entry["dtype"], entry["data_offsets"]
    shape = check_shape(path, name, entry["shape"])
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(offset) is int for offset in offsets)):
        raise TritweaveError(f"{path}: {name} has data_offsets {str(offsets)[:80]}; they are two whole numbers")
    size = offsets[1] - offsets[0]
    if size < 0 or (dtype in _BYTES and size != prod(shape) * _BYTES[dtype]):
        raise TritweaveError(
            f"{path}: {name} has {size} bytes where {dtype} of shape {shape} has {prod(shape) * _BYTES.get(dtype, 0)}"
        )
    return StoredTensor(name, dtype, shape, path, data + offsets[0], size)
