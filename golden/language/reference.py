"""The float reference: a decoder as `transformers` defines it, and as it was trained.

The definition (``BitNetForCausalLM``) quantises the input of every linear layer to int8, and nothing else. The trained
form has every quantiser that the hardware has, but real scales: the keys and values in a few digits, the embedding too,
the query, gate, up and softmax weights in eight bits. A model of floats has none.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.formats import ACTIVATION_MAX
from golden.language.format import levels
from golden.language.model import Block, LanguageModel, Matrix
from golden.quantise import EPSILON

Reals = NDArray[np.float64]


class Quantised(NamedTuple):
    """Vectors of the last axis as whole multiples of a unit each."""

    values: Reals
    unit: Reals

    @classmethod
    def of(cls, vectors: Reals, limit: int) -> "Quantised":
        """``s = max(max|x|, 1e-5) / limit``, then ``RNE(x / s)``."""
        unit = np.maximum(np.abs(vectors).max(axis=-1, keepdims=True), EPSILON) / limit
        return cls(np.rint(vectors / unit), unit)

    def reals(self) -> Reals:
        """What they are worth."""
        return self.values * self.unit


class Reference:
    """A language model in float64, whole sequences at a time.

    Parameters
    ----------
    model
        Of trits or of floats.
    trained
        Whether to compute the trained form; otherwise the definition. A model of floats has one form.

    """

    def __init__(self, model: LanguageModel, *, trained: bool = True):
        self.model = model
        self._ternary, self._trained = model.ternary, trained and model.ternary
        raw = model.embedding.astype(np.float64)
        self._embedding = model.digits.astype(np.float64) * model.embedding_step if self._trained else raw
        self._weights = {
            id(matrix.weights): matrix.weights.T.astype(np.float64) * matrix.scale
            for block in model.blocks
            for matrix in block
            if isinstance(matrix, Matrix)
        }

    def forward(self, tokens: NDArray[np.integer[Any]]) -> Reals:
        """The logits (natural, not log2) behind each token of whole sequences, shape (sequences, n)."""
        self.model.check_tokens(tokens)
        residual: Reals = self._embedding[tokens]
        for block in self.model.blocks:
            residual = residual + self._attention(block, residual)
            residual = residual + self._feed_forward(block, residual)
        vector = self._norm(residual, self.model.final_gains)
        if self._trained:
            vector = Quantised.of(vector, ACTIVATION_MAX).reals()
        return vector @ self._embedding.T

    def _attention(self, block: Block, residual: Reals) -> Reals:
        shape, form = self.model.shape, self.model.form
        vector = self._norm(residual, block.attention_gains)
        query, key, value = (self._heads(vector, matrix) for matrix in (block.query, block.key, block.value))
        query, key = self._rotated(query), self._rotated(key)
        unit = np.ones((*value.shape[:-1], 1))
        if self._trained:
            query = Quantised.of(query, ACTIVATION_MAX).reals()
            key = Quantised.of(key, levels(form.key_digits)).reals()
            value, unit = Quantised.of(value, levels(form.value_digits))
        key, value, unit = (np.repeat(part, shape.sharing, axis=1) for part in (key, value, unit))
        scores = query @ key.swapaxes(-1, -2) / np.sqrt(shape.head)
        scores[..., ~np.tri(scores.shape[-1], dtype=bool)] = -np.inf
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = powers * unit.swapaxes(-1, -2)
        if self._trained:
            weights = weights * (ACTIVATION_MAX / weights.max(axis=-1, keepdims=True).clip(np.finfo(float).tiny))
            back = (powers * unit.swapaxes(-1, -2)).max(axis=-1, keepdims=True) / ACTIVATION_MAX
            weights = np.rint(weights) * back
        context = weights @ value / powers.sum(axis=-1, keepdims=True)
        joined = context.swapaxes(1, 2).reshape(residual.shape)
        return self._linear(self._norm(joined, block.context_gains), block.output)

    def _feed_forward(self, block: Block, residual: Reals) -> Reals:
        vector = self._norm(residual, block.forward_gains)
        gate, up = self._linear(vector, block.gate).clip(0), self._linear(vector, block.up)
        if self._trained:
            gate, up = (Quantised.of(part, ACTIVATION_MAX).reals() for part in (gate, up))
        return self._linear(self._norm(gate * gate * up, block.hidden_gains), block.down)

    def _norm(self, vector: Reals, gains: NDArray[np.float32]) -> Reals:
        squares = np.mean(vector * vector, axis=-1, keepdims=True)
        return gains * (vector / np.sqrt(squares + self.model.epsilon))

    def _linear(self, vector: Reals, matrix: Matrix) -> Reals:
        if self._ternary:
            vector = Quantised.of(vector, ACTIVATION_MAX).reals()
        return vector @ self._weights[id(matrix.weights)]

    def _heads(self, vector: Reals, matrix: Matrix) -> Reals:
        sums = self._linear(vector, matrix)
        return sums.reshape(*sums.shape[:-1], -1, self.model.shape.head).swapaxes(1, 2)

    def _rotated(self, vectors: Reals) -> Reals:
        head = self.model.shape.head
        angles = np.arange(vectors.shape[-2])[:, None] * self.model.base ** (-np.arange(0, head, 2) / head)
        near, far = np.split(vectors, 2, axis=-1)
        cosines, sines = np.cos(angles), np.sin(angles)
        return np.concatenate([near * cosines - far * sines, far * cosines + near * sines], axis=-1)
