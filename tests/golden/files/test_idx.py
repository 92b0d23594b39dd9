import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden
from golden.errors import TritweaveError
from golden.files.idx import read_idx

MATRIX = bytes.fromhex("00 00 08 02  00 00 00 02  00 00 00 03  01 02 03 fd fe ff")
VECTOR = bytes.fromhex("00 00 08 01  00 00 00 04  07 00 80 ff")
NAMES = ["file.idx", "file.gz"]


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return path


def array_or_error(path: Path) -> np.ndarray | str:
    try:
        return read_idx(path)
    except TritweaveError as error:
        return str(error)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (MATRIX, [[1, 2, 3], [253, 254, 255]]),
        (VECTOR, [7, 0, 128, 255]),
        (bytes.fromhex("00 00 08 03  00 00 00 01  00 00 00 02  00 00 00 01  05 06"), [[[5], [6]]]),
        (bytes.fromhex("00 00 08 01  00 00 00 00"), []),
    ],
)
def test_known_files_plain_and_compressed(tmp_path, name, content, expected):
    array = read_idx(write(tmp_path, name, content))
    assert array.dtype == np.uint8
    assert array.tolist() == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_anywhere_is_refused(tmp_path, name):
    whole = write(tmp_path, name, MATRIX).read_bytes()
    path = tmp_path / f"cut-{name}"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(TritweaveError, match=str(path)):
            read_idx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with ; an IDX file of bytes starts with 00 00 08"),
        (b"\0\0\x08", "starts with 00 00 08; an IDX file of bytes starts"),
        (b"\0\0\x0d" + MATRIX[3:], "starts with 00 00 0d 02; an IDX file of bytes starts with 00 00 08"),
        (b"\x01\0\x08" + MATRIX[3:], "starts with 01 00 08 02"),
        (gzip.compress(MATRIX, mtime=0), "starts with 1f 8b 08 00"),
        (MATRIX[:-1], r"has 17 bytes where its header, shape \(2, 3\), makes 18"),
        (MATRIX + b"\0", r"has 19 bytes where its header, shape \(2, 3\), makes 18"),
        (MATRIX[:9], "has 9 bytes where its header"),
        (
            bytes((0, 0, 8, 2)) + b"\xff" * 8,
            r"has 12 bytes where its header, shape \(4294967295, 4294967295\), makes 18446744065119617037",
        ),
        (bytes((0, 0, 8, 255)) + bytes((0, 0, 0, 1)) * 255 + b"x", "has a shape of 255 dimensions that no array takes"),
        (bytes((0, 0, 8, 4)) + bytes(4) + b"\xff" * 12, "has a shape of 4 dimensions that no array takes"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, message):
    with pytest.raises(TritweaveError, match=f"file.idx {message}"):
        read_idx(write(tmp_path, "file.idx", content))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(TritweaveError, match=f"cannot read IDX file {tmp_path / name}: No such file"):
        read_idx(tmp_path / name)


def test_a_compressed_file_that_is_no_gzip_is_refused(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(MATRIX)
    with pytest.raises(TritweaveError, match=f"{path} is not a whole gzip file: Not a gzipped file"):
        read_idx(path)


def test_no_bit_flipped_in_a_compressed_file_goes_unnoticed(tmp_path):
    path = write(tmp_path, "file.gz", MATRIX)
    whole, harmless = path.read_bytes(), 0
    for bit in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = array_or_error(path)
        if isinstance(found, str):
            assert found.startswith(f"{path} is not a whole gzip file: ")
        else:
            assert found.tolist() == [[1, 2, 3], [253, 254, 255]]
            harmless += 1
    # Time, flags and system in the header and the bits after the last code say nothing about the content.
    assert harmless < 8 * 8


@given(st.binary(max_size=40), st.integers(0, 4))
def test_any_bytes_give_an_array_of_them_or_an_error(tmp_path_factory, body, dimensions):
    content = bytes((0, 0, 8, dimensions)) + body
    path = write(tmp_path_factory.getbasetemp(), "any.idx", content)
    found = array_or_error(path)
    if isinstance(found, str):
        assert found.startswith(f"{path} has ")
    else:
        assert found.ndim == dimensions
        assert found.tobytes() == content[4 + 4 * dimensions :]


def test_the_test_images_of_the_repository_are_whole():
    folder = Path(next(iter(golden.__path__))) / "data"
    assert read_idx(folder / "t10k-images-idx3-ubyte.gz").shape == (10_000, 28, 28)
    labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz")
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
