"""Sources of the numpy kind: one array as .npy, or several by name as .npz."""

import zipfile
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gen.imports.damage import ZIP_ERRORS, one_line
from gen.imports.tensor_source import TensorSource
from gen.imports.weights import Reading
from golden.errors import TritweaveError
from golden.files.stored import LoadedTensor

_TYPES: Final = {
    "b1": "BOOL",
    "u1": "U8",
    "i1": "I8",
    "i2": "I16",
    "i4": "I32",
    "i8": "I64",
    "f2": "F16",
    "f4": "F32",
    "f8": "F64",
}
"""Types by numpy's kind and width; the order of the bytes is the array's."""


def open_npy(path: Path, reading: Reading) -> TensorSource:
    """A source of one array, called like the file."""
    with path.open("rb") as file:
        tensor = _header(path, path.stem, file, path.stat().st_size, lambda: _loaded(path, None))
    return TensorSource(path, "npy", {path.stem: tensor}, {}, "an array has no configuration", reading)


def open_npz(path: Path, reading: Reading) -> TensorSource:
    """A source of the arrays in a zip file."""
    tensors = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if name in tensors:
                    raise TritweaveError(f"{path} names {name[:80]!r} twice")
                with archive.open(member) as file:
                    tensors[name] = _header(path, name, file, member.file_size, lambda name=name: _loaded(path, name))
    except TritweaveError:
        raise
    except ZIP_ERRORS as error:
        raise TritweaveError(f"{path} is not a whole npz file: {one_line(error)}") from error
    return TensorSource(path, "npz", tensors, {}, "arrays have no configuration", reading)


def _header(path: Path, name: str, file: Any, size: int, load: Any) -> LoadedTensor:
    """A tensor by the header of its array; its length must be what the header says."""
    stream: BinaryIO = file
    try:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise TritweaveError(f"{path}: {name} has version {version} of npy; (1, 0) and (2, 0) are read")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(stream)
    except TritweaveError:
        raise
    # A damaged header fails in whatever way numpy's parser of Python literals does.
    except Exception as error:
        raise TritweaveError(f"{path}: {name} is no array of numpy: {one_line(error)}") from error
    if dtype.hasobject:
        raise TritweaveError(f"{path}: {name} holds Python objects, which are code; save it as an array of numbers")
    expected = prod(shape) * dtype.itemsize
    if size - stream.tell() != expected:
        raise TritweaveError(
            f"{path}: {name} has {size - stream.tell()} bytes where {dtype} of shape {shape} has {expected}"
        )
    return LoadedTensor(name, _TYPES.get(dtype.str[1:], str(dtype)), tuple(shape), expected, load)


def _loaded(path: Path, name: str | None) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            array = found if name is None else found[name]
    except (*ZIP_ERRORS, SyntaxError) as error:
        raise TritweaveError(f"cannot read {name or 'the array'} of {path}: {one_line(error)}") from error
    return array.astype(array.dtype.newbyteorder("<"), copy=False)
