"""Scheme files: layers as segmented matrices by name, packed, as one safetensors file; what `tritweave quantise`
writes.

Format
    For each layer NAME with O outputs, P planes and S segments of its first K inputs: ``NAME.planes``, uint8 of shape
    (P, O, ceil(K / 4)), each row in packing ``2b`` with code 0 in the spare places; ``NAME.scales``, float32 of shape
    (P, O, S); and where the layer has them ``NAME.offsets``, float32 (O, S); ``NAME.side``, int8 (O, inputs - K), with
    ``NAME.side_scales``, float32 (O,); ``NAME.order``, int32 (inputs,); ``NAME.input_scales``, float32 (inputs,);
    ``NAME.bias``, float32 (O,). No others. What they mean is in `golden.schemes.segmented`; the mantissas of the
    integer form follow from the scales (`golden.schemes.integer`). Metadata strings: ``format`` = ``tritium-scheme``,
    ``version`` = ``1``, ``layers``, a JSON array of [NAME, activations, [end of each segment]] in their order,
    ``scheme``, ``source``, words that say where the weights come from, and ``crc32``, as in
    `golden.files.safetensors_writer`, with the tensors of the first layer in the order above, the second, …
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.layer_file import packed
from golden.files.safetensors_reader import SafetensorsHeader, read_safetensors_header
from golden.files.safetensors_writer import TensorSpec, canonical, write_tensors
from golden.formats import PACKINGS
from golden.schemes.segmented import SegmentedMatrix, Structure
from golden.trits import unpack

FORMAT: Final = "tritium-scheme"
VERSION: Final = "1"
_DTYPES: Final = {
    "planes": "u1",
    "scales": "<f4",
    "offsets": "<f4",
    "side": "i1",
    "side_scales": "<f4",
    "order": "<i4",
    "input_scales": "<f4",
    "bias": "<f4",
}


class MatrixSpec(NamedTuple):
    """What is known of a layer before it is made or read."""

    name: str
    outputs: int
    structure: Structure

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        """Its tensors by part, in the order of the CRC."""
        made, outputs = self.structure, self.outputs
        shapes: dict[str, tuple[int, ...]] = {
            "planes": (made.planes, outputs, -(-made.ends[-1] // 4)),
            "scales": (made.planes, outputs, len(made.ends)),
        }
        if made.offsets:
            shapes["offsets"] = (outputs, len(made.ends))
        if made.side:
            shapes |= {"side": (outputs, made.side), "side_scales": (outputs,)}
        if made.order:
            shapes["order"] = (made.inputs,)
        if made.input_scales:
            shapes["input_scales"] = (made.inputs,)
        if made.bias:
            shapes["bias"] = (outputs,)
        return {part: TensorSpec(f"{self.name}.{part}", _DTYPES[part], shape) for part, shape in shapes.items()}


def write_scheme(
    path: Path, scheme: str, source: str, specs: list[MatrixSpec], matrices: Iterable[SegmentedMatrix]
) -> None:
    """Write a scheme file, whole or not at all, holding one layer at a time.

    Parameters
    ----------
    path
        The file.
    scheme, source
        What the metadata say.
    specs
        All layers, in order; no two of one name.
    matrices
        The same layers.

    """
    listed = [[spec.name, spec.structure.activations, list(spec.structure.ends)] for spec in specs]
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "layers": canonical(listed).decode(),
        "scheme": scheme,
        "source": source,
    }

    def contents() -> Iterator[tuple[str, Iterable[bytes]]]:
        for spec, matrix in zip(specs, matrices, strict=True):
            if (matrix.outputs, matrix.structure) != spec[1:]:
                raise TritweaveError(f"{spec.name} is made as {matrix.structure} where {spec.structure} was expected")
            for part, tensor in spec.tensors.items():
                yield (
                    tensor.name,
                    (piece for plane in matrix.planes for piece in packed(plane))
                    if part == "planes"
                    else [np.ascontiguousarray(getattr(matrix, part), _DTYPES[part]).tobytes()],
                )

    write_tensors(path, [tensor for spec in specs for tensor in spec.tensors.values()], metadata, contents())


@dataclass(frozen=True, eq=False)
class SchemeFile:
    """A scheme file, of which a layer is read when it is asked for.

    Parameters
    ----------
    path
        The file.
    header
        Its header.
    specs
        Its layers by name, in order.

    """

    path: Path
    header: SafetensorsHeader
    specs: dict[str, MatrixSpec]

    @property
    def scheme(self) -> str:
        """What the file says it was made by."""
        return self.header.metadata["scheme"]

    def read(self, name: str) -> SegmentedMatrix:
        """A layer."""
        if name not in self.specs:
            raise TritweaveError(f"{self.path} has no layer {name!r}; it has {', '.join(self.specs)}")
        spec = self.specs[name]
        parts: dict[str, NDArray[Any]] = {
            part: self.header.tensors[tensor.name].array() for part, tensor in spec.tensors.items()
        }
        planes = unpack(parts.pop("planes"), spec.structure.ends[-1], PACKINGS["2b"])
        try:
            return SegmentedMatrix(
                planes, parts.pop("scales"), spec.structure.ends, spec.structure.activations, **parts
            )
        except TritweaveError as error:
            raise TritweaveError(f"{self.path}: {name}: {error}") from error


def read_scheme(path: Path) -> SchemeFile:
    """Open a scheme file: its header and its CRC are checked, one tensor in memory at a time."""
    header = read_safetensors_header(path)
    metadata, tensors = header.metadata, header.tensors
    if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
        found = f"format {metadata.get('format')!r}, version {metadata.get('version')!r}"
        raise TritweaveError(f"{path}: the metadata say {found}; a scheme file has {FORMAT!r}, version {VERSION!r}")
    if missing := {"layers", "scheme", "source", "crc32"} - metadata.keys():
        raise TritweaveError(f"{path}: the metadata lack {', '.join(sorted(missing))}")
    specs: dict[str, MatrixSpec] = {}
    for name, activations, ends in _listed(path, metadata["layers"]):
        shapes = {part: tensors[f"{name}.{part}"].shape for part in _DTYPES if f"{name}.{part}" in tensors}
        planes, side = shapes.get("planes", ()), shapes.get("side", (0, 0))
        if len(planes) != 3 or len(side) != 2 or 0 in planes:
            raise TritweaveError(f"{path}: {name}.planes or {name}.side is missing or has shape {planes or side}")
        flags = ("offsets" in shapes, side[1], *(part in shapes for part in ("order", "input_scales", "bias")))
        spec = MatrixSpec(name, planes[1], Structure(planes[0], tuple(ends), activations, *flags))
        for tensor in spec.tensors.values():
            stored = tensors.get(tensor.name)
            if stored is None or stored.shape != tensor.shape:
                shape = "missing" if stored is None else f"of shape {stored.shape}"
                raise TritweaveError(f"{path}: {tensor.name} is {shape}; it must be {tensor.shape}")
        specs[name] = spec
    named = {tensor.name for spec in specs.values() for tensor in spec.tensors.values()}
    if odd := named ^ tensors.keys():
        raise TritweaveError(
            f"{path}: the metadata name other layers than the tensors do: {', '.join(sorted(odd)[:3])}"
        )
    crc = zlib.crc32(canonical({key: value for key, value in metadata.items() if key != "crc32"}))
    for spec in specs.values():
        for tensor in spec.tensors.values():
            array = tensors[tensor.name].array()
            if array.dtype != np.dtype(tensor.dtype):
                raise TritweaveError(f"{path}: {tensor.name} is {array.dtype}; it must be {np.dtype(tensor.dtype)}")
            crc = zlib.crc32(array.tobytes(), crc)
    if metadata["crc32"] != f"{crc:08x}":
        raise TritweaveError(
            f"{path}: the CRC-32 is {crc:08x} where the metadata say {metadata['crc32']}; the file is damaged"
        )
    return SchemeFile(path, header, specs)


def _listed(path: Path, text: str) -> list[tuple[str, str, list[int]]]:
    try:
        listed = json.loads(text)
        good = isinstance(listed, list) and all(
            isinstance(name, str)
            and isinstance(rule, str)
            and isinstance(ends, list)
            and ends
            and all(type(end) is int and 0 < end < 1 << 40 for end in ends)
            for name, rule, ends in listed
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise TritweaveError(f"{path}: the metadata's layers are no list of names, activations and ends") from error
    names = [entry[0] for entry in listed] if good else []
    if not good or not names or len(set(names)) != len(names):
        raise TritweaveError(
            f"{path}: the metadata's layers are no list of names, activations and ends, or name one twice"
        )
    return [tuple(entry) for entry in listed]
