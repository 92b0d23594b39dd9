"""A language model as the integers that an engine's memories hold."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX
from golden.language.format import EPSILON_BITS, VECTOR_BITS, LanguageFormat, Shape, levels
from golden.language.model import Block, LanguageModel
from golden.language.norm import Gains
from golden.language.rotary import Rotation
from golden.language.scalars import Scalars


class IntegerBlock(NamedTuple):
    """Trits (outputs, inputs), gains, and three constants of the scalar unit."""

    attention_gains: Gains
    attention: NDArray[np.int8]
    """Query, key and value, one below the other."""
    score: Scalars
    """What a query's element times a key's is worth in log2."""
    context_gains: Gains
    output: NDArray[np.int8]
    output_scale: Scalars
    """What a unit of the output's sums is worth in units of the residual."""
    forward_gains: Gains
    forward: NDArray[np.int8]
    """Gate and up, one below the other."""
    hidden_gains: Gains
    down: NDArray[np.int8]
    down_scale: Scalars

    @classmethod
    def of(cls, block: Block, shape: Shape, form: LanguageFormat, unit: float) -> "IntegerBlock":
        """Of a block whose residual has a unit worth `unit`."""
        attention = Gains.of(block.attention_gains, form.residual_bits, form)
        context, hidden = (Gains.of(gains, VECTOR_BITS, form) for gains in (block.context_gains, block.hidden_gains))
        size = _unit(attention, shape.hidden)
        score = size * size * block.query.scale * block.key.scale * np.log2(np.e) / np.sqrt(shape.head)
        return cls(
            attention,
            np.vstack([block.query.weights, block.key.weights, block.value.weights]),
            Scalars.constant(score / levels(form.key_digits), form.scale_bits),
            context,
            block.output.weights,
            Scalars.constant(_unit(context, shape.hidden) * block.output.scale / unit, form.scale_bits),
            Gains.of(block.forward_gains, form.residual_bits, form),
            np.vstack([block.gate.weights, block.up.weights]),
            hidden,
            block.down.weights,
            Scalars.constant(_unit(hidden, shape.intermediate) * block.down.scale / unit, form.scale_bits),
        )


@dataclass(frozen=True, eq=False)
class IntegerModel:
    """Everything that an engine holds: embedding, blocks, the final norm, angles, and the sum of squares' start.

    Parameters
    ----------
    shape, form
        Sizes and widths.
    embedding
        Numbers of `LanguageFormat.embedding_digits` digits, shape (vocabulary, hidden).
    blocks
        In order.
    final_gains
        Of the norm in front of the head.
    logit
        What a logit is worth in log2, but for the vector's relative size.
    rotation
        The angles.
    epsilon
        What a residual's sum of squares starts with.

    """

    shape: Shape
    form: LanguageFormat
    embedding: NDArray[np.int8]
    blocks: tuple[IntegerBlock, ...]
    final_gains: Gains
    logit: Scalars
    rotation: Rotation
    epsilon: int

    @classmethod
    def of(cls, model: LanguageModel) -> "IntegerModel":
        """Of a ternary model."""
        if not model.ternary:
            raise TritweaveError(f"{model.name} has floats for weights; the integer form is made of a ternary model")
        shape, form = model.shape, model.form
        unit = model.embedding_step / (1 << form.fraction_bits)
        epsilon = model.epsilon * shape.hidden / unit**2
        if not epsilon < 1 << EPSILON_BITS:
            raise TritweaveError(
                f"{model.name}: an epsilon of {model.epsilon} is too large for an embedding of step {unit}"
            )
        gains = Gains.of(model.final_gains, form.residual_bits, form)
        logit = _unit(gains, shape.hidden) * model.embedding_step * np.log2(np.e)
        return cls(
            shape,
            form,
            model.digits,
            tuple(IntegerBlock.of(block, shape, form, unit) for block in model.blocks),
            gains,
            Scalars.constant(logit, form.scale_bits),
            Rotation.of(shape.context, shape.head, model.base, form.rotation_bits),
            round(epsilon),
        )


def _unit(gains: Gains, length: int) -> float:
    """What a unit of a normed, quantised vector is worth where its relative size is 1."""
    return float(np.sqrt(length)) * gains.unit / ACTIVATION_MAX
