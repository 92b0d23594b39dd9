"""Sources of the Hugging Face kind: safetensors in one file or many, and a config.json that says how to read them."""

from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from gen.imports.decoder_shapes import Decoder
from gen.imports.sources import Source
from golden.errors import TritweaveError
from golden.files.disk import read_bytes
from golden.files.layer_file import LayerSpec, TernaryLayer
from golden.files.packing_hf import decode_hf, packed_rows
from golden.files.safetensors_reader import parse_json, read_safetensors_header
from golden.files.stored import StoredTensor
from golden.quantise import quantise_weights
from golden.trits import check_trits

Convention = Literal["divide", "multiply"]

CONVENTIONS: Final[dict[str, Convention]] = {"bitlinear": "divide", "autobitlinear": "multiply"}
"""What the result has to do with ``weight_scale``, by transformers' class of layer."""

ARCHITECTURES: Final = ("bitnet", "llama")
"""The ``model_type`` whose linear layers are known."""

_FLOATS: Final = ("F16", "BF16", "F32", "F64")
NUMBERS: Final = (
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
)
"""What config.json calls the sizes of a `gen.imports.decoder_shapes.Decoder`."""
_NAMES: Final = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)


class Quantisation(NamedTuple):
    """How transformers was told to quantise."""

    convention: Convention | None
    """None: nothing is said."""
    latent: bool
    """Whether weights are floats, to be quantised by Wmean3."""
    norm: float | None
    """Epsilon of the RMSNorm that every layer has in front; None: there is none."""

    @classmethod
    def read(cls, path: Path, config: dict[str, Any]) -> "Quantisation":
        """From a config.json."""
        found = config.get("quantization_config")
        if found is None:
            return cls(None, True, None)
        if not isinstance(found, dict) or found.get("quant_method") != "bitnet":
            method = found.get("quant_method") if isinstance(found, dict) else found
            raise TritweaveError(f"{path}: the quantisation method is {method!r}; 'bitnet' is read")
        linear, mode = found.get("linear_class", "bitlinear"), found.get("quantization_mode", "offline")
        if linear not in tuple(CONVENTIONS) or mode not in ("online", "offline"):
            raise TritweaveError(
                f"{path}: linear_class is {linear!r} and quantization_mode {mode!r}; "
                f"bitlinear or autobitlinear, online or offline are read"
            )
        latent = linear == "autobitlinear" and mode == "online"
        norm = found.get("rms_norm_eps", 1e-6) if found.get("use_rms_norm") else None
        return cls(None if latent else CONVENTIONS[linear], latent, norm)

    def __str__(self) -> str:
        """In words."""
        kinds = ["latent floats"] if self.latent else []
        words = " or ".join(kinds + ([f"packed, {self.convention} by the scale"] if self.convention else []))
        return words if self.norm is None else f"{words}, a norm (epsilon {self.norm}) before each layer"


class HuggingFace(Source):
    """Layers of transformers' BitNet.

    Weights are packed (uint8) or trits as floats, both with a ``weight_scale``; or latent floats without one.
    """

    def __init__(
        self,
        path: Path,
        tensors: dict[str, StoredTensor],
        layers: dict[str, tuple[int, int]],
        quantisation: Quantisation,
        unknown: str = "",
    ):
        self.quantisation = quantisation
        super().__init__(path, f"safetensors, {quantisation}", tensors, layers, unknown)

    def spec(self, name: str) -> LayerSpec:
        """Shapes as unpacked, checked against the configuration."""
        weight, expected = self.matrix(name), self.layers.get(name)
        if weight.type == "U8":
            outputs, inputs = expected or (4 * weight.shape[0], weight.shape[1])
            fits = weight.shape == (packed_rows(outputs), inputs)
        elif weight.type in _FLOATS:
            outputs, inputs = expected or weight.shape
            fits = weight.shape == (outputs, inputs)
        else:
            raise TritweaveError(f"{weight.name} has type {weight.type}; packed U8 and {', '.join(_FLOATS)} are read")
        if not fits:
            raise TritweaveError(
                f"{weight.name} is {weight.type} of shape {weight.shape}; "
                f"the configuration makes it {outputs} outputs of {inputs} inputs"
            )
        return LayerSpec(name, outputs, inputs, 0, self.quantisation.norm is not None, f"{name}.bias" in self.tensors)

    # What float32 cannot hold becomes infinite, and is refused by the layer.
    @np.errstate(over="ignore")
    def read(self, name: str) -> TernaryLayer:
        """Unpack, or quantise; the scale becomes what a trit is worth."""
        spec, weight = self.spec(name), self.matrix(name)
        try:
            if weight.type == "U8":
                trits, scale = decode_hf(weight.array(), spec.outputs), self._scale(name)
            elif f"{name}.weight_scale" in self.tensors:
                trits, scale = check_trits(weight.array()), self._scale(name)
            elif self.quantisation.latent:
                trits, scale = quantise_weights(weight.array())
            else:
                raise TritweaveError("floats without a weight_scale, where the configuration says packed")
        except TritweaveError as error:
            raise TritweaveError(f"{weight.name}: {error}") from error
        norm = self.vector(f"{name}.rms_norm.weight", spec.inputs) if spec.norm else None
        if spec.norm and norm is None:
            raise TritweaveError(f"{self.path} lacks {name}.rms_norm.weight, which its configuration announces")
        return TernaryLayer(name, trits, np.array([scale], np.float32), norm, self.vector(f"{name}.bias", spec.outputs))

    def is_ternary(self, name: str) -> bool:
        """Packed weights and the layers that the configuration names."""
        return name in self.layers or (self.tensors[name + self.weight].type == "U8" and self._has_scale(name))

    def _has_scale(self, name: str) -> bool:
        return f"{name}.weight_scale" in self.tensors

    def _scale(self, name: str) -> float:
        if not self._has_scale(name):
            raise TritweaveError(f"there is no {name}.weight_scale")
        value = self.one_scale(f"{name}.weight_scale")
        if self.quantisation.convention is None:
            raise TritweaveError("nothing says what the scale means; give --scale divide or --scale multiply")
        return 1 / value if self.quantisation.convention == "divide" else value


def open_hugging_face(path: Path, convention: Convention | None = None) -> HuggingFace:
    """A source from a folder, or from one of safetensors, with the config.json beside it if there is one.

    `convention` is used in place of the configuration's.
    """
    folder = path if path.is_dir() else path.parent
    config_path = folder / "config.json"
    if path.is_dir() and not config_path.exists():
        raise TritweaveError(f"{path} has no config.json; a folder of weights needs one, a single file does not")
    config = parse_json(config_path, read_bytes(config_path, "configuration")) if config_path.exists() else {}
    quantisation = Quantisation.read(config_path, config)
    if convention:
        quantisation = quantisation._replace(convention=convention)
    tensors = _shards(path) if path.is_dir() else read_safetensors_header(path).tensors
    layers, architecture = {}, config.get("model_type")
    if architecture in ARCHITECTURES:
        decoder = Decoder.read(config_path, config, NUMBERS)
        excluded = (config.get("quantization_config") or {}).get("modules_to_not_convert") or []
        if not (isinstance(excluded, list) and all(isinstance(name, str) for name in excluded)):
            raise TritweaveError(f"{config_path}: modules_to_not_convert is no list of names")
        layers = {
            name: shape
            for name, shape in decoder.layers("model.layers", _NAMES).items()
            if not any(word in name for word in excluded)
        }
    unknown = f"the architecture is {architecture!r}, known are {', '.join(ARCHITECTURES)}"
    return HuggingFace(path, tensors, layers, quantisation, unknown if config else "there is no config.json")


def _shards(folder: Path) -> dict[str, StoredTensor]:
    """All tensors of a folder: of model.safetensors, or of the files that its index names."""
    if (single := folder / "model.safetensors").exists():
        return read_safetensors_header(single).tensors
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        raise TritweaveError(f"{folder} has neither {single.name} nor {index.name}")
    places = parse_json(index, read_bytes(index, "index")).get("weight_map")
    if not (isinstance(places, dict) and all(isinstance(shard, str) for shard in places.values())):
        raise TritweaveError(f"{index}: weight_map is no object of file names")
    found: dict[str, StoredTensor] = {}
    for shard in sorted(set(places.values())):
        if Path(shard).name != shard or not shard:
            raise TritweaveError(f"{index} names the shard {shard!r}, which is outside of its folder")
        if not (folder / shard).exists():
            raise TritweaveError(f"{folder} lacks the shard {shard}, which {index.name} names")
        stored = read_safetensors_header(folder / shard).tensors
        wanted = {name for name, place in places.items() if place == shard}
        if missing := wanted - stored.keys():
            raise TritweaveError(f"{folder / shard} lacks {min(missing)}, which {index.name} puts there")
        found |= {name: stored[name] for name in wanted}
    return found
