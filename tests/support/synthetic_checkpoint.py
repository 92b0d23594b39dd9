"""A decoder of random trits as transformers keeps it, of any size: python tests/support/synthetic_checkpoint.py FOLDER.

The default is 23 blocks of hidden size 2048, a billion trits in 259 MB; `tritweave import FOLDER -o FILE` reads them.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

CODES = np.array([a | b << 2 | c << 4 | d << 6 for d in range(3) for c in range(3) for b in range(3) for a in range(3)])


def shapes(hidden: int, intermediate: int, heads: int, key_heads: int) -> dict[str, tuple[int, int]]:
    """Outputs and inputs of a block's layers."""
    key = hidden // heads * key_heads
    return {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (key, hidden),
        "self_attn.v_proj": (key, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (intermediate, hidden),
        "mlp.up_proj": (intermediate, hidden),
        "mlp.down_proj": (hidden, intermediate),
    }


def write_checkpoint_folder(
    folder: Path,
    *,
    blocks: int = 23,
    hidden: int = 2048,
    intermediate: int = 5632,
    heads: int = 32,
    key_heads: int = 8,
    blocks_per_shard: int = 5,
    seed: int = 0,
    **quantisation: object,
) -> int:
    """Write config.json, the index and the shards; the number of trits."""
    random, places, trits = np.random.default_rng(seed), {}, 0
    folder.mkdir(parents=True, exist_ok=True)
    shards = -(-blocks // blocks_per_shard)
    for shard in range(shards):
        tensors = {}
        for block in range(shard * blocks_per_shard, min((shard + 1) * blocks_per_shard, blocks)):
            for name, (outputs, inputs) in shapes(hidden, intermediate, heads, key_heads).items():
                codes = CODES.astype(np.uint8)[random.integers(0, 81, (outputs // 4, inputs), np.uint8)]
                tensors[f"model.layers.{block}.{name}.weight"] = codes
                scale = random.uniform(0.5, 2, 1).astype(np.float32)
                tensors[f"model.layers.{block}.{name}.weight_scale"] = scale
                trits += outputs * inputs
        if shard == 0:
            tensors["model.embed_tokens.weight"] = random.normal(size=(64, hidden)).astype(np.float16)
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        save_file(tensors, folder / file)
        places |= dict.fromkeys(tensors, file)
    config = {
        "model_type": "bitnet",
        "num_hidden_layers": blocks,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear"} | quantisation,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return trits


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", type=int, default=23)
    arguments = parser.parse_args()
    print(f"{write_checkpoint_folder(arguments.folder, blocks=arguments.blocks):,} trits in {arguments.folder}")
