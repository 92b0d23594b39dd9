"""Checkpoints: a ternary network as one safetensors file.

Format
    Tensors ``layers.K.weight`` (int8 in {-1, 0, +1}, shape (outputs, inputs)) and ``layers.K.scale`` (float32, shape
    (1,)) for K = 0, 1, …; no others. Metadata strings: ``format`` = ``tritium``, ``version`` = ``1``, ``name``,
    ``input_type``, ``input_unit`` (a decimal float), ``activations``, one of ``relu`` and ``none`` a layer,
    separated by commas, and ``crc32``, eight hexadecimal digits: the CRC-32 of the other metadata as JSON with sorted
    keys and no spaces, followed by every tensor's bytes in the order weight, scale of layer 0, 1, …

    A layer file (see `golden.files.layer_file`) is read in its place where its layers make a network: see
    `golden.schemes.layers`.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from golden.errors import TritweaveError
from golden.files.disk import read_bytes, write_bytes
from golden.network import InputType, Layer, Network

# The format keeps the name that its first files have.
FORMAT, VERSION = "tritium", "1"


def write_checkpoint(path: Path, network: Network) -> None:
    """Write a network to a file, whole or not at all."""
    tensors: dict[str, NDArray[Any]] = {}
    limits = np.finfo(np.float32)
    for index, layer in enumerate(network.layers):
        if not float(limits.tiny) <= layer.scale <= float(limits.max):
            raise TritweaveError(f"cannot write {path}: layer {index} has the scale {layer.scale}, too far for float32")
        if layer.norm or layer.addends is not None:
            raise TritweaveError(
                f"cannot write {path}: layer {index} has a norm or addends, which a checkpoint has not"
            )
        tensors[f"layers.{index}.weight"] = np.ascontiguousarray(layer.weights)
        tensors[f"layers.{index}.scale"] = np.array([layer.scale], np.float32)
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "input_type": network.input_type,
        "input_unit": repr(float(network.input_unit)),
        "activations": ",".join("relu" if layer.relu else "none" for layer in network.layers),
    }
    content = save(tensors, metadata | {"crc32": _checksum(metadata, tensors)})
    # safetensors leaves the order of the metadata to chance; sorted, equal networks make equal files.
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:start]), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    write_bytes(path, content[:8] + header.encode().ljust(start - 8) + content[start:])


def read_checkpoint(path: Path) -> Network:
    """Read and validate a checkpoint; every error names the file and what is wrong with it."""
    content = read_bytes(path, "checkpoint")
    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.get("__metadata__") or {}
        return _network(tensors, metadata)
    except SafetensorError as error:
        raise TritweaveError(f"{path} is not a whole safetensors file: {error}") from error
    except TritweaveError as error:
        raise TritweaveError(f"{path}: {error}") from error
    except (KeyError, ValueError) as error:
        # What safetensors makes of dtypes and shapes that numpy does not have.
        raise TritweaveError(f"{path} holds a tensor that numpy cannot: {error}") from error


def _checksum(metadata: dict[str, str], tensors: dict[str, NDArray[Any]]) -> str:
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":"))
    names = sorted(tensors, key=lambda name: (int(name.split(".")[1]), name.endswith("scale")))
    return f"{zlib.crc32(b''.join(tensors[name].tobytes() for name in names), zlib.crc32(text.encode())):08x}"


def _network(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> Network:
    if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
        found = f"format {metadata.get('format')!r}, version {metadata.get('version')!r}"
        raise TritweaveError(f"the metadata say {found}; a checkpoint has format {FORMAT!r}, version {VERSION!r}")
    missing = {"name", "input_type", "input_unit", "activations", "crc32"} - metadata.keys()
    if missing:
        raise TritweaveError(f"the metadata lack {', '.join(sorted(missing))}")
    activations = read_activations(metadata)
    expected = {f"layers.{index}.{part}" for index in range(len(activations)) for part in ("weight", "scale")}
    if odd := expected ^ tensors.keys():
        raise TritweaveError(f"{len(activations)} layers are named, but tensors are missing or too many: {sorted(odd)}")
    computed = _checksum({key: value for key, value in metadata.items() if key != "crc32"}, tensors)
    if computed != metadata["crc32"]:
        raise TritweaveError(
            f"the CRC-32 is {computed} where the metadata say {metadata['crc32']}; the file is damaged"
        )
    return _assemble(metadata, tuple(_layer(tensors, index, name == "relu") for index, name in enumerate(activations)))


def read_activations(metadata: Mapping[str, str]) -> list[str]:
    """What follows each layer, ``relu`` or ``none``."""
    activations = metadata["activations"].split(",")
    if unknown := set(activations) - {"relu", "none"}:
        raise TritweaveError(f"the activations hold {sorted(unknown)}; each is relu or none")
    return activations


def _assemble(metadata: dict[str, str], layers: tuple[Layer, ...]) -> Network:
    try:
        unit = float(metadata["input_unit"])
    except ValueError as error:
        raise TritweaveError(f"the input unit is {metadata['input_unit']!r}; it must be a number") from error
    input_type: InputType = metadata["input_type"]  # pyright: ignore[reportAssignmentType] - Network validates it
    return Network(metadata["name"], layers, input_type, unit)


def _layer(tensors: dict[str, NDArray[Any]], index: int, relu: bool) -> Layer:
    weight, scale = tensors[f"layers.{index}.weight"], tensors[f"layers.{index}.scale"]
    for name, tensor, dtype in (("weight", weight, "int8"), ("scale", scale, "float32")):
        if tensor.dtype != np.dtype(dtype):
            raise TritweaveError(f"layers.{index}.{name} has dtype {tensor.dtype}; it must be {dtype}")
    if scale.shape != (1,):
        raise TritweaveError(f"layers.{index}.scale has shape {scale.shape}; it must be (1,)")
    try:
        return Layer(weight, float(scale[0]), relu)
    except TritweaveError as error:
        raise TritweaveError(f"layer {index}: {error}") from error
