import re
import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.files.gguf import read_gguf_header

STRING, UINT32, ARRAY = 8, 4, 9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.gguf"


def text(value: str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(content)) + content


def tensor(name: str, dimensions: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<{len(dimensions)}Q", *dimensions)
    return text(name) + struct.pack("<I", len(dimensions)) + sizes + struct.pack("<IQ", kind, offset)


def value(key: str, kind: int, content: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + content


def store(
    path: Path,
    tensors: list[bytes],
    metadata: list[bytes] = (),  # pyright: ignore[reportArgumentType] - nothing is as good as a list
    *,
    counts: tuple[int, int] | None = None,
    data: int = 256,
    start: bytes = b"GGUF\x03\x00\x00\x00",
) -> None:
    header = start + struct.pack("<QQ", *(counts or (len(tensors), len(metadata)))) + b"".join((*metadata, *tensors))
    path.write_bytes(header + bytes(-len(header) % 32) + bytes(data))


def test_what_the_package_writes_is_read(path):
    writer = gguf.GGUFWriter(path, "bitnet")
    writer.add_block_count(3)
    writer.add_array("tokens", ["a", "bc"] * 100)
    writer.add_array("numbers", [1.5, 2.5])
    writer.add_string("long", "x" * 100_000)
    writer.add_bool("yes", True)
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    packed = gguf.quants.quantize(np.ones((4, 512), np.float32), gguf.GGMLQuantizationType.TQ1_0)
    writer.add_tensor("plain", plain)
    writer.add_tensor("packed", packed, raw_dtype=gguf.GGMLQuantizationType.TQ1_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_gguf_header(path)
    numbers = {"bitnet.block_count": 3, "yes": True, "numbers": [1.5, 2.5]}
    assert header.metadata == {"general.architecture": "bitnet"} | numbers
    np.testing.assert_array_equal(header.tensors["plain"].array(), plain)
    stored = header.tensors["packed"]
    assert (stored.type, stored.shape, stored.size) == ("TQ1_0", (4, 512), 4 * 108)
    np.testing.assert_array_equal(stored.raw().reshape(4, 108), packed)


def test_i2s_has_a_scale_behind_its_codes(path):
    store(path, [tensor("x", (128, 2), 36)], data=96)
    assert read_gguf_header(path).tensors["x"].size == 128 * 2 // 4 + 32


def test_an_unknown_type_is_listed_by_its_number(path):
    store(path, [tensor("x", (32, 2), 38)])
    assert read_gguf_header(path).tensors["x"].type == "type 38"


def test_the_alignment_of_the_metadata_counts(path):
    store(path, [tensor("x", (2,))], [value("general.alignment", UINT32, struct.pack("<I", 64))], data=64)
    stored = read_gguf_header(path).tensors["x"]
    assert stored.start % 64 == 0


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: store(path, [], start=b"GGML\x03\x00\x00\x00"), "starts with 47 47 4d 4c; a GGUF file starts"),
        (lambda path: path.write_bytes(b""), "starts with ; a GGUF file"),
        (lambda path: store(path, [], start=b"GGUF\x01\x00\x00\x00"), "is GGUF version 1; 2 and 3"),
        (lambda path: store(path, [], start=b"GGUF\x00\x00\x00\x03"), "is GGUF version 50331648; 2 and 3, little-end"),
        (lambda path: store(path, [tensor("x", (1,))] * 2), "names 'x' twice"),
        (lambda path: store(path, [], [value("k", UINT32, bytes(4))] * 2), "names 'k' twice"),
        (lambda path: store(path, [], counts=(2**63, 0), data=0), "it ends inside its header"),
        (lambda path: store(path, [], counts=(0, 2**63), data=0), "it ends inside its header"),
        (lambda path: store(path, [struct.pack("<Q", 2**63)]), "has a name of 9223372036854775808 bytes"),
        (lambda path: store(path, [struct.pack("<Q", 60_000)]), "it ends inside its header"),
        (lambda path: store(path, [], [value("k", STRING, struct.pack("<Q", 2**62))]), "it ends inside its header"),
        (lambda path: store(path, [], [value("k", 13, b"")]), "k has a value of unknown type 13"),
        (lambda path: store(path, [], [value("k", ARRAY, struct.pack("<IQ", 4, 2**62))]), "ends inside its header"),
        (lambda path: store(path, [], [value("k", ARRAY, struct.pack("<IQ", 8, 2**40))]), "k is an array of 10995116"),
        (lambda path: store(path, [], [value("k", ARRAY, struct.pack("<IQ", 9, 1))]), "k is an array of 1 items of t"),
        (lambda path: store(path, [], [value("general.alignment", UINT32, bytes(4))]), "has the alignment 0"),
        (lambda path: store(path, [tensor("x", (1,) * 5)]), "x has 5 dimensions; a tensor has up to 4"),
        (lambda path: store(path, [tensor("x", (2**40, 2**40))]), "x has shape"),
        (lambda path: store(path, [tensor("x", (100, 2), 34)]), "x has rows of 100 where TQ1_0 has blocks of 256"),
        (lambda path: store(path, [tensor("x", (65,))]), r"x has bytes \d+ to \d+; the tensors have"),
        (lambda path: store(path, [tensor("x", (1,), 0, 2**63)]), r"x has bytes \d+ to \d+; the tensors have"),
        (lambda path: store(path, [tensor("x", (8,)), tensor("y", (8,), 0, 28)]), "y and x share bytes"),
    ],
)
def test_a_hostile_header_is_one_clear_error(path: Path, write: Callable[[Path], None], message: str) -> None:
    write(path)
    with pytest.raises(TritweaveError, match=f"^{re.escape(str(path))}:? .*{message}"):
        read_gguf_header(path)


def test_a_file_cut_anywhere_or_with_a_flipped_bit_is_read_or_refused(path):
    metadata = [value("a", UINT32, bytes(4)), value("b", STRING, text("word")), value("c", ARRAY, bytes(12))]
    store(path, [tensor("x", (256, 2), 35), tensor("y", (4,), 0, 132)], metadata, data=160)
    content = path.read_bytes()
    for length in range(len(content) - 12):
        path.write_bytes(content[:length])
        with pytest.raises(TritweaveError, match=re.escape(str(path))):
            read_gguf_header(path)
    for bit in range(8 * (len(content) - 160)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            read_gguf_header(path)
        except TritweaveError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right, another error is not
