"""The decoder: the components in the order in which the hardware is chained."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.language.cache import Cache
from golden.language.context import context
from golden.language.embedding import Logits, embedded
from golden.language.feed_forward import squared_gate_times_up
from golden.language.format import levels
from golden.language.integers import IntegerBlock, IntegerModel
from golden.language.model import LanguageModel
from golden.language.norm import normed, relative_size
from golden.language.products import Linear
from golden.language.residual import added
from golden.language.scalars import Integers, Scalars
from golden.language.scores import quantised_query, scores
from golden.language.softmax import exponentials, weighted


@dataclass(eq=False)
class Sequences:
    """Sequences that advance together: their caches, one a block, and how far they are.

    Parameters
    ----------
    caches
        One a block.
    position
        Tokens taken so far.
    saturated
        Elements of the residual that were cut to its width so far.

    """

    caches: list[Cache]
    position: int = 0
    saturated: int = 0


class _Linear(NamedTuple):
    """A block's trits, ready for products."""

    attention: Linear
    output: Linear
    forward: Linear
    down: Linear


class Decoder:
    """The integer form of a language model.

    Any number of tokens may be given at once, of any number of sequences: the result is what it is one by one, bit for
    bit.
    """

    def __init__(self, model: LanguageModel):
        self.model = model
        self.integers = IntegerModel.of(model)
        self._linear = [
            _Linear(*map(Linear.of, (block.attention, block.output, block.forward, block.down)))
            for block in self.integers.blocks
        ]
        self._head = Linear.of(self.integers.embedding, levels(self.integers.form.embedding_digits))

    def start(self, sequences: int = 1, positions: int | None = None) -> Sequences:
        """New sequences, with room for the whole context, or for as many positions as will be taken."""
        shape = self.integers.shape
        positions = shape.context if positions is None else positions
        return Sequences([Cache.empty(shape, sequences, positions) for _ in self.integers.blocks])

    def forward(self, tokens: NDArray[np.integer[Any]], sequences: Sequences) -> Logits:
        """Take tokens, shape (sequences, n), and give the logits behind each of them."""
        self.model.check_tokens(tokens, sequences.position)
        integers = self.integers
        residual = embedded(integers.embedding, tokens, integers.form.fraction_bits)
        for block, linear, cache in zip(integers.blocks, self._linear, sequences.caches, strict=True):
            residual = self._attention(block, linear, cache, residual, sequences)
            residual = self._feed_forward(block, linear, residual, sequences)
        sequences.position += tokens.shape[1]
        vector = normed(residual, integers.final_gains)
        size = relative_size(residual, vector.maximum, integers.epsilon, integers.form.scale_bits)
        return Logits(self._head.sums(vector.values), size.times(integers.logit, integers.form.scale_bits))

    def _attention(
        self, block: IntegerBlock, linear: _Linear, cache: Cache, residual: Integers, sequences: Sequences
    ) -> Integers:
        shape, form = self.integers.shape, self.integers.form
        start, count = sequences.position, residual.shape[1]
        vector = normed(residual, block.attention_gains)
        size = relative_size(residual, vector.maximum, self.integers.epsilon, form.scale_bits)
        sums = linear.attention.sums(vector.values).reshape(*residual.shape[:2], -1, shape.head).swapaxes(1, 2)
        query, key, value = np.split(sums, [shape.heads, shape.heads + shape.key_heads], axis=1)
        rotation, sizes = self.integers.rotation, Scalars(*(part[:, None] for part in size))
        cache.write(start, rotation.rotated(key, start), value, sizes, form)

        grouped = (len(residual), shape.key_heads, shape.sharing, count)
        small, exponent = quantised_query(rotation.rotated(query, start), sizes, block.score, form.scale_bits)
        seen = cache.first(start + count)
        found = scores(small.reshape(*grouped, -1), exponent.reshape(*grouped, 1), seen.keys, seen.key_scales, form)
        past = np.arange(start + count) <= np.arange(start, start + count)[:, None]
        powers = exponentials(found, past, form.table_bits)
        peaks = seen.peaks[:, :, start:]
        weights = weighted(powers, seen.value_scales, peaks, form.scale_bits)
        heads = context(weights, seen.values, peaks, form)
        joined = heads.reshape(len(residual), shape.heads, count, shape.head).swapaxes(1, 2).reshape(residual.shape)

        vector = normed(joined, block.context_gains)
        size = relative_size(joined, vector.maximum, 0, form.scale_bits)
        scale = size.times(block.output_scale, form.scale_bits)
        return self._added(residual, linear.output.sums(vector.values), scale, sequences)

    def _feed_forward(self, block: IntegerBlock, linear: _Linear, residual: Integers, sequences: Sequences) -> Integers:
        bits = self.integers.form.scale_bits
        gate, up = np.split(linear.forward.sums(normed(residual, block.forward_gains).values), 2, axis=-1)
        hidden = squared_gate_times_up(gate, up)
        vector = normed(hidden, block.hidden_gains)
        size = relative_size(hidden, vector.maximum, 0, bits)
        scale = size.times(block.down_scale, bits)
        return self._added(residual, linear.down.sums(vector.values), scale, sequences)

    def _added(self, residual: Integers, sums: Integers, scale: Scalars, sequences: Sequences) -> Integers:
        result = added(residual, sums, scale, self.integers.form.residual_bits)
        sequences.saturated += result.saturated
        return result.values
