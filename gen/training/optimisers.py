"""Muon for the matrices, AdamW for the rest, and the learning rate's way: up, constant, down at the end."""
# pyright: reportMissingImports=false
# PyTorch is optional, so the types must also check where it is not installed.

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import torch

_QUINTIC: Final = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz step of Muon (Jordan et al., 2024): singular values come to about 1."""


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal: every direction of a matrix moves equally far.

    Parameters
    ----------
    matrices
        Parameters of two dimensions; those of one shape are worked on together.
    lr
        Learning rate: the spectral norm of a step of a wide matrix; taller ones go further by √(rows / columns).
    momentum
        Of Nesterov's kind.
    steps
        Of Newton and Schulz.

    """

    def __init__(
        self,
        matrices: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        steps: int = 5,
    ) -> None:
        by_shape: dict[tuple[int, ...], list[torch.nn.Parameter]] = {}
        for matrix in matrices:
            by_shape.setdefault(tuple(matrix.shape), []).append(matrix)
        groups = [{"params": group} for group in by_shape.values()]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "steps": steps})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step."""
        for group in self.param_groups:
            matrices, momentum, rate = group["params"], group["momentum"], group["lr"]
            gradients = torch.stack([matrix.grad for matrix in matrices])
            state = self.state[matrices[0]]
            buffer = state.setdefault("momentum", torch.zeros_like(gradients))
            buffer.lerp_(gradients, 1 - momentum)
            directions = orthogonal(gradients.lerp_(buffer, momentum), group["steps"])
            rows, columns = directions.shape[1:]
            reach = rate * max(1.0, rows / columns) ** 0.5
            for matrix, direction in zip(matrices, directions, strict=True):
                matrix.sub_(direction, alpha=reach)


def orthogonal(matrices: torch.Tensor, steps: int) -> torch.Tensor:
    """The nearest orthogonal matrices, roughly; shape (n, rows, columns)."""
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.transpose(1, 2) if tall else matrices
    found = found / (found.norm(dim=(1, 2), keepdim=True) + 1e-7)
    first, second, third = _QUINTIC
    for _ in range(steps):
        square = found @ found.transpose(1, 2)
        found = first * found + torch.baddbmm(square, square, square, beta=second, alpha=third) @ found
    return found.transpose(1, 2) if tall else found


@dataclass(frozen=True)
class Schedule:
    """The learning rate's way, as a share of its peak.

    Parameters
    ----------
    steps
        All of them.
    warm_up
        Steps in which it rises.
    decay
        Steps at the end in which it falls in a straight line; until then a run can be made longer or shorter at will.
    last
        Where it ends.

    """

    steps: int
    warm_up: int
    decay: int
    last: float = 0.03

    def __call__(self, step: int) -> float:
        """The share in step `step`, counted from 0."""
        rising = min(1.0, (step + 1) / self.warm_up)
        left = min(1.0, (self.steps - step) / max(1, self.decay))
        return min(rising, self.last + (1 - self.last) * left)
