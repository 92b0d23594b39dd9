"""Files with one bit wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from golden.errors import TritweaveError


def flipped_bits(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """A safetensors file with each of its bits flipped, but for spaces behind the header; whether it is a tensor's."""
    data = 8 + int.from_bytes(content[:8], "little")
    spaces = len(content[:data].rstrip(b" "))
    for bit in range(8 * len(content)):
        if not spaces <= bit // 8 < data:
            damaged = bytearray(content)
            damaged[bit // 8] ^= 1 << bit % 8
            yield bytes(damaged), bit >= 8 * data


def check_flipped_bits(path: Path, *readers: Callable[[Path], object]) -> None:
    """Every reader refuses the file with any bit flipped, and calls it damaged where the bit is a tensor's."""
    for damaged, of_tensor in flipped_bits(path.read_bytes()):
        path.write_bytes(damaged)
        for reader in readers:
            with pytest.raises(TritweaveError) as caught:
                reader(path)
            assert not of_tensor or "the file is damaged" in str(caught.value)
