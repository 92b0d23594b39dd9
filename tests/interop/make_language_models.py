"""Small language models as transformers itself saves them, and the logits that it gives.

python tests/interop/make_language_models.py FOLDER writes those of tests/data/language; it needs the extra `interop`.
"""
# pyright: reportMissingImports=false
# PyTorch and transformers are optional, so the types must also check where they are not installed.

import os
import sys
from pathlib import Path
from typing import Any

# What transformers compiles for speed is the same arithmetic without a compiler.
os.environ["TORCHDYNAMO_DISABLE"] = "1"

import numpy as np
import torch
from transformers import BitNetConfig, BitNetForCausalLM, BitNetQuantConfig
from transformers.integrations.bitnet import pack_weights, replace_with_bitnet_linear

VARIANTS = {
    "floats": None,
    "latent": {"linear_class": "autobitlinear", "quantization_mode": "online"},
    "multiply": {"linear_class": "autobitlinear", "quantization_mode": "offline"},
    "divide": {"linear_class": "bitlinear"},
}


def make(folder: Path, name: str) -> None:
    """One model in bfloat16 (packed: trits), and for tokens of two sequences its logits, in answers.npz."""
    torch.manual_seed(1)
    config = BitNetConfig(
        vocab_size=24,
        hidden_size=16,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=16,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    # Any: what the quantised layers have besides is not in their annotations.
    model: Any = BitNetForCausalLM(config)
    options = None
    if settings := VARIANTS[name]:
        options = BitNetQuantConfig(modules_to_not_convert=["lm_head"], **settings)
        model = replace_with_bitnet_linear(model, ["lm_head"], options)
    model = model.float().eval()
    for path, parameter in model.named_parameters():
        spread = 0.3 if "norm" in path else 1.0
        values = torch.randn(parameter.shape) * spread + (1.0 if "norm" in path else 0.0)
        parameter.data = values.to(torch.bfloat16).float()
    packed = {}
    for path, module in model.named_modules():
        if not path.endswith("_proj") or name not in ("multiply", "divide"):
            continue
        trits = torch.randint(-1, 2, (module.out_features, module.in_features))
        module.weight_scale = (torch.rand(1) + 0.25).to(torch.bfloat16).float()
        packed[path] = pack_weights(trits.clone())
        if name == "multiply":
            module.weight = torch.nn.Parameter(trits.float())
        else:
            module.weight, module.dtype = packed[path], torch.float32
    tokens = torch.randint(0, config.vocab_size, (2, config.max_position_embeddings))
    with torch.no_grad():
        logits = model(tokens).logits
    for path, module in model.named_modules():
        if path in packed:
            module.weight = torch.nn.Parameter(packed[path], requires_grad=False)
        elif isinstance(getattr(module, "weight", None), torch.nn.Parameter):
            module.weight.data = module.weight.data.to(torch.bfloat16)
    if options:
        model.config.quantization_config = options
    model.save_pretrained(folder / name)
    (folder / name / "generation_config.json").unlink()
    np.savez_compressed(folder / name / "answers.npz", tokens=tokens.numpy(), logits=logits.numpy())


if __name__ == "__main__":
    for variant in VARIANTS:
        make(Path(sys.argv[1]), variant)
