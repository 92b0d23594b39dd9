"""What a language model's engine is built for: its sizes, and the widths of its numbers. No algorithms."""

from dataclasses import dataclass, fields
from typing import Final

from golden.errors import TritweaveError

EXPONENTIAL_BITS: Final = 15
"""2**(-d) is a whole multiple of 2**-15; 1 is one of them too, so that it has 16 bits."""

SCORE_WHOLE: Final = 11
"""Bits of a score's whole part, in log2, sign included; what is beyond saturates. A head that looks at one token alone
has scores of some hundreds."""

QUERY_BITS: Final = 7
"""Of the query's largest magnitude, 64 to 127: with it, what a unit of the query is worth is a power of two."""

VECTOR_BITS: Final = 16
"""Of an element of the context and of relu²·up in front of their norms, sign included."""

LOGIT_BITS: Final = 20
"""Of a logit at the sampler, in units of ``2**-NOISE_FRACTION`` of log2, sign included; what is beyond saturates."""

NOISE_FRACTION: Final = 8
"""Fraction bits of the sampler's noise and logits, in log2."""

NOISE_INDEX: Final = 10
"""Bits of the random number that chooses one of the noise table's entries."""

SEED_FACTOR: Final = 0x9E3779B1
"""Of the seed plus 1 in the sampler's first state."""

EPSILON_BITS: Final = 30
"""At most, of what the sum of a residual's squares starts with."""

ZERO_EXPONENT: Final = -512
"""The exponent of a scalar that is zero, below any other's."""


def levels(digits: int) -> int:
    """The largest number of so many balanced ternary digits."""
    return 3**digits // 2


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder.

    Parameters
    ----------
    vocabulary
        Tokens, 2 to 65536.
    hidden
        Length of the residual, 2 to 65536; ``heads · head``.
    blocks
        Blocks of attention and feed-forward network, 1 to 256.
    heads, key_heads
        Heads, 1 to 256, and how many of them have keys and values of their own: a divisor.
    head
        Length of a head's query, key and value: even, 2 to 1024.
    intermediate
        Length of the vector inside a feed-forward network, 1 to 65536.
    context
        Most tokens of a sequence, start token included, 1 to 65536.

    """

    vocabulary: int
    hidden: int
    blocks: int
    heads: int
    key_heads: int
    head: int
    intermediate: int
    context: int

    def __post_init__(self) -> None:
        limits = {
            "vocabulary": (2, 65536),
            "hidden": (2, 65536),
            "blocks": (1, 256),
            "heads": (1, 256),
            "key_heads": (1, 256),
            "head": (2, 1024),
            "intermediate": (1, 65536),
            "context": (1, 65536),
        }
        _check(self, limits)
        if self.heads * self.head != self.hidden:
            raise TritweaveError(
                f"{self.heads} heads of {self.head} are {self.heads * self.head} values; "
                f"the norm behind them takes as many as the residual has, {self.hidden}"
            )
        if self.heads % self.key_heads:
            raise TritweaveError(f"{self.heads} heads cannot share {self.key_heads} key heads; a divisor is needed")
        if self.head % 2:
            raise TritweaveError(f"heads have {self.head} values; rotation takes pairs, so an even number is needed")

    @property
    def trits(self) -> int:
        """Ternary weights of all blocks, without the embedding."""
        keys = self.key_heads * self.head
        return self.blocks * self.hidden * (2 * self.hidden + 2 * keys + 3 * self.intermediate)

    @property
    def parameters(self) -> int:
        """Weights, embedding and gains."""
        gains = self.hidden * (3 * self.blocks + 1) + self.intermediate * self.blocks
        return self.trits + self.vocabulary * self.hidden + gains

    @property
    def sharing(self) -> int:
        """Heads that share a key head."""
        return self.heads // self.key_heads


@dataclass(frozen=True)
class LanguageFormat:
    """Widths of a decoder's numbers; those that follow from them and from the sizes are in `golden.language.widths`.

    Parameters
    ----------
    embedding_digits, key_digits, value_digits
        Balanced ternary digits of an element of the embedding (which is the head too), and of the cached keys and
        values; 1 to 5.
    residual_bits
        Of an element of the residual, sign included, 12 to 24; what is beyond saturates.
    fraction_bits
        The residual's unit is the embedding's step over 2**fraction_bits; 0 to 8.
    gain_bits
        Of the magnitude of a norm's gain, 4 to 12.
    scale_bits
        Of a scalar's mantissa, 8 to 16.
    rotation_bits
        Fraction bits of cosines and sines, 6 to 14.
    table_bits
        Fraction bits of a score, so 2**table_bits entries of the table of powers of two; 4 to 8.
    quantiser_bits
        Most bits of what a norm gives to the quantiser, sign included; 14 to 24.

    """

    embedding_digits: int = 5
    key_digits: int = 5
    value_digits: int = 5
    residual_bits: int = 16
    fraction_bits: int = 3
    gain_bits: int = 7
    scale_bits: int = 10
    rotation_bits: int = 8
    table_bits: int = 6
    quantiser_bits: int = 18

    def __post_init__(self) -> None:
        limits = {
            "embedding_digits": (1, 5),
            "key_digits": (1, 5),
            "value_digits": (1, 5),
            "residual_bits": (12, 24),
            "fraction_bits": (0, 8),
            "gain_bits": (4, 12),
            "scale_bits": (8, 16),
            "rotation_bits": (6, 14),
            "table_bits": (4, 8),
            "quantiser_bits": (14, 24),
        }
        _check(self, limits)
        if levels(self.embedding_digits) << self.fraction_bits >= 1 << self.residual_bits - 1:
            raise TritweaveError(
                f"an embedding of {self.embedding_digits} digits with {self.fraction_bits} fraction bits "
                f"does not fit a residual of {self.residual_bits} bits"
            )


def _check(what: Shape | LanguageFormat, limits: dict[str, tuple[int, int]]) -> None:
    for field in fields(what):
        value, (low, high) = getattr(what, field.name), limits[field.name]
        if type(value) is not int or not low <= value <= high:
            raise TritweaveError(f"{field.name} is {value}; it is a whole number from {low} to {high}")
