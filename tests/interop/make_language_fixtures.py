"""Small language models as folders, and the logits that transformers' BitNetForCausalLM computes with them.

python tests/interop/make_language_fixtures.py FOLDER writes those of tests/data/language; it needs the extra `interop`.
"""
# pyright: reportMissingImports=false
# PyTorch and transformers are optional, so the types must also check where they are not installed.

import os
import sys
from pathlib import Path

# What transformers compiles for speed is the same arithmetic without a compiler.
os.environ["TORCHDYNAMO_DISABLE"] = "1"

import numpy as np
import torch
from transformers import BitNetConfig, BitNetForCausalLM, BitNetQuantConfig

from gen.training.language_folder import KINDS, write_folder
from gen.training.language_shape import Shape

SHAPE = Shape(40, 24, 16, 2, 4, 2, 24, embedding_digits=4, epsilon=1e-5)

TOKENIZER = """{"version": "1.0", "added_tokens": [{"id": 0, "content": "<|endoftext|>", "single_word": false,
 "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
 "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
 "model": {"type": "BPE", "vocab": {"<|endoftext|>": 0, %s}, "merges": [["a", "b"], ["ab", "c"]]}}
"""


def random_weights(shape: Shape, seed: int) -> dict[str, np.ndarray]:
    """Latent reals by transformers' names, gains around 1."""
    random = np.random.default_rng(seed)
    keys = shape.key_heads * shape.head
    sizes: dict[str, tuple[int, ...]] = {"embed_tokens": (shape.vocabulary, shape.width), "norm": (shape.width,)}
    for layer in range(shape.layers):
        parts = {
            "input_layernorm": (shape.width,),
            "self_attn.q_proj": (shape.width, shape.width),
            "self_attn.k_proj": (keys, shape.width),
            "self_attn.v_proj": (keys, shape.width),
            "self_attn.o_proj": (shape.width, shape.width),
            "self_attn.attn_sub_norm": (shape.width,),
            "post_attention_layernorm": (shape.width,),
            "mlp.gate_proj": (shape.inner, shape.width),
            "mlp.up_proj": (shape.inner, shape.width),
            "mlp.down_proj": (shape.width, shape.inner),
            "mlp.ffn_sub_norm": (shape.inner,),
        }
        sizes |= {f"layers.{layer}.{name}": size for name, size in parts.items()}
    return {
        f"model.{name}.weight": (
            random.uniform(0.5, 1.5, size) if len(size) == 1 else random.normal(0, size[-1] ** -0.5, size)
        ).astype(np.float32)
        for name, size in sizes.items()
    }


def tokenizer() -> str:
    """Forty tokens: the start, two merges, and characters as the byte-level alphabet spells them."""
    characters = [*"\u010a\u0120.,'", *map(chr, range(ord("a"), ord("z") + 1)), *"ABCDEF", "ab", "abc"]
    return TOKENIZER % ", ".join(f'"{token}": {index + 1}' for index, token in enumerate(characters))


def logits_of(folder: Path, tokens: np.ndarray) -> np.ndarray:
    """What transformers computes with a folder."""
    model = BitNetForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        return model(torch.from_numpy(tokens)).logits.numpy()


def save_by_transformers(folder: Path, weights: dict[str, np.ndarray]) -> None:
    """The same latent model as transformers itself writes it."""
    config = BitNetConfig(
        vocab_size=SHAPE.vocabulary,
        hidden_size=SHAPE.width,
        intermediate_size=SHAPE.inner,
        num_hidden_layers=SHAPE.layers,
        num_attention_heads=SHAPE.heads,
        num_key_value_heads=SHAPE.key_heads,
        max_position_embeddings=SHAPE.context,
        rope_parameters={"rope_type": "default", "rope_theta": SHAPE.theta},
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = BitNetForCausalLM(config)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    model.tie_weights()
    model.config.quantization_config = BitNetQuantConfig(
        modules_to_not_convert=["lm_head"], linear_class="autobitlinear", quantization_mode="online"
    )
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    (folder / "tokenizer.json").write_text(tokenizer(), encoding="utf-8")


def make(folder: Path) -> None:
    """Every kind that is written here, and the latent one that transformers writes, each with answers.npz."""
    weights = random_weights(SHAPE, 1)
    tokens = np.random.default_rng(2).integers(0, SHAPE.vocabulary, (2, SHAPE.context))
    for kind in KINDS:
        write_folder(folder / kind, SHAPE, weights, tokenizer(), kind)
    save_by_transformers(folder / "transformers", weights)
    for kind in (*KINDS, "transformers"):
        np.savez_compressed(folder / kind / "answers.npz", tokens=tokens, logits=logits_of(folder / kind, tokens))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
