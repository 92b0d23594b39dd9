"""Fields of fixed sizes, one behind the other, little-endian: what a device says of itself."""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from golden.errors import TritweaveError

_OTHER_VERSION = "it was built by another version of tritweave"


def field_bytes(layout: Mapping[str, int], values: Mapping[str, int]) -> bytes:
    """The fields of a layout, name to bytes, that have a value."""
    return b"".join(int(values[name]).to_bytes(size, "little") for name, size in layout.items() if name in values)


def read_fields(layout: Mapping[str, int], content: bytes) -> dict[str, int]:
    """The values of all fields; an error if the content is not as long as they are."""
    if len(content) != sum(layout.values()):
        raise TritweaveError(
            f"the device sent {len(content)} bytes of fields where {sum(layout.values())} were expected; "
            f"{_OTHER_VERSION}"
        )
    values, at = {}, 0
    for name, size in layout.items():
        values[name] = int.from_bytes(content[at : at + size], "little")
        at += size
    return values


def config_of(layout: Mapping[str, int], names: Iterable[str], values: Mapping[str, int]) -> int:
    """The CRC-32 of the fields that a host depends on."""
    return zlib.crc32(field_bytes(layout, {name: values[name] for name in names}))


def identity_bytes(layout: Mapping[str, int], names: Iterable[str], values: Mapping[str, int]) -> bytes:
    """What a device is, ``config`` in front of the values."""
    return field_bytes(layout, {"config": config_of(layout, names, values), **values})


def read_identity(layout: Mapping[str, int], names: Iterable[str], content: bytes) -> dict[str, int]:
    """The values without ``config``; an error if that does not stand for them."""
    values = read_fields(layout, content)
    config, computed = values.pop("config"), config_of(layout, names, values)
    if computed != config:
        raise TritweaveError(
            f"the device's config is {config:08x} where its fields make {computed:08x}; {_OTHER_VERSION}"
        )
    return values


def differences(names: Iterable[str], mine: Any, theirs: Any) -> list[str]:
    """Where fields of two identities differ, one text a field."""
    pairs = [(name, getattr(mine, name), getattr(theirs, name)) for name in names]
    return [f"{name} {first} instead of {second}" for name, first, second in pairs if first != second]
