"""Networks of the published schemes that are meant for training: BitNet, BWN, XNOR-Net and OneBit.

Each learns with straight-through gradients and leaves the matrices of `golden.schemes.quantisers`, which the engine
runs. Layers of BitNet, BWN and OneBit take int8 activations, and nothing stands between them but a ReLU: as in
`gen.training.trainer`, norms without parameters are what the quantiser takes out again. XNOR-Net has a batch norm in
front of each sign, in place of the ReLU; it becomes scales and biases of the rows before it, where a bias is all that
a sign's threshold needs. Its first layer takes the image's integers, as the paper leaves the first layer's inputs.
"""
# pyright: reportMissingImports=false
# PyTorch is optional, so the types must also check where it is not installed.

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from gen.training.data import Dataset, Recipe
from gen.training.results import Epoch, TrainedScheme
from gen.training.trainer import BitLinear, EightBitActivations, build, fit
from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX, STATIC
from golden.schemes.network import integer_network
from golden.schemes.quantisers import quantise_bitnet, quantise_bwn
from golden.schemes.segmented import SegmentedMatrix


class ShiftedSigns(torch.autograd.Function):
    """BitNet's ``β·Sign(W - mean(W))``, as `quantise_bitnet` has it; the gradient passes straight through."""

    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor) -> torch.Tensor:
        """Reals of any shape to -β and β."""
        scale = weights.abs().mean(dtype=torch.float64).float()
        return torch.where(weights > weights.mean(dtype=torch.float64), scale, -scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """The gradient as it is."""
        return gradients[0]


class RowSigns(torch.autograd.Function):
    """BWN's ``α[o]·sign(W[o])``, as `quantise_bwn` has it; likewise."""

    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor) -> torch.Tensor:
        """Reals of shape (outputs, inputs) to -α and α of each row."""
        return _signs(weights) * weights.abs().mean(1, keepdim=True)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """The gradient as it is."""
        return gradients[0]


class ActivationSigns(torch.autograd.Function):
    """XNOR-Net's ``sign(x)``, +1 for 0; the gradient passes where the magnitude is at most 1."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        """Reals to -1 and +1."""
        ctx.save_for_backward(values)
        return _signs(values)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """That of a hard tanh."""
        (values,) = ctx.saved_tensors
        return gradients[0] * (values.abs() <= 1)


class BitNetLinear(BitLinear):
    """A layer of BitNet."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Reals of shape (..., inputs) to reals of shape (..., outputs)."""
        return functional.linear(_eight_bits(values), ShiftedSigns.apply(self.weight))

    def matrix(self) -> SegmentedMatrix:
        """What it leaves."""
        return quantise_bitnet(_array(self.weight))


class BwnLinear(BitLinear):
    """A layer of a Binary-Weight-Network."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Reals of shape (..., inputs) to reals of shape (..., outputs)."""
        return functional.linear(_eight_bits(values), RowSigns.apply(self.weight))

    def matrix(self) -> SegmentedMatrix:
        """What it leaves."""
        return quantise_bwn(_array(self.weight))


class OneBitLinear(BitLinear):
    """A layer of OneBit: signs between two vectors that learn, too, the inputs' from 1 and the rows' from the mean."""

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__(inputs, outputs, generator)
        self.columns = torch.nn.Parameter(torch.ones(inputs))
        self.rows = torch.nn.Parameter(self.weight.detach().abs().mean(1))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Reals of shape (..., inputs) to reals of shape (..., outputs)."""
        signs = self.weight + (_signs(self.weight) - self.weight).detach()
        return functional.linear(_eight_bits(values * self.columns), signs) * self.rows

    def matrix(self) -> SegmentedMatrix:
        """What it leaves. A negative factor of an input is its weights' sign: only others pass the ReLU before."""
        signs, columns = _array(_signs(self.weight)), _array(self.columns)
        trits = (signs * np.where(columns < 0, -1, 1)).astype(np.int8)
        return SegmentedMatrix(
            trits[None], _array(self.rows)[None, :, None], (trits.shape[1],), input_scales=np.abs(columns)
        )


class XnorLinear(BitLinear):
    """A layer of XNOR-Net and the batch norm behind it."""

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__(inputs, outputs, generator)
        self.norm = torch.nn.BatchNorm1d(outputs)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Reals of shape (n, inputs) to reals of shape (n, outputs)."""
        return self.norm(functional.linear(values, RowSigns.apply(self.weight)))

    def matrix(self) -> SegmentedMatrix:
        """What it leaves, with the norm in scales and biases."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factors = norm.weight / (norm.running_var + norm.eps).sqrt()
        biases = _array(norm.bias - norm.running_mean * factors)
        matrix = quantise_bwn(_array(self.weight), "binary")
        return replace(matrix, scales=matrix.scales * _array(factors)[:, None], bias=biases)


class StaticInputs(torch.nn.Module):
    """Reals from -1 to 1 as multiples of a 127th."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Of any shape; no gradient is needed."""
        return (values * ACTIVATION_MAX).round().clamp(-ACTIVATION_MAX, ACTIVATION_MAX) / ACTIVATION_MAX


class Signed(torch.nn.Module):
    """The activation of XNOR-Net."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Of any shape."""
        return ActivationSigns.apply(values)


def build_xnor(sizes: tuple[int, ...], generator: torch.Generator) -> torch.nn.Sequential:
    """An untrained XNOR-Net."""
    layers: list[torch.nn.Module] = [StaticInputs()]
    for inputs, outputs in pairwise(sizes):
        layers += [XnorLinear(inputs, outputs, generator), Signed()]
    return torch.nn.Sequential(*layers[:-1])


MODELS: Final[dict[str, Callable[[tuple[int, ...], torch.Generator], torch.nn.Sequential]]] = {
    "bitnet": partial(build, layer=BitNetLinear),
    "bwn": partial(build, layer=BwnLinear),
    "xnor": build_xnor,
    "onebit": partial(build, layer=OneBitLinear),
}
"""Untrained models by scheme."""


def train_scheme(
    scheme: str,
    recipe: Recipe,
    data: Dataset,
    *,
    seed: int,
    epochs: int | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> TrainedScheme:
    """Train a network of a scheme, one of `MODELS`, on uint8 vectors of 255ths; the rest is as for `trainer.train`."""
    if (data.input_type, data.unit) != ("uint8", 1 / 255):
        raise TritweaveError(f"the data are {data.input_type} of unit {data.unit:g}; a scheme takes uint8 of 1/255")
    model, float_accuracy = fit(MODELS[scheme], recipe, data, seed, epochs, progress)
    matrices = matrices_of(model)
    network = integer_network(scheme, matrices, input_unit=data.unit)
    found = network.forward(network.prepare(data.test.vectors)).logits.argmax(axis=1)
    return TrainedScheme(scheme, recipe.name, matrices, float_accuracy, float(np.mean(found == data.test.labels)))


def matrices_of(model: torch.nn.Sequential) -> list[SegmentedMatrix]:
    """The layers as they are put out; what their real weights hold beyond that is gone."""
    layers = (BitNetLinear, BwnLinear, OneBitLinear, XnorLinear)
    matrices = [module.matrix() for module in model if isinstance(module, layers)]
    if isinstance(model[0], StaticInputs):
        matrices[0] = replace(matrices[0], activations=STATIC)
    return matrices


def _eight_bits(values: torch.Tensor) -> torch.Tensor:
    return EightBitActivations.apply(functional.rms_norm(values, values.shape[-1:]))


def _signs(values: torch.Tensor) -> torch.Tensor:
    return torch.where(values < 0, -1.0, 1.0)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.detach().numpy()
