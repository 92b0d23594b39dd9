"""Which kind of source a path is."""

from pathlib import Path

from gen.imports.gguf import open_gguf
from gen.imports.hugging_face import CONVENTIONS, open_hugging_face
from gen.imports.numpy_files import open_npy, open_npz
from gen.imports.onnx import open_onnx
from gen.imports.own_files import Checkpoint, LayerFile
from gen.imports.pytorch import LEGACY_MAGIC, open_pytorch
from gen.imports.sources import Source
from gen.imports.weights import NO_MORE, Reading
from golden.errors import TritweaveError
from golden.files.checkpoint import FORMAT as CHECKPOINT
from golden.files.layer_file import FORMAT as LAYERS
from golden.files.safetensors_reader import read_safetensors_header


def open_source(path: Path, reading: Reading = NO_MORE, layout: str | None = None) -> Source:
    """A source from a path.

    Parameters
    ----------
    path
        A folder with config.json and safetensors, or a safetensors, GGUF, npy, npz, PyTorch or ONNX file, or one of our
        own. What a file is, its first bytes say; ONNX has none and goes by its name.
    reading
        What the user says of it.
    layout
        Of I2_S, one of `golden.files.packing_i2s.LAYOUTS`; None: as most files have it.

    """
    if reading.convention not in (None, *CONVENTIONS.values()):
        raise TritweaveError(f"the scale is to {reading.convention!r}; it is one of {', '.join(CONVENTIONS.values())}")
    if path.is_dir():
        return open_hugging_face(path, reading)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise TritweaveError(f"cannot read {path}: {error.strerror}") from error
    if start.startswith(b"GGUF"):
        return open_gguf(path, reading, layout)
    if start.startswith(b"\x93NUMPY"):
        return open_npy(path, reading)
    if start.startswith(b"PK\x03\x04"):
        return open_npz(path, reading) if path.suffix == ".npz" else open_pytorch(path, reading)
    if path.suffix == ".onnx":
        return open_onnx(path, reading)
    if start.startswith(LEGACY_MAGIC) or path.suffix in (".pt", ".pth"):
        raise TritweaveError(
            f"{path} is no zip file, which PyTorch writes since version 1.6; load it there and save it again"
        )
    header = read_safetensors_header(path)
    if header.metadata.get("format") == LAYERS:
        return LayerFile(path, header)
    if header.metadata.get("format") == CHECKPOINT:
        return Checkpoint(path, header)
    return open_hugging_face(path, reading)
