"""The decoder in PyTorch: BitNet's architecture with every quantiser of the integer form in the forward pass.

Norm, ternary q, k, v, rotation, attention over keys and values in digits, sub-norm, o; norm, relu²(gate)·up, sub-norm,
down; the logits come from the embedding, which is in digits too. Tensors have transformers' names.
"""
# pyright: reportMissingImports=false
# PyTorch is optional, so the types must also check where it is not installed.

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from gen.training.attention import RoundedAttention, attend_at_once
from gen.training.language_folder import CLIP, EPSILON, THETA
from gen.training.straight_through import AbsmaxQuantiser, TableQuantiser
from gen.training.trainer import TernaryWeights
from golden.formats import ACTIVATION_MAX
from golden.language.format import LanguageFormat, Shape, levels


@dataclass
class Precision:
    """Which quantisers are at work; changed between steps of the training."""

    weights: bool = True
    activations: bool = True


class Linear(torch.nn.Module):
    """Ternary weights, kept as the reals behind them."""

    def __init__(self, inputs: int, outputs: int, precision: Precision, generator: torch.Generator) -> None:
        super().__init__()
        self.precision = precision
        self.weight = torch.nn.Parameter(torch.randn(outputs, inputs, generator=generator) / math.sqrt(inputs))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Quantised reals of shape (..., inputs) to reals of shape (..., outputs)."""
        return functional.linear(values, TernaryWeights.apply(self.weight) if self.precision.weights else self.weight)


class Norm(torch.nn.Module):
    """RMSNorm and the A8max behind it."""

    def __init__(self, size: int, precision: Precision) -> None:
        super().__init__()
        self.precision = precision
        self.weight = torch.nn.Parameter(torch.ones(size))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Reals of shape (..., size) to int8 multiples of a step."""
        normal = functional.rms_norm(values, self.weight.shape, self.weight, EPSILON)
        return quantise(normal, ACTIVATION_MAX, self.precision)


class Attention(torch.nn.Module):
    """Everything between the first norm of a layer and the residual."""

    def __init__(self, shape: Shape, form: LanguageFormat, precision: Precision, generator: torch.Generator) -> None:
        super().__init__()
        self.shape, self.form, self.precision = shape, form, precision
        keys = shape.key_heads * shape.head
        self.q_proj = Linear(shape.hidden, shape.hidden, precision, generator)
        self.k_proj = Linear(shape.hidden, keys, precision, generator)
        self.v_proj = Linear(shape.hidden, keys, precision, generator)
        self.o_proj = Linear(shape.hidden, shape.hidden, precision, generator)
        self.attn_sub_norm = Norm(shape.hidden, precision)

    def forward(self, values: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor], mask: torch.Tensor):
        """Quantised reals of shape (B, T, D) to what is added to the residual."""
        shape, (items, tokens, _) = self.shape, values.shape

        def heads(projected: torch.Tensor) -> torch.Tensor:
            return projected.view(items, tokens, -1, shape.head).transpose(1, 2)

        query, key = (rotate(heads(layer(values)), rotation) for layer in (self.q_proj, self.k_proj))
        query = quantise(query, ACTIVATION_MAX, self.precision) * shape.head**-0.5
        key = quantise(key, levels(self.form.key_digits), self.precision)
        limit, value = levels(self.form.value_digits), heads(self.v_proj(values))
        scales = value.detach().abs().amax(-1).clamp(min=1e-5) / limit if self.precision.activations else None
        value = quantise(value, limit, self.precision)
        attend = RoundedAttention.apply if values.device.type == "cpu" else attend_at_once
        context = attend(query.unflatten(1, (shape.key_heads, -1)), key, value, scales, mask)
        return self.o_proj(self.attn_sub_norm(context.flatten(1, 2).transpose(1, 2).flatten(2)))


class FeedForward(torch.nn.Module):
    """Everything between the second norm of a layer and the residual."""

    def __init__(self, shape: Shape, precision: Precision, generator: torch.Generator) -> None:
        super().__init__()
        self.precision = precision
        self.gate_proj = Linear(shape.hidden, shape.intermediate, precision, generator)
        self.up_proj = Linear(shape.hidden, shape.intermediate, precision, generator)
        self.down_proj = Linear(shape.intermediate, shape.hidden, precision, generator)
        self.ffn_sub_norm = Norm(shape.intermediate, precision)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Quantised reals of shape (B, T, D) to what is added to the residual."""
        # The drain's ReLU lies in front of the quantiser: no level is spent on what relu² drops.
        gate = quantise(self.gate_proj(values).relu(), ACTIVATION_MAX, self.precision)
        up = quantise(self.up_proj(values), ACTIVATION_MAX, self.precision)
        return self.down_proj(self.ffn_sub_norm(gate.square() * up))


class Layer(torch.nn.Module):
    """Attention and feed-forward block, each with its norm."""

    def __init__(self, shape: Shape, form: LanguageFormat, precision: Precision, generator: torch.Generator) -> None:
        super().__init__()
        self.input_layernorm = Norm(shape.hidden, precision)
        self.self_attn = Attention(shape, form, precision, generator)
        self.post_attention_layernorm = Norm(shape.hidden, precision)
        self.mlp = FeedForward(shape, precision, generator)

    def forward(self, residual: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor], mask: torch.Tensor):
        """The residual stream behind this layer."""
        residual = residual + self.self_attn(self.input_layernorm(residual), rotation, mask)
        return residual + self.mlp(self.post_attention_layernorm(residual))


class Decoder(torch.nn.Module):
    """Tokens to logits.

    Parameters
    ----------
    shape
        Sizes.
    form
        Digits of the embedding, of keys and of values.
    generator
        Draws the first weights.

    """

    def __init__(self, shape: Shape, form: LanguageFormat, generator: torch.Generator) -> None:
        super().__init__()
        self.shape, self.form, self.precision = shape, form, Precision()
        self.embed_tokens = torch.nn.Parameter(torch.randn(shape.vocabulary, shape.hidden, generator=generator) * 0.05)
        self.layers = torch.nn.ModuleList(Layer(shape, form, self.precision, generator) for _ in range(shape.blocks))
        self.norm = Norm(shape.hidden, self.precision)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits of shape (B, T, V); tokens of shape (B, T), mask as `gen.training.attention` has it."""
        table = self.table()
        residual, count = functional.embedding(tokens, table), tokens.shape[1]
        rotation = angles(count, self.shape.head, tokens.device)
        for layer in self.layers:
            residual = layer(residual, rotation, mask)
        return functional.linear(self.norm(residual), table)

    def table(self) -> torch.Tensor:
        """The embedding as it is used."""
        if not self.precision.weights:
            return self.embed_tokens
        return TableQuantiser.apply(self.embed_tokens, levels(self.form.embedding_digits), CLIP)


def quantise(values: torch.Tensor, limit: int, precision: Precision) -> torch.Tensor:
    """By the absolute maximum of the last axis, unless activations stay as they are."""
    return AbsmaxQuantiser.apply(values, limit) if precision.activations else values


def angles(count: int, head: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and signed sines of the first `count` positions, both of shape (count, head)."""
    speeds = THETA ** -(torch.arange(0, head, 2, dtype=torch.float32, device=device) / head)
    turns = torch.outer(torch.arange(count, dtype=torch.float32, device=device), speeds)
    return turns.cos().repeat(1, 2), torch.cat([-turns.sin(), turns.sin()], 1)


def rotate(values: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """RoPE: element i of a head is turned with element i + h/2 by the token's angle; shape (..., T, h)."""
    cosine, sine = rotation
    return values * cosine + values.roll(values.shape[-1] // 2, -1) * sine
