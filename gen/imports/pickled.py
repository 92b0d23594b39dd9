"""The pickle of a PyTorch file, read without running any of it: containers, numbers, text, and where tensors lie."""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple

from gen.imports.damage import one_line
from golden.errors import TritweaveError

STORAGES: Final = {
    "BoolStorage": "BOOL",
    "ByteStorage": "U8",
    "CharStorage": "I8",
    "ShortStorage": "I16",
    "IntStorage": "I32",
    "LongStorage": "I64",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "FloatStorage": "F32",
    "DoubleStorage": "F64",
}
"""PyTorch's storages of numbers, and what a tensor calls their types."""


class Storage(NamedTuple):
    """A file in the archive that holds the numbers of one or more tensors."""

    key: str
    type: str
    numbers: int


class Placed(NamedTuple):
    """A tensor as the pickle describes it."""

    storage: Storage
    offset: int
    """Numbers before its first."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def end(self) -> int:
        """One more than the place of its last number."""
        if 0 in self.shape:
            return self.offset
        return self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)) + 1


def read_pickle(path: Path, content: bytes) -> Any:
    """What a pickle holds, or an error that names the first thing in it that would be code.

    A file of weights needs four functions of PyTorch and OrderedDict; these are stood in for by functions here, and
    every other name is refused before anything is looked up or called.
    """
    try:
        return _Reader(path, content).load()
    except TritweaveError:
        raise
    # A damaged pickle fails in whatever way its bytes ask for; nothing of ours is called but the functions below.
    except Exception as error:
        raise TritweaveError(f"{path} holds a pickle that cannot be read: {one_line(error)}") from error


class _Reader(pickle.Unpickler):
    def __init__(self, path: Path, content: bytes):
        super().__init__(BytesIO(content))
        self.path = path

    def find_class(self, module_name: str, global_name: str) -> Any:
        """A stand-in for a name, or an error."""
        name = f"{module_name}.{global_name}"
        if module_name in ("torch", "torch.storage") and global_name.endswith("Storage"):
            if global_name not in STORAGES:
                raise TritweaveError(f"{self.path} has a {name}; read are {', '.join(STORAGES)}")
            return _StorageType(STORAGES[global_name])
        if name not in _STAND_INS:
            raise TritweaveError(
                f"{self.path} asks for {name} to be run, which is refused; "
                f"it must hold tensors only: torch.save(model.state_dict(), …)"
            )
        return _STAND_INS[name]

    def persistent_load(self, pid: Any) -> Storage:
        """A storage, by the description that stands for it."""
        match pid:
            case ("storage", _StorageType() as kind, str(key), _, int(count)) if count >= 0 and "/" not in key:
                return Storage(key, kind.name, count)
        raise TritweaveError(f"{self.path} has a storage of an unknown kind: {str(pid)[:80]}")


class _StorageType:
    def __init__(self, name: str):
        self.name = name


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Placed:
    """What PyTorch's own function makes of these: a view of a storage."""
    numbers = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides) <= 8
    if not (
        isinstance(storage, Storage) and numbers and all(type(n) is int and n >= 0 for n in (offset, *shape, *strides))
    ):
        raise TritweaveError("a tensor has no storage, offset, shape and strides")
    placed = Placed(storage, offset, shape, strides)
    if placed.end > storage.numbers or prod(shape) > storage.numbers:
        raise TritweaveError(f"a tensor of shape {shape} ends behind the {storage.numbers} numbers of its storage")
    return placed


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _shape(numbers: Any = ()) -> tuple[Any, ...]:
    return tuple(numbers)


_STAND_INS: Final[dict[str, Callable[..., Any]]] = {
    "collections.OrderedDict": OrderedDict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _shape,
}
