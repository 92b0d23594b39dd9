"""Sources of the PyTorch kind: the tensors of a .pt or .pth file, read without PyTorch and without running its pickle.

Format
    A zip file, not compressed, all of whose members lie in one folder: ``data.pkl``, the pickle of a state dict or of
    dicts around one; ``data/KEY``, the numbers of the storages; ``byteorder``, where it is there, ``little``. Since
    PyTorch 1.6; before, a file was several pickles in a row.
"""

import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gen.imports.damage import ZIP_ERRORS, one_line
from gen.imports.pickled import Placed, read_pickle
from gen.imports.tensor_source import TensorSource
from gen.imports.weights import Reading
from golden.errors import TritweaveError
from golden.files.stored import DTYPES, LoadedTensor, widened

LEGACY_MAGIC: Final = bytes.fromhex("80 02 8a 0a 6c fc 9c 46 f9 20 6a a8 50 19")
"""How files of before 1.6 begin."""
STATES: Final = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights", "params")
"""What the state dict is called where other things, such as an optimiser's state, lie beside it."""

_DEPTH, _ITEMS, _PICKLE = 8, 1 << 18, 1 << 28


def open_pytorch(path: Path, reading: Reading) -> TensorSource:
    """A source from a zip file of PyTorch."""
    try:
        with zipfile.ZipFile(path) as archive:
            folder, members = _members(path, archive)
            found = read_pickle(path, archive.read(members[f"{folder}/data.pkl"]))
            order = archive.read(members[f"{folder}/byteorder"]) if f"{folder}/byteorder" in members else b"little"
    except TritweaveError:
        raise
    except ZIP_ERRORS as error:
        raise TritweaveError(f"{path} is not a whole PyTorch file: {one_line(error)}") from error
    if order != b"little":
        raise TritweaveError(f"{path} has the byte order {order[:8]!r}; little is read")
    chosen = next((key for key in STATES if isinstance(found, dict) and isinstance(found.get(key), dict)), None)
    placed: dict[str, Placed] = {}
    for name, tensor in _walk(path, found if chosen is None else found[chosen]):
        if name in placed:
            raise TritweaveError(f"{path} names {name[:80]!r} twice")
        placed[name] = tensor
    tensors = {name: _tensor(path, folder, members, name, tensor) for name, tensor in placed.items()}
    source = TensorSource(path, "PyTorch", tensors, {}, "a state dict has no configuration", reading)
    if chosen:
        others = [str(key) for key in found if key != chosen]
        source.say(f"read is {chosen!r}" + (f", beside which {', '.join(others)} is not" if others else ""))
    return source


def _members(path: Path, archive: zipfile.ZipFile) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """The folder in the archive, and its files."""
    members = {member.filename: member for member in archive.infolist()}
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1 or len(members) != len(archive.infolist()):
        raise TritweaveError(f"{path} is a zip file without one data.pkl; PyTorch's have one, numpy's are called .npz")
    folder = pickles[0].removesuffix("/data.pkl")
    if f"{folder}/constants.pkl" in members or any(name.startswith(f"{folder}/code/") for name in members):
        raise TritweaveError(f"{path} is a TorchScript program, which is code; save its state_dict()")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
        raise TritweaveError(f"{path} is compressed, as PyTorch never writes its files")
    if members[pickles[0]].file_size > _PICKLE:
        raise TritweaveError(
            f"{path} has a pickle of {members[pickles[0]].file_size} bytes; at most {_PICKLE} are read"
        )
    return folder, members


def _walk(path: Path, found: Any) -> Iterator[tuple[str, Placed]]:
    """Tensors by name; those in dicts and lists below have names with dots."""
    ahead, count = [("", found, 0)], 0
    while ahead:
        name, value, depth = ahead.pop()
        count += 1
        if depth > _DEPTH or count > _ITEMS:
            raise TritweaveError(f"{path} has dicts in dicts, deeper than {_DEPTH} or with more than {_ITEMS} items")
        if isinstance(value, Placed):
            yield name or "tensor", value
        elif isinstance(value, (dict, list, tuple)):
            items = list(value.items() if isinstance(value, dict) else enumerate(value))
            ahead += [(f"{name}.{key}" if name else str(key), item, depth + 1) for key, item in reversed(items)]


def _tensor(path: Path, folder: str, members: dict[str, zipfile.ZipInfo], name: str, placed: Placed) -> LoadedTensor:
    storage = placed.storage
    member = f"{folder}/data/{storage.key}"
    width = np.dtype(DTYPES[storage.type]).itemsize
    if member not in members or members[member].file_size != storage.numbers * width:
        size = members[member].file_size if member in members else "no"
        raise TritweaveError(
            f"{path}: {name} lies in {member}, which has {size} bytes where {storage.numbers * width} are needed"
        )

    def load() -> NDArray[Any]:
        try:
            with zipfile.ZipFile(path) as archive:
                content = archive.read(member)
        except ZIP_ERRORS as error:
            raise TritweaveError(f"cannot read {name} of {path}: {one_line(error)}") from error
        values = np.frombuffer(content, DTYPES[storage.type])[placed.offset :]
        steps = [step * width for step in placed.strides]
        view = np.lib.stride_tricks.as_strided(values, placed.shape, steps, writeable=False)
        return widened(view) if storage.type == "BF16" else view

    return LoadedTensor(name, storage.type, placed.shape, prod(placed.shape) * width, load)
