import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from golden.errors import TritweaveError
from golden.files.safetensors_writer import TensorSpec, write_tensors
from golden.schemes.file import MatrixSpec, read_scheme, write_scheme
from golden.schemes.quantisers import SCHEMES, quantise
from golden.schemes.segmented import SegmentedMatrix
from support.damage import check_flipped_bits

SMALL = SegmentedMatrix(
    np.array([[[1, -1, 0, 1, -1], [0, 0, 1, 1, 1]]], np.int8),
    np.array([[[0.75, 2], [1, -1]]], np.float32),
    (2, 5),
    offsets=np.array([[0.5, 0], [0, 0.25]], np.float32),
    side=np.array([[127], [-1]], np.int8),
    side_scales=np.array([1, 0.5], np.float32),
    order=np.array([5, 0, 1, 2, 3, 4], np.int32),
    input_scales=np.array([1, 2, 1, 1, 1, 0.5], np.float32),
)
# The CRC-32 is over this text, and the tensors of each layer.
SUMMED = (
    '{"format":"tritium-scheme","layers":"[[\\"up\\",\\"int8\\",[2,5]]]","scheme":"mixed",'
    '"source":"a test","version":"1"}'
)
# A trit's code is its two lowest bits, four in a byte, first in the lowest.
BYTES = {
    "planes": "4d 03 50 01",
    "scales": "0000403f 00000040 0000803f 000080bf",
    "offsets": "0000003f 00000000 00000000 0000803e",
    "side": "7f ff",
    "side_scales": "0000803f 0000003f",
    "order": "05000000 00000000 01000000 02000000 03000000 04000000",
    "input_scales": "0000803f 00000040 0000803f 0000803f 0000803f 0000003f",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scheme.safetensors"


def spec(name: str, matrix: SegmentedMatrix) -> MatrixSpec:
    return MatrixSpec(name, matrix.outputs, matrix.structure)


def write(path: Path, **matrices: SegmentedMatrix) -> None:
    specs = [spec(name, matrix) for name, matrix in matrices.items()]
    write_scheme(path, "mixed", "a test", specs, matrices.values())


def assert_same(matrix: SegmentedMatrix, other: SegmentedMatrix) -> None:
    assert (matrix.structure, matrix.activations) == (other.structure, other.activations)
    for part in BYTES:
        np.testing.assert_array_equal(getattr(matrix, part), getattr(other, part))


def test_a_whole_file_byte_by_byte(path):
    write(path, up=SMALL)
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    crc = zlib.crc32(SUMMED.encode() + b"".join(map(bytes.fromhex, BYTES.values())))
    assert header["__metadata__"].pop("crc32") == f"{crc:08x}"
    assert json.dumps(header.pop("__metadata__"), sort_keys=True, separators=(",", ":")) == SUMMED
    assert {name: (entry["dtype"], entry["shape"]) for name, entry in header.items()} == {
        "up.planes": ("U8", [1, 2, 2]),
        "up.scales": ("F32", [1, 2, 2]),
        "up.offsets": ("F32", [2, 2]),
        "up.side": ("I8", [2, 1]),
        "up.side_scales": ("F32", [2]),
        "up.order": ("I32", [6]),
        "up.input_scales": ("F32", [6]),
    }
    for part, text in BYTES.items():
        first, behind = header[f"up.{part}"]["data_offsets"]
        assert content[start + first : start + behind] == bytes.fromhex(text)
    assert load_file(path)["up.order"].tolist() == [5, 0, 1, 2, 3, 4]


def test_layers_of_every_scheme_come_back_and_equal_layers_make_equal_files(path):
    weights = np.random.default_rng(1).normal(size=(3, 140))
    matrices = {name.replace(".", "-"): quantise(name, weights) for name in SCHEMES}
    write(path, **matrices)
    opened = read_scheme(path)
    assert (opened.scheme, list(opened.specs)) == ("mixed", list(matrices))
    for name, matrix in matrices.items():
        assert_same(opened.read(name), matrix)
    again = path.with_name("again")
    write(again, **{name: opened.read(name) for name in opened.specs})
    assert again.read_bytes() == path.read_bytes()
    with pytest.raises(TritweaveError, match="has no layer 'down'; it has b1-58, bitnet"):
        opened.read("down")


def test_an_error_in_the_middle_leaves_what_was_there(path):
    path.write_bytes(b"old")

    def breaking():
        yield SMALL
        raise TritweaveError("no")

    with pytest.raises(TritweaveError, match="no"):
        write_scheme(path, "x", "y", [spec("a", SMALL), spec("b", SMALL)], breaking())
    other = quantise("bwn", np.ones((2, 6)))
    with pytest.raises(TritweaveError, match=r"a is made as .* where .* was expected"):
        write_scheme(path, "x", "y", [spec("a", SMALL)], [other])
    tensors = [TensorSpec("a", "u1", (2,)), TensorSpec("b", "u1", (1,))]
    with pytest.raises(TritweaveError, match="a has 1 bytes where 2 were expected"):
        write_tensors(path, tensors, {}, [("a", [b"1"])])
    with pytest.raises(TritweaveError, match="b is missing"):
        write_tensors(path, tensors, {}, [("a", [b"1", b"2"])])
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_every_flipped_bit_is_refused(path):
    write(path, x=quantise("bwn", np.array([[1.0, -2.0, 0.5]])))
    check_flipped_bits(path, read_scheme)


TENSORS: dict[str, tuple[str, list[int], bytes]] = {
    "x.planes": ("U8", [1, 1, 1], b"\x05"),
    "x.scales": ("F32", [1, 1, 1], struct.pack("<f", 1)),
}
LAYERS = '[["x","int8",[2]]]'


def seal(path: Path, tensors: dict[str, tuple[str, list[int], bytes]], **metadata: str) -> None:
    known = {"format": "tritium-scheme", "version": "1", "layers": LAYERS, "scheme": "s", "source": "t"} | metadata
    text = json.dumps(known, sort_keys=True, separators=(",", ":"))
    known["crc32"] = f"{zlib.crc32(b''.join(data for _, _, data in tensors.values()), zlib.crc32(text.encode())):08x}"
    header: dict[str, object] = {"__metadata__": known}
    content = b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(content), len(content) + len(data)]}
        content += data
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + content)


def test_a_sealed_file_is_read(path):
    seal(path, TENSORS)
    assert read_scheme(path).read("x").planes.tolist() == [[[1, 1]]]


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        (TENSORS, {"format": "other"}, "the metadata say format 'other'"),
        (TENSORS, {"version": "2"}, "version '2'; a scheme file has 'tritium-scheme', version '1'"),
        (TENSORS, {"layers": "[]"}, "no list of names, activations and ends"),
        (TENSORS, {"layers": "x"}, "no list of names"),
        (TENSORS, {"layers": '["x"]'}, "no list of names"),
        (TENSORS, {"layers": '[["x","int8",[]]]'}, "no list of names"),
        (TENSORS, {"layers": '[["x","int8",[-2]]]'}, "no list of names"),
        (TENSORS, {"layers": '[["x","int8",[true]]]'}, "no list of names"),
        (TENSORS, {"layers": "[" * 100_000}, "no list of names"),
        (TENSORS, {"layers": '[["x","int8",[2]],["x","int8",[2]]]'}, "or name one twice"),
        (TENSORS, {"layers": '[["y","int8",[2]]]'}, "y.planes or y.side is missing"),
        (TENSORS, {"layers": '[["x","int8",[9]]]'}, r"x.planes is of shape \(1, 1, 1\); it must be \(1, 1, 3\)"),
        (TENSORS, {"layers": '[["x","int8",[1,2]]]'}, r"x.scales is of shape \(1, 1, 1\); it must be \(1, 1, 2\)"),
        (TENSORS, {"layers": '[["x","int3",[2]]]'}, "x: activations are 'int3'"),
        (TENSORS, {"layers": '[["x","int4-groups",[2]]]'}, "x: int4-groups needs a side path"),
        (TENSORS | {"z": ("U8", [1], b"1")}, {}, "the metadata name other layers than the tensors do: z"),
        (TENSORS | {"x.scales": ("F32", [1, 1, 1], struct.pack("<f", 0))}, {}, "x: all scales are 0"),
        (TENSORS | {"x.scales": ("F32", [1, 1, 1], struct.pack("<f", np.inf))}, {}, "x: scales holds a value that is"),
        (TENSORS | {"x.scales": ("I32", [1, 1, 1], struct.pack("<i", 1))}, {}, "x.scales is int32; it must be float32"),
        (TENSORS | {"x.planes": ("I8", [1, 1, 1], b"\x05")}, {}, "x.planes is int8; it must be uint8"),
        (TENSORS | {"x.side": ("I8", [1, 0], b"")}, {}, "the metadata name other layers than the tensors do: x.side"),
        ({"x.scales": TENSORS["x.scales"]}, {}, "x.planes or x.side is missing"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(path, tensors, metadata, message):
    seal(path, tensors, **metadata)
    with pytest.raises(TritweaveError, match=f"{path}: .*{message}|{path} {message}"):
        read_scheme(path).read("x")
