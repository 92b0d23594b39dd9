"""Small ternary networks as Brevitas exports them, to QONNX and to ONNX's own quantisers, and what they answer.

`pip install brevitas qonnx onnxoptimizer`, then `python tests/interop/make_onnx_fixtures.py tests/data/onnx`.
"""
# pyright: reportMissingImports=false
# Brevitas and PyTorch are optional, so the types must also check where they are not installed.

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.nn import QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, SignedTernaryWeightPerTensorConst


class NarrowTwoBits(Int8WeightPerTensorFloat):
    """Trits as integers of two bits, whose scale is the largest weight."""

    bit_width = 2
    narrow_range = True


def network(weights: type) -> torch.nn.Sequential:
    """12-8-8-4 with a BatchNorm, a bias and 8-bit activations between the layers."""
    options = {"weight_quant": weights, "return_quant_tensor": True}
    return torch.nn.Sequential(
        QuantIdentity(act_quant=Int8ActPerTensorFloat, return_quant_tensor=True),
        QuantLinear(12, 8, bias=False, **options),
        torch.nn.BatchNorm1d(8),
        QuantReLU(bit_width=8, return_quant_tensor=True),
        QuantLinear(8, 8, bias=True, **options),
        QuantReLU(bit_width=8, return_quant_tensor=True),
        QuantLinear(8, 4, bias=False, weight_quant=weights),
    )


def make(folder: Path, name: str, export: Callable[..., Any], weights: type) -> None:
    """One network after a few batches, its file, and the dequantised weights of its layers."""
    torch.manual_seed(3)
    model: Any = network(weights)
    for _ in range(3):
        model(torch.rand(16, 12))
    model.eval()
    with TemporaryDirectory() as temporary:
        export(model, args=torch.rand(1, 12), export_path=f"{temporary}/x.onnx")
        written = onnx.load(f"{temporary}/x.onnx")
    # As it was written, in one file, without what PyTorch notes of the program that exported it.
    for node in written.graph.node:
        del node.metadata_props[:]
    for value in (*written.graph.value_info, *written.graph.input, *written.graph.output):
        del value.metadata_props[:]
    del written.functions[:], written.metadata_props[:], written.graph.metadata_props[:]
    onnx.save(written, folder / f"{name}.onnx")
    layers: list[Any] = [module for module in model if isinstance(module, QuantLinear)]
    found = {f"weight{index}": layer.quant_weight().value.detach().numpy() for index, layer in enumerate(layers)}
    np.savez_compressed(folder / f"{name}.npz", bias1=layers[1].bias.detach().numpy(), **found)


if __name__ == "__main__":
    make(Path(sys.argv[1]), "qonnx", export_qonnx, SignedTernaryWeightPerTensorConst)
    make(Path(sys.argv[1]), "qonnx-two-bits", export_qonnx, NarrowTwoBits)
    make(Path(sys.argv[1]), "qcdq", export_onnx_qcdq, NarrowTwoBits)
