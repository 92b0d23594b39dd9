"""Quantisers of the decoder in the training loop; the gradient passes each of them as if it were not there.

The straight-through estimator (Bengio, Léonard and Courville, 1308.3432). Everything is rounded half to even.
"""
# pyright: reportMissingImports=false
# PyTorch is optional, so the types must also check where it is not installed.

from typing import Any

import torch

from golden.quantise import EPSILON


class AbsmaxQuantiser(torch.autograd.Function):
    """``RNE(x / s)·s`` with ``s = max|x| / limit`` over the last axis: A8max at 127, digits of a cache at L."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, limit: int) -> torch.Tensor:
        """Reals of shape (..., n) to multiples of each vector's step."""
        scale = limit / values.abs().amax(-1, keepdim=True).clamp_(min=EPSILON)
        return (values * scale).round_().div_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient as it is."""
        return gradients[0], None


class TableQuantiser(torch.autograd.Function):
    """The embedding in digits with one scale: ``clamp(RNE(E / s), -L, L)·s``, ``s = clip·rms(E) / L``."""

    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, limit: int, clip: float) -> torch.Tensor:
        """Reals of any shape to multiples of one step."""
        scale = table_scale(table, limit, clip)
        return (table / scale).round_().clamp_(-limit, limit).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient as it is."""
        return gradients[0], None, None


def table_scale(table: torch.Tensor, limit: int, clip: float) -> torch.Tensor:
    """What one step of the embedding is worth; the mean is taken in float64, so that its order does not matter."""
    return (table.detach().double().square().mean().sqrt() * (clip / limit)).clamp(min=EPSILON / limit).float()
