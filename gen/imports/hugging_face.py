"""Sources of the Hugging Face kind: safetensors in one file or many, and a config.json that says how to read them."""

from pathlib import Path
from typing import Any, Final, NamedTuple

from gen.imports.decoder_shapes import Decoder
from gen.imports.tensor_source import TensorSource
from gen.imports.weights import NO_MORE, Convention, Reading
from golden.errors import TritweaveError
from golden.files.disk import read_bytes
from golden.files.layer_file import LayerSpec
from golden.files.safetensors_reader import parse_json, read_safetensors_header
from golden.files.stored import StoredTensor

CONVENTIONS: Final[dict[str, Convention]] = {"bitlinear": "divide", "autobitlinear": "multiply"}
"""What the result has to do with ``weight_scale``, by transformers' class of layer."""

ARCHITECTURES: Final = ("bitnet", "llama")
"""The ``model_type`` whose linear layers are known."""

SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
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
            return cls(None, False, None)
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
        kinds += [f"packed, {self.convention} by the scale"] if self.convention else []
        words = " or ".join(kinds) or "nothing said of its weights"
        return words if self.norm is None else f"{words}, a norm (epsilon {self.norm}) before each layer"


class HuggingFace(TensorSource):
    """Layers of transformers' BitNet, or of any safetensors.

    Weights are packed (uint8) or trits as floats, both with a ``weight_scale``; or latent floats without one.
    """

    norm: float | None = None
    """Epsilon of the RMSNorm that every layer must have."""

    def spec(self, name: str) -> LayerSpec:
        """Shapes as unpacked, with the norm that the configuration announces."""
        spec = super().spec(name)
        if self.norm is not None and not spec.norm:
            raise TritweaveError(f"{self.path} lacks {name}.rms_norm.weight, which its configuration announces")
        return spec


def open_hugging_face(path: Path, reading: Reading = NO_MORE) -> HuggingFace:
    """A source from a folder, or from one of safetensors, with the config.json beside it if there is one.

    What `reading` says goes before what the configuration says.
    """
    folder = path if path.is_dir() else path.parent
    config_path = folder / "config.json"
    if path.is_dir() and not config_path.exists():
        raise TritweaveError(f"{path} has no config.json; a folder of weights needs one, a single file does not")
    config = parse_json(config_path, read_bytes(config_path, "configuration")) if config_path.exists() else {}
    quantisation = Quantisation.read(config_path, config)
    if reading.convention:
        quantisation = quantisation._replace(convention=reading.convention, latent=False)
    epsilon = quantisation.norm if reading.epsilon is None else reading.epsilon
    latent, convention = quantisation.latent, quantisation.convention
    declared = config.get("quantization_config") is not None
    reading = reading._replace(convention=convention, epsilon=epsilon, latent=latent, packed=declared and not latent)
    tensors = _shards(path) if path.is_dir() else read_safetensors_header(path).tensors
    architecture, layers, contradiction = config.get("model_type"), {}, ""
    unknown = f"the architecture is {architecture!r}, known are {', '.join(ARCHITECTURES)}"
    if architecture in ARCHITECTURES:
        try:
            layers = _decoder_layers(config_path, config)
        except TritweaveError as error:
            contradiction = str(error)
        if not layers:
            unknown = f"{config_path.name} excludes all of them (modules_to_not_convert)"
    unknown = unknown if config else "there is no config.json"
    opened = HuggingFace(path, f"safetensors, {quantisation}", tensors, layers, unknown, reading, contradiction)
    opened.norm = quantisation.norm
    if path.is_dir() and {SINGLE, INDEX} <= {file.name for file in path.iterdir()}:
        opened.say(f"{SINGLE} is read, and {INDEX} beside it with its shards is not, as in transformers")
    return opened


def _decoder_layers(path: Path, config: dict[str, Any]) -> dict[str, tuple[int, int]]:
    decoder = Decoder.read(path, config, NUMBERS)
    excluded = (config.get("quantization_config") or {}).get("modules_to_not_convert") or []
    if not (isinstance(excluded, list) and all(isinstance(name, str) for name in excluded)):
        raise TritweaveError(f"{path}: modules_to_not_convert is no list of names")
    layers = decoder.layers("model.layers", _NAMES)
    return {name: shape for name, shape in layers.items() if not any(word in name for word in excluded)}


def _shards(folder: Path) -> dict[str, StoredTensor]:
    """All tensors of a folder: of model.safetensors, or of the files that its index names."""
    if (single := folder / SINGLE).exists():
        return read_safetensors_header(single).tensors
    index = folder / INDEX
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
