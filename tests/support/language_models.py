"""Random language models, small ones, as objects and as folders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from golden.files.packing_hf import encode_hf
from golden.language.format import LanguageFormat, Shape, levels
from golden.language.model import Block, LanguageModel, Matrix
from support.tokenizers_made import characters

SMALL = Shape(vocabulary=24, hidden=16, blocks=2, heads=4, key_heads=2, head=4, intermediate=20, context=16)


def random_model(shape: Shape = SMALL, form: LanguageFormat | None = None, seed: int = 0) -> LanguageModel:
    """Trits, gains and an embedding that are all drawn."""
    random, form = np.random.default_rng(seed), form or LanguageFormat(3, 3, 3)
    keys = shape.key_heads * shape.head

    def matrix(outputs: int, inputs: int) -> Matrix:
        trits = random.integers(-1, 2, (outputs, inputs)).astype(np.int8)
        return Matrix(trits, float(np.float32(random.uniform(0.5, 1.5) / np.sqrt(inputs))))

    def gains(length: int) -> NDArray[np.float32]:
        return random.normal(1, 0.3, length).astype(np.float32)

    def block() -> Block:
        return Block(
            gains(shape.hidden),
            matrix(shape.hidden, shape.hidden),
            matrix(keys, shape.hidden),
            matrix(keys, shape.hidden),
            gains(shape.hidden),
            matrix(shape.hidden, shape.hidden),
            gains(shape.hidden),
            matrix(shape.intermediate, shape.hidden),
            matrix(shape.intermediate, shape.hidden),
            gains(shape.intermediate),
            matrix(shape.hidden, shape.intermediate),
        )

    blocks = tuple(block() for _ in range(shape.blocks))
    limit = levels(form.embedding_digits)
    step = float(np.float32(3 / limit))
    digits = np.rint(random.normal(0, 1, (shape.vocabulary, shape.hidden)) / step).clip(-limit, limit)
    embedding = (digits * step).astype(np.float32)
    final = (gains(shape.hidden) / np.sqrt(shape.hidden)).astype(np.float32)
    return LanguageModel("random", shape, form, embedding, blocks, final, 1e-8, 10000.0, 0, (0,), step)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Small ones, of every kind of sharing."""
    key_heads, sharing = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    heads, head = key_heads * sharing, 2 * draw(st.integers(1, 4))
    return Shape(
        vocabulary=draw(st.integers(2, 12)),
        hidden=heads * head,
        blocks=draw(st.integers(1, 2)),
        heads=heads,
        key_heads=key_heads,
        head=head,
        intermediate=draw(st.integers(1, 12)),
        context=draw(st.integers(1, 9)),
    )


@st.composite
def forms(draw: st.DrawFn) -> LanguageFormat:
    """Any digits, and any widths."""
    return LanguageFormat(
        embedding_digits=draw(st.integers(1, 5)),
        key_digits=draw(st.integers(1, 5)),
        value_digits=draw(st.integers(1, 5)),
        residual_bits=draw(st.integers(12, 20)),
        fraction_bits=draw(st.integers(0, 4)),
        gain_bits=draw(st.integers(4, 12)),
        scale_bits=draw(st.integers(8, 16)),
        rotation_bits=draw(st.integers(6, 14)),
        table_bits=draw(st.integers(4, 8)),
        quantiser_bits=draw(st.integers(14, 24)),
    )


NAMES = {
    "attention_gains": "input_layernorm",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "context_gains": "self_attn.attn_sub_norm",
    "output": "self_attn.o_proj",
    "forward_gains": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "hidden_gains": "mlp.ffn_sub_norm",
    "down": "mlp.down_proj",
}


def folder_contents(model: LanguageModel) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """config.json and tensors of a model, packed."""
    shape, form = model.shape, model.form
    config = {
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
        "rms_norm_eps": model.epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": model.base},
        "attention_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": model.start,
        "eos_token_id": model.ends[0],
        "quantization_config": {
            "quant_method": "bitnet",
            "linear_class": "autobitlinear",
            "quantization_mode": "offline",
        },
        "tritweave": {
            "embedding_digits": form.embedding_digits,
            "key_digits": form.key_digits,
            "value_digits": form.value_digits,
            "embedding_scale": model.embedding_step,
        },
    }
    tensors: dict[str, NDArray[Any]] = {
        "model.embed_tokens.weight": model.embedding,
        "model.norm.weight": model.final_gains,
    }
    for index, block in enumerate(model.blocks):
        for field, name in NAMES.items():
            part, place = getattr(block, field), f"model.layers.{index}.{name}.weight"
            tensors[place] = encode_hf(part.weights) if isinstance(part, Matrix) else part
            if isinstance(part, Matrix):
                tensors[f"{place}_scale"] = np.array([part.scale], np.float32)
    return config, tensors


def write_folder(folder: Path, config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Path:
    """Both files, as they are given."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors")
    return folder


def speaking_folder(folder: Path, model: LanguageModel | None = None) -> Path:
    """A folder of a model, or of a small one of 24 tokens, with a tokenizer of characters."""
    path = write_folder(folder, *folder_contents(model or random_model()))
    characters("abcdefghijklmnopqrstuv\n").save(str(path / "tokenizer.json"))
    return path
