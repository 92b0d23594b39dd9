"""A ternary language model as its files say it: trits, real scales, gains and embedding."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.language.format import LanguageFormat, Shape, levels


class Matrix(NamedTuple):
    """A linear layer's weights, worth ``weights · scale``: trits, or floats with a scale of 1."""

    weights: NDArray[Any]
    """int8 or float32, shape (outputs, inputs)."""
    scale: float

    @property
    def ternary(self) -> bool:
        """Whether the weights are trits."""
        return self.weights.dtype == np.int8


class Block(NamedTuple):
    """Attention and feed-forward network; each norm's gains stand in front of the matrices that take its result."""

    attention_gains: NDArray[np.float32]
    query: Matrix
    key: Matrix
    value: Matrix
    context_gains: NDArray[np.float32]
    output: Matrix
    forward_gains: NDArray[np.float32]
    gate: Matrix
    up: Matrix
    hidden_gains: NDArray[np.float32]
    down: Matrix


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A decoder.

    Parameters
    ----------
    name
        What to call it.
    shape, form
        Its sizes, and how the integers represent it.
    embedding
        Reals, shape (vocabulary, hidden); the head too.
    blocks
        As many as the shape says; all of trits, or all of floats.
    final_gains
        Of the norm in front of the head.
    epsilon
        Of the norms.
    base
        Of the rotation's angles.
    start
        The token in front of every sequence.
    ends
        Tokens that end one.
    step
        What one unit of the embedding's digits is worth; None: the largest magnitude is the largest number of digits.

    """

    name: str
    shape: Shape
    form: LanguageFormat
    embedding: NDArray[np.float32]
    blocks: tuple[Block, ...]
    final_gains: NDArray[np.float32]
    epsilon: float
    base: float
    start: int
    ends: tuple[int, ...]
    step: float | None = None

    @property
    def ternary(self) -> bool:
        """Whether its linear layers are of trits; otherwise only the float reference computes it."""
        return all(matrix.ternary for block in self.blocks for matrix in block if isinstance(matrix, Matrix))

    @cached_property
    def embedding_step(self) -> float:
        """What one unit of the embedding's digits is worth."""
        if self.step is not None:
            return self.step
        largest = float(np.abs(self.embedding).max())
        return max(largest, float(np.finfo(np.float32).tiny)) / levels(self.form.embedding_digits)

    @cached_property
    def digits(self) -> NDArray[np.int8]:
        """The embedding as numbers of `LanguageFormat.embedding_digits` digits: rounded, then clamped."""
        limit = levels(self.form.embedding_digits)
        return np.rint(self.embedding.astype(np.float64) / self.embedding_step).clip(-limit, limit).astype(np.int8)

    def check_tokens(self, tokens: NDArray[np.integer[Any]], start: int = 0) -> None:
        """Raise unless these can be the tokens of sequences from a position on, shape (sequences, n)."""
        if tokens.dtype.kind not in "iu" or tokens.ndim != 2 or not tokens.size:
            raise TritweaveError(
                f"tokens have dtype {tokens.dtype} and shape {tokens.shape}; "
                f"{self.name} takes integers, (sequences, n), at least one"
            )
        if tokens.min() < 0 or tokens.max() >= self.shape.vocabulary:
            bad = tokens.min() if tokens.min() < 0 else tokens.max()
            raise TritweaveError(f"token {bad} is none of {self.name}'s, which are 0 to {self.shape.vocabulary - 1}")
        if (end := start + tokens.shape[1]) > self.shape.context:
            raise TritweaveError(
                f"the sequence has {end} tokens; the context of {self.name} holds {self.shape.context}"
            )
