"""The config.json of a language model's folder: what an engine can hold is taken, anything else refused by name.

Format
    As transformers writes it for ``BitNetForCausalLM``: sizes, ``rms_norm_eps``, ``rope_parameters`` (or the older
    ``rope_theta``), ``bos_token_id``, and ``quantization_config``, without which the weights are floats. The key
    ``tritweave``, which transformers ignores, holds parameters of `golden.language.format.LanguageFormat`, and either
    ``embedding_scale``, what a unit of the embedding's digits is worth, or ``embedding_clip``, the largest number of
    digits in units of the embedding's root mean square.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast

from golden.errors import TritweaveError
from golden.language.format import LanguageFormat, Shape

Weights = Literal["floats", "latent", "multiply", "divide"]
"""Floats as they are; floats behind trits; trits whose results are multiplied, or divided, by a scale."""

_SIZES: Final = {
    "vocabulary": "vocab_size",
    "hidden": "hidden_size",
    "blocks": "num_hidden_layers",
    "heads": "num_attention_heads",
    "key_heads": "num_key_value_heads",
    "head": "head_dim",
    "intermediate": "intermediate_size",
    "context": "max_position_embeddings",
}
_EMBEDDING: Final = ("embedding_scale", "embedding_clip")

_NEEDED: Final[tuple[tuple[str, Any, Any], ...]] = (
    # Key, what transformers takes where the key is missing, what an engine holds.
    ("model_type", None, "bitnet"),
    ("hidden_act", "relu2", "relu2"),
    ("attention_bias", False, False),
    ("mlp_bias", False, False),
    ("tie_word_embeddings", False, True),
    ("rope_scaling", None, None),
    ("sliding_window", None, None),
)


class Configuration(NamedTuple):
    """What the file says."""

    shape: Shape
    form: LanguageFormat
    weights: Weights
    epsilon: float
    base: float
    start: int
    ends: tuple[int, ...]
    """Tokens that end a sequence."""
    scale: float | None
    """What a unit of the embedding's digits is worth."""
    clip: float | None
    """Otherwise, the largest number of digits in units of the root mean square; neither: the largest magnitude."""

    @classmethod
    def of(cls, path: Path, config: dict[str, Any]) -> "Configuration":
        """Of parsed JSON from a path."""
        for key, missing, needed in _NEEDED:
            if (found := config.get(key, missing)) != needed:
                raise TritweaveError(f"{path}: {key} is {found!r}; an engine holds models where it is {needed!r}")
        sizes = {size: config.get(key) for size, key in _SIZES.items()}
        if sizes["key_heads"] is None:
            sizes["key_heads"] = sizes["heads"]
        hidden, heads = sizes["hidden"], sizes["heads"]
        if sizes["head"] is None and isinstance(hidden, int) and isinstance(heads, int) and heads:
            sizes["head"] = hidden // heads
        own = config.get("tritweave", {})
        widths = {field.name for field in fields(LanguageFormat)}
        unknown = sorted(own.keys() - widths - set(_EMBEDDING)) if isinstance(own, dict) else [own]
        if unknown:
            raise TritweaveError(f"{path}: tritweave has {unknown[0]!r}; it holds {', '.join(sorted(widths))}")
        try:
            # Whatever they are, the shape checks them.
            shape = Shape(**cast(dict[str, int], sizes))
            form = LanguageFormat(**{key: value for key, value in own.items() if key in widths})
        except TritweaveError as error:
            raise TritweaveError(f"{path}: {error}") from error
        start = _token(path, "bos_token_id", config.get("bos_token_id"), shape)
        ends = config.get("eos_token_id")
        listed = ends if isinstance(ends, list) else [start if ends is None else ends]
        stops = tuple(_token(path, "eos_token_id", end, shape) for end in listed)
        scale, clip = (_positive(path, key, own[key]) if key in own else None for key in _EMBEDDING)
        epsilon = _positive(path, "rms_norm_eps", config.get("rms_norm_eps", 1e-5))
        return cls(
            shape, form, _weights(path, config), epsilon, _rotation_base(path, config), start, stops, scale, clip
        )


def _positive(path: Path, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise TritweaveError(f"{path}: {key} is {value!r}; it must be finite and above 0")
    return float(value)


def _token(path: Path, key: str, token: Any, shape: Shape) -> int:
    if type(token) is not int or not 0 <= token < shape.vocabulary:
        raise TritweaveError(f"{path}: {key} is {token}; it must be one of the {shape.vocabulary} tokens")
    return token


def _rotation_base(path: Path, config: dict[str, Any]) -> float:
    rope = config.get("rope_parameters") or {}
    if not isinstance(rope, dict) or rope.get("rope_type", "default") != "default":
        kind = rope.get("rope_type") if isinstance(rope, dict) else rope
        raise TritweaveError(f"{path}: rope_type is {kind!r}; angles are not scaled, it must be 'default'")
    if (part := rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 1.0))) != 1:
        raise TritweaveError(f"{path}: partial_rotary_factor is {part}; whole heads are rotated, it must be 1")
    return _positive(path, "rope_theta", rope.get("rope_theta", config.get("rope_theta", 500000.0)))


def _weights(path: Path, config: dict[str, Any]) -> Weights:
    found = config.get("quantization_config")
    if found is None:
        return "floats"
    if not isinstance(found, dict) or found.get("quant_method") != "bitnet":
        method = found.get("quant_method") if isinstance(found, dict) else found
        raise TritweaveError(f"{path}: the quantisation method is {method!r}; 'bitnet' is read")
    if found.get("use_rms_norm"):
        raise TritweaveError(f"{path}: use_rms_norm is set; an engine has no second norm in front of a linear layer")
    linear, mode = found.get("linear_class", "bitlinear"), found.get("quantization_mode", "offline")
    if linear == "autobitlinear" and mode in ("online", "offline"):
        return "latent" if mode == "online" else "multiply"
    if linear == "bitlinear" and mode == "offline":
        return "divide"
    raise TritweaveError(
        f"{path}: linear_class is {linear!r} and quantization_mode {mode!r}; "
        f"autobitlinear, online or offline, and bitlinear, offline, are read"
    )
