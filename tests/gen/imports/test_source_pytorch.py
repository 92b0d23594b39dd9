"""PyTorch's files, which the tests write themselves; where PyTorch is there, it reads them too."""

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.imports.opening import open_source
from gen.imports.pytorch import LEGACY_MAGIC
from golden.errors import TritweaveError

TRITS = np.random.default_rng(14).integers(-1, 2, (4, 6)).astype(np.int8)
TYPES = {"CharStorage": "i1", "LongStorage": "<i8", "HalfStorage": "<f2", "FloatStorage": "<f4", "DoubleStorage": "<f8"}


class Name:
    """A name that a pickle looks up, written without being there."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name


class Call:
    """A call that a pickle makes."""

    def __init__(self, name: Name, *arguments: Any):
        self.name, self.arguments = name, arguments


class Stored:
    """The description that stands for a storage."""

    def __init__(self, *description: Any):
        self.description = description


_InPython: Any = pickle._Pickler  # which can be told what to write


class Writer(_InPython):
    """Writes what the classes above stand for."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Name):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            self.save(obj.name)
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
        elif isinstance(obj, Stored):
            self.save(obj.description)
            self.write(pickle.BINPERSID)
        else:
            super().save(obj, save_persistent_id)


def pickled(value: Any) -> bytes:
    stream = io.BytesIO()
    Writer(stream, 2).dump(value)
    return stream.getvalue()


def tensor(key: str, array: np.ndarray, kind: str, offset: int = 0, strides: tuple[int, ...] | None = None) -> Call:
    steps = strides or tuple(step // array.itemsize for step in array.strides)
    stored = Stored("storage", Name("torch", kind), key, "cpu", array.size + offset)
    hooks = Call(Name("collections", "OrderedDict"))
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), stored, offset, array.shape, steps, False, hooks)


def write(path: Path, value: Any, storages: dict[str, np.ndarray], *, more: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", value if isinstance(value, bytes) else pickled(value))
        for name, content in ({"x/version": b"3\n", "x/byteorder": b"little"} | (more or {})).items():
            archive.writestr(name, content)
        for key, array in storages.items():
            archive.writestr(f"x/data/{key}", array.tobytes())
    return path


def plain(path: Path, kind: str = "FloatStorage", **options: Any) -> Path:
    """A state dict of one layer."""
    array = TRITS.astype(TYPES.get(kind, "<f4"))
    return write(path, {"fc.weight": tensor("0", array, kind)}, {"0": array}, **options)


@pytest.mark.parametrize("kind", TYPES)
def test_tensors_are_read_by_type(tmp_path, kind):
    layer = open_source(plain(tmp_path / "x.pt", kind)).read("fc")
    np.testing.assert_array_equal(layer.trits, TRITS)
    assert layer.scale.tolist() == [1]


def test_views_of_a_storage_and_names_below_a_state_dict(tmp_path):
    values = np.arange(24, dtype=np.float32)
    both = np.concatenate((np.full(3, 9, np.float32), TRITS.astype(np.float32).reshape(-1)))
    state = OrderedDict(
        [
            ("fc.weight", tensor("0", TRITS.astype(np.float32), "FloatStorage", offset=3)),
            ("turned", tensor("1", values.reshape(4, 6), "FloatStorage", strides=(1, 4))),
        ]
    )
    whole = {
        "epoch": 3,
        "model_state_dict": dict(state),
        "optimizer": {"state": {0: tensor("1", values, "FloatStorage")}},
    }
    source = open_source(write(tmp_path / "x.pth", whole, {"0": both, "1": values}))
    np.testing.assert_array_equal(source.read("fc").trits, TRITS)
    np.testing.assert_array_equal(source.tensors["turned"].array(), values.reshape(6, 4).T)
    assert list(source.tensors) == ["fc.weight", "turned"]
    assert source.notes()[0] == "read is 'model_state_dict', beside which epoch, optimizer is not"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": Call(Name("os", "system"), "touch /tmp/x")}, "asks for os.system to be run, which is refused; it must"),
        ({"a": Call(Name("builtins", "eval"), "1")}, "asks for builtins.eval to be run"),
        ({"a": Name("torch.nn.modules.linear", "Linear")}, r"asks for torch.nn.modules.linear.Linear .*state_dict\(\)"),
        ({"a": Call(Name("numpy", "load"), "x")}, "asks for numpy.load to be run"),
        ({"a": Name("torch", "QInt8Storage")}, "has a torch.QInt8Storage; read are BoolStorage, ByteStorage"),
        ({"a": Stored("module", "x")}, "has a storage of an unknown kind"),
        ({"a": Stored("storage", Name("torch", "FloatStorage"), "../x", "cpu", 1)}, "has a storage of an unknown kind"),
        ({"a": tensor("7", TRITS, "CharStorage")}, "a lies in x/data/7, which has no bytes where 24 are needed"),
        ({"a": tensor("0", TRITS[:2], "CharStorage")}, "a lies in x/data/0, which has 24 bytes where 12 are needed"),
        ({"a": tensor("0", TRITS, "CharStorage", strides=(60, 1))}, r"a tensor of shape \(4, 6\) ends behind the 24"),
        (
            {"a": tensor("0", TRITS, "CharStorage", strides=(-6, 1))},
            "a tensor has no storage, offset, shape and strides",
        ),
        (b"\x80\x02}", "holds a pickle that cannot be read"),
        (b"", "holds a pickle that cannot be read"),
    ],
)
def test_what_is_no_tensor_is_refused_by_name_and_never_run(tmp_path, value, message):
    with pytest.raises(TritweaveError, match=message):
        open_source(write(tmp_path / "x.pt", value, {"0": TRITS}))


def test_dicts_that_hold_themselves_end(tmp_path):
    around: dict[str, Any] = {}
    around["a"] = around
    with pytest.raises(TritweaveError, match="has dicts in dicts, deeper than 8 or with more than"):
        open_source(write(tmp_path / "x.pt", around, {}))
    wide: dict[str, Any] = {}
    for _ in range(8):
        wide = {str(index): wide for index in range(50)}
    with pytest.raises(TritweaveError, match="has dicts in dicts"):
        open_source(write(tmp_path / "x.pt", wide, {}))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"x/byteorder": b"big"}, "has the byte order b'big'; little is read"),
        ({"x/code/a.py": b""}, "is a TorchScript program, which is code"),
        ({"x/constants.pkl": b""}, "is a TorchScript program"),
        ({"y/data.pkl": b""}, "is a zip file without one data.pkl"),
    ],
)
def test_archives_that_are_no_weights_are_named(tmp_path, more, message):
    with pytest.raises(TritweaveError, match=message):
        open_source(plain(tmp_path / "x.pt", more=more))


@pytest.mark.parametrize("start", [LEGACY_MAGIC, b"\x80\x02}q\x00."])
def test_the_format_before_zip_is_refused_by_name(tmp_path, start):
    (tmp_path / "x.pt").write_bytes(start + bytes(50))
    with pytest.raises(TritweaveError, match=r"is no zip file, which PyTorch writes since version 1.6; load it there"):
        open_source(tmp_path / "x.pt")


def test_damage_is_named(tmp_path):
    content = plain(tmp_path / "x.pt").read_bytes()
    (tmp_path / "x.pt").write_bytes(content[:-30])
    with pytest.raises(TritweaveError, match="is not a whole PyTorch file"):
        open_source(tmp_path / "x.pt")
    place = content.index(TRITS.astype(np.float32).tobytes())
    (tmp_path / "x.pt").write_bytes(content[:place] + b"\1" + content[place + 1 :])
    with pytest.raises(TritweaveError, match=r"cannot read fc.weight of .*Bad CRC-32"):
        open_source(tmp_path / "x.pt").read("fc")


def test_what_pytorch_writes_is_read_and_it_reads_what_these_tests_write(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    assert torch.load(plain(tmp_path / "x.pt"))["fc.weight"].tolist() == TRITS.tolist()
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU()).to(torch.bfloat16)
    for value in (model.state_dict(), {"state_dict": model.state_dict()}, dict(model.named_parameters())):
        torch.save(value, tmp_path / "y.pt")
        pickletools.dis(zipfile.ZipFile(tmp_path / "y.pt").read("y/data.pkl"), io.StringIO())
        source = open_source(tmp_path / "y.pt")
        weight = model.state_dict()["0.weight"].float().numpy()
        np.testing.assert_array_equal(source.tensors["0.weight"].array(), weight)
