import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from golden.errors import TritweaveError
from golden.files.safetensors_reader import read_safetensors_header

PLAIN = {"dtype": "U8", "shape": [2, 3], "data_offsets": [0, 6]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.safetensors"


def store(path: Path, header: object, data: bytes = bytes(6)) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_tensors_of_the_package_are_read_one_by_one(path):
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([1, 2], np.float16),
        "c": np.array([[-1], [1]], np.int8),
        "none": np.zeros((0, 4), np.float64),
    }
    save_file(tensors, path, {"k": "v"})
    header = read_safetensors_header(path)
    assert header.metadata == {"k": "v"}
    assert header.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(header.tensors[name].array(), tensor)
        assert header.tensors[name].array().dtype == tensor.dtype


def test_bfloat16_become_float32(path):
    # The upper halves of the float32 1.0, -2.0 and 3.140625.
    store(path, {"x": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}, bytes.fromhex("80 3f 00 c0 49 40"))
    assert read_safetensors_header(path).tensors["x"].array().tolist() == [1.0, -2.0, 3.140625]


def test_a_type_that_is_no_number_here_is_named_when_it_is_read(path):
    store(path, {"x": {"dtype": "F8_E4M3", "shape": [6], "data_offsets": [0, 6]}})
    with pytest.raises(TritweaveError, match="x has type F8_E4M3; numbers are BOOL, U8, I8"):
        read_safetensors_header(path).tensors["x"].array()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"not json", "holds JSON that cannot be read: Expecting value"),
        (b"\xff\xfe", "holds JSON that cannot be read: "),
        (b"[" * 100_000, "holds JSON that cannot be read: "),
        (b'{"a":' + b"9" * 5000 + b"}", "holds JSON that cannot be read: "),
        (b"[]", "holds JSON that is no object"),
        (b'{"a":{},"a":{}}', "names 'a' twice"),
        (b'{"a":{"dtype":"U8","dtype":"I8"}}', "names 'dtype' twice"),
        ({"__metadata__": []}, "__metadata__ is no object of strings"),
        ({"__metadata__": {"a": 1}}, "__metadata__ is no object of strings"),
        ({"a": 1}, "a lacks one of data_offsets, dtype, shape"),
        ({"a": {"dtype": "U8", "shape": [6]}}, "a lacks one of data_offsets"),
        ({"a": PLAIN | {"dtype": 8}}, "a lacks one of data_offsets"),
        ({"a": PLAIN | {"shape": [-2, -3]}}, r"a has shape \[-2, -3\]"),
        ({"a": PLAIN | {"shape": [2.0, 3]}}, r"a has shape \[2.0, 3\]"),
        ({"a": PLAIN | {"shape": [True, 6]}}, r"a has shape \[True, 6\]"),
        ({"a": PLAIN | {"shape": 6}}, "a has shape 6"),
        ({"a": PLAIN | {"shape": [1] * 9}}, "a has shape .* up to 8 dimensions"),
        ({"a": PLAIN | {"shape": [2**40, 2**40]}}, r"a has shape \[1099511627776, 1099511627776\]"),
        ({"a": PLAIN | {"shape": [7]}}, r"a has 6 bytes where U8 of shape \(7,\) has 7"),
        ({"a": PLAIN | {"dtype": "F32"}}, "a has 6 bytes where F32 of shape .* has 24"),
        ({"a": PLAIN | {"data_offsets": [6, 0]}}, "a has -6 bytes"),
        ({"a": PLAIN | {"data_offsets": [0]}}, "a has data_offsets .*; they are two whole numbers"),
        ({"a": PLAIN | {"data_offsets": [0.0, 6.0]}}, "a has data_offsets .*; they are two whole numbers"),
        ({"a": PLAIN | {"data_offsets": [1, 7]}}, r"a has bytes \d+ to \d+; the tensors have \d+ to \d+"),
        ({"a": PLAIN | {"data_offsets": [-6, 0]}}, r"a has bytes \d+ to \d+; the tensors have \d+ to \d+"),
        ({"a": PLAIN | {"data_offsets": [2**62, 2**62 + 6]}}, r"a has bytes \d+ to \d+; the tensors have"),
        ({"a": PLAIN, "b": PLAIN}, "b and a share bytes"),
        (
            {"a": PLAIN | {"shape": [4], "data_offsets": [0, 4]}, "b": PLAIN | {"shape": [3], "data_offsets": [3, 6]}},
            "b and a share bytes",
        ),
    ],
)
def test_a_hostile_header_is_one_clear_error(path, header, message):
    store(path, header)
    with pytest.raises(TritweaveError, match=f"^{re.escape(str(path))}:? {message}"):
        read_safetensors_header(path)


@pytest.mark.parametrize("length", [2**64 - 1, 100_000_001, 7])
def test_a_header_longer_than_the_file_is_refused_before_it_is_read(path, length):
    path.write_bytes(struct.pack("<Q", length) + bytes(6))
    with pytest.raises(TritweaveError, match=f"its header has {length} bytes, the file 14"):
        read_safetensors_header(path)


def test_a_file_cut_anywhere_is_refused(path):
    store(path, {"a": PLAIN})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(TritweaveError, match=re.escape(str(path))):
            read_safetensors_header(path)


def test_a_file_with_a_flipped_bit_is_read_or_refused(path):
    store(path, {"__metadata__": {"k": "v"}, "a": PLAIN, "b": PLAIN | {"data_offsets": [6, 12]}}, bytes(12))
    content = path.read_bytes()
    for bit in range(8 * (len(content) - 12)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            read_safetensors_header(path)
        except TritweaveError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right, another error is not


def test_a_file_that_shrinks_after_its_header_was_read_is_named(path):
    store(path, {"a": PLAIN})
    tensor = read_safetensors_header(path).tensors["a"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TritweaveError, match="ends in the middle of a"):
        tensor.array()
    path.unlink()
    with pytest.raises(TritweaveError, match=f"cannot read {path}: No such file"):
        tensor.array()


def test_a_missing_file_is_named(path):
    with pytest.raises(TritweaveError, match=f"cannot read {path}: No such file"):
        read_safetensors_header(path)


def test_bytes_of_no_tensor_are_refused_as_the_reference_reader_does(tmp_path):
    for start, more in ((0, 1), (4, 0)):
        header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [start, start + 4]}}).encode()
        path = tmp_path / "x.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(start + 4 + more))
        with pytest.raises(SafetensorError):
            load_file(path)
        with pytest.raises(TritweaveError, match=r"bytes .*are of no tensor"):
            read_safetensors_header(path)
