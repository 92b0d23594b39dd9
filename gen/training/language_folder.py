"""A trained decoder as a Hugging Face folder that transformers' BitNetForCausalLM loads; needs no PyTorch.

Format
    ``config.json``, ``model.safetensors`` and ``tokenizer.json``. Weights are latent (reals, quantised by whoever loads
    them), packed (four trits a byte and a scale by which the result is multiplied; the embedding already rounded to
    its digits) or floats (nothing is quantised: the float twin). ``tritweave`` in the configuration holds the number
    formats that transformers does not know.
"""

import json
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from golden.files.disk import write_bytes
from golden.files.packing_hf import encode_hf
from golden.language.format import LanguageFormat, Shape, levels
from golden.quantise import check_finite, quantise_weights

Kind = Literal["latent", "packed", "float"]
KINDS: Final[tuple[Kind, ...]] = ("latent", "packed", "float")

EPSILON: Final = 1e-8
"""Of every norm; so small that the norms are free of scale, as the integers are."""

THETA: Final = 10000.0
"""Base of the rotation's angles."""

CLIP: Final = 3.0
"""The embedding's largest number of digits, in units of its root mean square."""

EMBEDDING: Final = "model.embed_tokens.weight"


def write_folder(
    folder: Path,
    shape: Shape,
    form: LanguageFormat,
    tensors: dict[str, NDArray[np.float32]],
    tokenizer: str,
    kind: Kind,
):
    """Write the three files, each whole or not at all.

    Parameters
    ----------
    folder
        Made if it is not there.
    shape, form
        Of the decoder.
    tensors
        Latent reals by transformers' names.
    tokenizer
        JSON of `tokenizers`.
    kind
        What becomes of the weights.

    """
    for name, tensor in tensors.items():
        check_finite(tensor, name)
    configuration = configuration_of(shape, form, kind)
    if kind == "packed":
        step = embedding_step(tensors[EMBEDDING], form)
        configuration["tritweave"]["embedding_scale"] = step
        tensors = packed(tensors, step, levels(form.embedding_digits))
    write_bytes(folder / "config.json", (json.dumps(configuration, indent=2) + "\n").encode())
    write_bytes(folder / "model.safetensors", save(dict(sorted(tensors.items())), {"format": "pt"}))
    write_bytes(folder / "tokenizer.json", tokenizer.encode())


def configuration_of(shape: Shape, form: LanguageFormat, kind: Kind) -> dict[str, Any]:
    """The configuration, without the embedding's scale."""
    configuration: dict[str, Any] = {
        "architectures": ["BitNetForCausalLM"],
        "model_type": "bitnet",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.blocks,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "head_dim": shape.head,
        "hidden_act": "relu2",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": EPSILON,
        "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
        "attention_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "dtype": "float32",
    }
    if kind != "float":
        configuration["quantization_config"] = {
            "quant_method": "bitnet",
            "linear_class": "autobitlinear",
            "quantization_mode": "offline" if kind == "packed" else "online",
            "modules_to_not_convert": ["lm_head"],
        }
        configuration["tritweave"] = {
            "embedding_digits": form.embedding_digits,
            "key_digits": form.key_digits,
            "value_digits": form.value_digits,
            "embedding_clip": CLIP,
        }
    return configuration


def packed(tensors: dict[str, NDArray[np.float32]], step: float, limit: int) -> dict[str, NDArray[Any]]:
    """Trits four a byte with their scales, and an embedding of whole steps."""
    found: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if "_proj." in name:
            trits, scale = quantise_weights(tensor)
            found[name], found[f"{name}_scale"] = encode_hf(trits), np.array([scale], np.float32)
        elif name == EMBEDDING:
            digits = np.clip(np.rint(tensor / np.float32(step)), -limit, limit)
            found[name] = (digits * np.float32(step)).astype(np.float32)
        else:
            found[name] = tensor
    return found


def embedding_step(table: NDArray[np.float32], form: LanguageFormat) -> float:
    """What one step of the embedding is worth, a float32: clip · rms / L."""
    root = float(np.sqrt(np.mean(np.square(table, dtype=np.float64))))
    return float(np.float32(root * CLIP / levels(form.embedding_digits)))
