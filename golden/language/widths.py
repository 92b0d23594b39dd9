"""The width of every number between token and logits, derived from a model's sizes and format.

Each property is in bits, the sign included where there is one; `docs/language-model.md` has them in a table.
"""

from dataclasses import dataclass
from math import isqrt

from golden.formats import ACTIVATION_MAX, accumulator_width
from golden.language.format import (
    EPSILON_BITS,
    EXPONENTIAL_BITS,
    LOGIT_BITS,
    NOISE_FRACTION,
    SCORE_WHOLE,
    VECTOR_BITS,
    LanguageFormat,
    Shape,
    levels,
)


@dataclass(frozen=True)
class Widths:
    """Widths of a decoder.

    Parameters
    ----------
    shape, form
        Its sizes and its format.

    """

    shape: Shape
    form: LanguageFormat

    @property
    def residual_gained(self) -> int:
        """Of a residual's element times its gain, before the shift."""
        return self.form.residual_bits + self.form.gain_bits

    @property
    def vector_gained(self) -> int:
        """Of an element of the context or of relu²·up times its gain, before the shift."""
        return VECTOR_BITS + self.form.gain_bits

    @property
    def quantiser(self) -> int:
        """The widest that the quantiser takes: of norms, rotated queries and keys, and values, gate and up."""
        return max(self.form.quantiser_bits, self.rotated, self.linear)

    @property
    def residual_squares(self) -> int:
        """Of the sum of a residual's squares and what it starts with, no sign."""
        return (self.shape.hidden * _square(self.form.residual_bits) + (1 << EPSILON_BITS)).bit_length()

    @property
    def vector_squares(self) -> int:
        """Of the sum of squares of the context or of relu²·up, no sign."""
        return (max(self.shape.hidden, self.shape.intermediate) * _square(VECTOR_BITS)).bit_length()

    @property
    def linear(self) -> int:
        """Of a linear layer's sums that are quantised again: query, key, value, gate, up."""
        return accumulator_width(self.shape.hidden)

    @property
    def added(self) -> int:
        """Of a linear layer's sums that are added to the residual: output, down."""
        return accumulator_width(max(self.shape.hidden, self.shape.intermediate))

    @property
    def rotated(self) -> int:
        """Of a rotated query or key: cosine and sine are together at most the root of 2."""
        whole = isqrt(2 << 2 * self.form.rotation_bits) + 2
        bound = (ACTIVATION_MAX * self.shape.hidden * whole >> self.form.rotation_bits) + 1
        return bound.bit_length() + 1

    @property
    def score_sum(self) -> int:
        """Of a query times a key."""
        return _signed(ACTIVATION_MAX * levels(self.form.key_digits) * self.shape.head)

    @property
    def score_product(self) -> int:
        """Of that times the key's scale."""
        return self.score_sum + self.form.scale_bits

    @property
    def score(self) -> int:
        """Of a score."""
        return SCORE_WHOLE + self.form.table_bits

    @property
    def power_total(self) -> int:
        """Of the sum of powers of two of a whole context, no sign."""
        return (self.shape.context << EXPONENTIAL_BITS).bit_length()

    @property
    def context_sum(self) -> int:
        """Of the sums of softmax weights times values."""
        return _signed(ACTIVATION_MAX * levels(self.form.value_digits) * self.shape.context)

    @property
    def logit_sum(self) -> int:
        """Of a logit."""
        return _signed(ACTIVATION_MAX * levels(self.form.embedding_digits) * self.shape.hidden)

    @property
    def noisy(self) -> int:
        """Of a logit with noise, at the sampler."""
        return max(LOGIT_BITS, NOISE_FRACTION + 5) + 1

    @property
    def cache_bits(self) -> int:
        """Of all caches, digits at two bits a trit, scales with exponents of eight bits, peaks with the same."""
        places = self.shape.blocks * self.shape.key_heads * self.shape.context
        trits = self.shape.head * (self.form.key_digits + self.form.value_digits)
        return places * (2 * trits + 2 * (self.form.scale_bits + 8) + 8)


def _signed(bound: int) -> int:
    return bound.bit_length() + 1


def _square(bits: int) -> int:
    return ((1 << bits - 1) - 1) ** 2
