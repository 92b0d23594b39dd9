"""Layer files: ternary layers by name, packed, as one safetensors file; what an import leaves behind.

Format
    For each layer NAME: ``NAME.trits``, uint8 of shape (outputs, ceil(inputs / 4)), each row in packing ``2b`` with
    code 0 in the spare places; ``NAME.scale``, float32 of shape (1,), or (outputs, groups) where every row has a scale
    for each of so many equal groups of inputs; where the layer has them, ``NAME.norm``, ``NAME.norm_bias``,
    ``NAME.norm_mean`` and ``NAME.norm_variance``, float32 of shape (inputs,): the gain of a norm in front of the layer,
    LayerNorm's and BatchNorm's bias, BatchNorm's mean and variance; and ``NAME.bias``, float32 of shape (outputs,),
    added to the results. No others.
    Metadata strings: ``format`` = ``tritium-layers``, ``version`` = ``1``, ``layers``, a JSON array of [NAME, inputs]
    in their order; ``norms``, where there are any, a JSON array of [NAME, kind, epsilon, place] in the same order: kind
    ``rms``, ``layer`` or ``batch``, place ``quantiser``, or ``activation`` where the norm stands between the layer
    before, its bias added, and that one's activation; ``left_out``, where there is anything, a JSON array of the
    source's tensors that belong to these layers and have no place here, without which they are not what they were;
    ``source``, words that say where they come from; ``name``, ``input_type``, ``input_unit`` and
    ``activations`` as in a checkpoint (see `golden.files.checkpoint`), which mean something where each layer takes what
    the one before it gives; ``bias_unit``, where it is ``sums``: biases are integers, added to the sums of trits and
    int8 activations before these are scaled; and ``crc32``, eight hexadecimal digits: the CRC-32 of the other metadata
    as JSON with sorted keys and no spaces, followed by trits, scale, the norm's tensors and bias of the first layer,
    the second, …
"""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.norm import Norm, NormSpec
from golden.files.safetensors_writer import TensorSpec, canonical, write_tensors
from golden.formats import PACKINGS
from golden.trits import check_trits, pack, unpack

FORMAT: Final = "tritium-layers"
VERSION: Final = "1"
BIAS_UNITS: Final = ("results", "sums")
"""What biases are worth: what results are, or what a sum of trits and int8 activations is."""
_PACKING: Final = PACKINGS["2b"]
_NORM_PARTS: Final = ("norm", "norm_bias", "norm_mean", "norm_variance")
_LISTS: Final = {"layers": "names and inputs", "norms": "name, kind, epsilon and place", "left_out": "names"}
_DTYPES: Final = {"trits": "u1"} | dict.fromkeys(("scale", *_NORM_PARTS, "bias"), "<f4")


@dataclass(frozen=True, eq=False)
class TernaryLayer:
    """A layer as other programs keep it.

    Parameters
    ----------
    name
        What its source calls it, without ``.weight``.
    trits
        Shape (outputs, inputs), both at least 1.
    scale
        What a trit is worth: float32 of shape (1,), or (outputs, groups) with groups a divisor of inputs. Finite and
        positive; 0 is taken for a group without a trit other than 0, unless all are 0.
    norm
        The norm in front of the layer, its vectors of shape (inputs,).
    bias
        Added to the results, shape (outputs,).

    """

    name: str
    trits: NDArray[np.int8]
    scale: NDArray[np.float32]
    norm: Norm | None = None
    bias: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.trits.ndim != 2 or 0 in self.trits.shape:
            raise TritweaveError(f"{self.name} has shape {self.trits.shape}; a layer's is (outputs, inputs), none zero")
        check_trits(self.trits, f"{self.name}'s trits")
        self.spec.check(self.vectors)
        if not (np.isfinite(self.scale).all() and (self.scale >= 0).all() and (self.scale > 0).any()):
            odd = self.scale[~(np.isfinite(self.scale) & (self.scale > 0))][0]
            raise TritweaveError(f"{self.name} has the scale {odd}; it must be finite and above 0")
        if not self.scale.all():
            outputs, groups = self.scale.shape
            if self.trits.reshape(outputs, groups, -1)[self.scale == 0].any():
                raise TritweaveError(f"{self.name} has the scale 0 where there are trits other than 0")
        for name, vector in self.vectors.items():
            if not np.isfinite(vector).all():
                raise TritweaveError(f"{self.name}.{name} holds a value that is not finite")

    @property
    def spec(self) -> "LayerSpec":
        """Its name and shapes."""
        groups = self.scale.shape[-1] if self.scale.ndim == 2 else 0
        outputs, inputs = self.trits.shape
        return LayerSpec(self.name, outputs, inputs, groups, self.norm and self.norm.spec, self.bias is not None)

    @property
    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """Its other tensors, in the order of the CRC."""
        norm = self.norm.vectors if self.norm else {}
        return {"scale": self.scale} | norm | ({} if self.bias is None else {"bias": self.bias})


class LayerSpec(NamedTuple):
    """What is known of a layer before it is read."""

    name: str
    outputs: int
    inputs: int
    groups: int = 0
    """Scales of a row; 0: one scale for all of the layer."""
    norm: NormSpec | None = None
    bias: bool = False

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the stored tensors, in the order of the CRC."""
        scale = (self.outputs, self.groups) if self.groups else (1,)
        shapes: dict[str, tuple[int, ...]] = {"trits": (self.outputs, -(-self.inputs // 4)), "scale": scale}
        norm = dict.fromkeys(self.norm.parts if self.norm else (), (self.inputs,))
        return shapes | norm | ({"bias": (self.outputs,)} if self.bias else {})

    def check(self, parts: Mapping[str, NDArray[Any]]) -> None:
        """Raise if stored tensors have other types or shapes."""
        if self.norm:
            self.norm.check(self.name)
        for part, array in parts.items():
            shape = self.shapes[part]
            if array.dtype != np.dtype(_DTYPES[part]) or array.shape != shape:
                raise TritweaveError(
                    f"{self.name}.{part} is {array.dtype} of shape {array.shape}; "
                    f"it must be {np.dtype(_DTYPES[part])} of shape {shape}"
                )
        if self.groups and self.inputs % self.groups:
            raise TritweaveError(f"{self.name} has {self.inputs} inputs, no multiple of its {self.groups} groups")


def write_layers(path: Path, specs: list[LayerSpec], layers: Iterable[TernaryLayer], metadata: dict[str, str]) -> None:
    """Write a layer file, whole or not at all, holding one layer at a time.

    Parameters
    ----------
    path
        The file.
    specs
        All layers, in order; no two of one name.
    layers
        The same layers.
    metadata
        ``source``, ``name``, ``input_type``, ``input_unit`` and ``activations``, and ``left_out`` and ``bias_unit`` if
        there is anything to say.

    """
    listed = canonical([[spec.name, spec.inputs] for spec in specs]).decode()
    metadata = metadata | {"format": FORMAT, "version": VERSION, "layers": listed}
    if norms := [[spec.name, *spec.norm] for spec in specs if spec.norm]:
        metadata["norms"] = canonical(norms).decode()
    tensors = [
        TensorSpec(f"{spec.name}.{part}", _DTYPES[part], shape) for spec in specs for part, shape in spec.shapes.items()
    ]

    def contents() -> Iterator[tuple[str, Iterable[bytes]]]:
        for spec, layer in zip(specs, layers, strict=True):
            if layer.spec != spec:
                raise TritweaveError(f"{spec.name} is read as {layer.spec} where {spec} was expected")
            yield f"{spec.name}.trits", packed(layer.trits)
            for part, vector in layer.vectors.items():
                yield f"{spec.name}.{part}", [vector.tobytes()]

    write_tensors(path, tensors, metadata, contents())


def read_specs(tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> list[LayerSpec]:
    """The layers of a file, checked against its tensors, of which only the shapes are looked at."""
    if metadata.get("version") != VERSION:
        raise TritweaveError(f"the layers have version {metadata.get('version')!r}; {VERSION!r} is read")
    missing = {"layers", "source", "name", "input_type", "input_unit", "activations", "crc32"} - metadata.keys()
    if missing:
        raise TritweaveError(f"the metadata lack {', '.join(sorted(missing))}")
    listed = _listed(metadata, "layers", lambda name, inputs: (str(name), int(inputs)))
    read_left_out(metadata)
    norms = dict(_listed(metadata, "norms", lambda name, *norm: (str(name), NormSpec(*norm))))
    specs = []
    for name, inputs in listed:
        shapes = {part: tensors[f"{name}.{part}"].shape for part in _DTYPES if f"{name}.{part}" in tensors}
        if not {"trits", "scale"} <= shapes.keys():
            raise TritweaveError(f"{name}.trits or {name}.scale is missing")
        groups = shapes["scale"][1] if len(shapes["scale"]) == 2 else 0
        norm = norms.get(name)
        if norm:
            norm.check(name)
        elif "norm" in shapes:
            raise TritweaveError(f"the metadata do not say what norm {name}.norm is of; import the layers again")
        spec = LayerSpec(name, max(shapes["trits"][:1], default=0), inputs, groups, norm, "bias" in shapes)
        if spec.shapes != shapes:
            raise TritweaveError(
                f"{name} with {inputs} inputs has tensors of shapes {shapes}; they must be {spec.shapes}"
            )
        specs.append(spec)
    named = [f"{spec.name}.{part}" for spec in specs for part in spec.shapes]
    if len(set(named)) != len(named) or tensors.keys() != set(named):
        odd = ", ".join(sorted(tensors.keys() ^ set(named))[:3]) or "a layer twice"
        raise TritweaveError(f"the metadata name other layers than the tensors do: {odd}")
    return specs


def read_layer(spec: LayerSpec, read: Callable[[str], NDArray[Any]]) -> TernaryLayer:
    """One layer; `read` gives the tensor of a name."""
    parts = {part: read(f"{spec.name}.{part}") for part in spec.shapes}
    spec.check(parts)
    norm = Norm.of(spec.norm, parts) if spec.norm else None
    trits = unpack(parts["trits"], spec.inputs, _PACKING)
    return TernaryLayer(spec.name, trits, parts["scale"], norm, parts.get("bias"))


def read_left_out(metadata: Mapping[str, str]) -> list[str]:
    """The tensors without which the layers of a file are not what they were."""
    return _listed(metadata, "left_out", lambda *letters: "".join(map(str, letters)))


def check_layers(specs: list[LayerSpec], metadata: Mapping[str, str], read: Callable[[str], NDArray[Any]]) -> None:
    """Raise if the CRC-32 is not that of the metadata and the tensors, which are read one at a time."""
    crc = zlib.crc32(canonical({key: value for key, value in metadata.items() if key != "crc32"}))
    for spec in specs:
        for part in spec.shapes:
            crc = zlib.crc32(read(f"{spec.name}.{part}").tobytes(), crc)
    if metadata["crc32"] != f"{crc:08x}":
        raise TritweaveError(f"the CRC-32 is {crc:08x} where the metadata say {metadata['crc32']}; the file is damaged")


def packed(trits: NDArray[np.int8]) -> Iterator[bytes]:
    """Rows of trits as they are stored; a few at a time stay in the processor's cache."""
    rows = max(1, (1 << 19) // trits.shape[1])
    for start in range(0, len(trits), rows):
        yield pack(trits[start : start + rows], _PACKING).tobytes()


def _listed(metadata: Mapping[str, str], key: str, make: Callable[..., Any]) -> list[Any]:
    """What is made of each item of a JSON array in the metadata."""
    try:
        return [make(*item) for item in json.loads(metadata.get(key, "[]"))]
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TritweaveError(f"the metadata's {key} are no list of {_LISTS[key]}") from error
