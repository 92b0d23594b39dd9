"""Small BitNet checkpoints as transformers itself packs and saves them, and what its layers answer.

python tests/interop/make_fixtures.py FOLDER writes those of tests/data/transformers; it needs the extra `interop`.
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
from transformers.integrations.bitnet import pack_weights, replace_with_bitnet_linear

VARIANTS = {
    "divide": {"linear_class": "bitlinear"},
    "divide-norm": {"linear_class": "bitlinear", "use_rms_norm": True},
    "multiply": {"linear_class": "autobitlinear", "quantization_mode": "offline"},
    "online": {"linear_class": "autobitlinear", "quantization_mode": "online"},
}


def make(folder: Path, name: str) -> None:
    """One checkpoint in two shards, and for each layer an input and its output, as float32, in answers.npz."""
    torch.manual_seed(1)
    options = BitNetQuantConfig(modules_to_not_convert=["lm_head"], **VARIANTS[name])
    config = BitNetConfig(
        vocab_size=8,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=0,
        eos_token_id=1,
    )
    model = replace_with_bitnet_linear(BitNetForCausalLM(config), ["lm_head"], options).float()
    answers = {}
    for path, module in model.named_modules():
        if not hasattr(module, "in_features") or path == "lm_head":
            continue
        trits = torch.randint(-1, 2, (module.out_features, module.in_features))
        if name == "online":
            module.weight.data = torch.randn(module.weight.shape).to(torch.bfloat16).float()
        else:
            answers[f"{path}.trits"] = trits.to(torch.int8).numpy()
            module.weight_scale = (torch.rand(1) + 0.25).to(torch.bfloat16).float()
            if name == "multiply":
                module.weight.data = trits.float()
            else:
                module.weight = pack_weights(trits.clone())
                module.dtype = torch.float32
        if getattr(module, "rms_norm", None) is not None:
            module.rms_norm.weight = torch.nn.Parameter(torch.rand(module.in_features) + 0.5)
        values = torch.randn(3, module.in_features)
        answers[f"{path}.input"] = values.numpy()
        answers[f"{path}.output"] = module(values).detach().numpy()
        if name == "multiply":
            # As published checkpoints of this class have them.
            module.weight = torch.nn.Parameter(pack_weights(trits.clone()), requires_grad=False)
            module.weight_scale = module.weight_scale.to(torch.bfloat16)
        elif name == "online":
            module.weight.data = module.weight.data.to(torch.bfloat16)
    model.config.quantization_config = options
    model.save_pretrained(folder / name, max_shard_size="2KB")
    (folder / name / "generation_config.json").unlink()
    np.savez_compressed(folder / name / "answers.npz", **answers)


if __name__ == "__main__":
    for variant in VARIANTS:
        make(Path(sys.argv[1]), variant)
