"""The shape of a decoder that is trained: sizes and number formats. Needs no PyTorch."""

from dataclasses import dataclass

from golden.errors import TritweaveError


@dataclass(frozen=True)
class Shape:
    """A decoder's sizes and number formats.

    Parameters
    ----------
    vocabulary, context
        Tokens, and how many of them the cache holds.
    width, layers, heads, key_heads, inner
        D, N, H, K and F; H divides D, K divides H, and D/H is even.
    embedding_digits, key_digits, value_digits
        Balanced ternary digits, 1 to 5 each.
    embedding_clip
        The embedding's largest value, in units of its root mean square.
    epsilon
        Of every norm; so small that the norms are free of scale, as the integers are.
    theta
        Base of the rotation's angles.

    """

    vocabulary: int
    context: int
    width: int
    layers: int
    heads: int
    key_heads: int
    inner: int
    embedding_digits: int = 3
    key_digits: int = 3
    value_digits: int = 3
    embedding_clip: float = 3.0
    epsilon: float = 1e-8
    theta: float = 10000.0

    def __post_init__(self) -> None:
        sizes = (self.vocabulary, self.context, self.width, self.layers, self.heads, self.key_heads, self.inner)
        if min(sizes) < 1:
            raise TritweaveError(f"a size of the model is {min(sizes)}; all must be at least 1")
        if self.width % (2 * self.heads) or self.heads % self.key_heads:
            raise TritweaveError(
                f"{self.width} values, {self.heads} heads and {self.key_heads} key heads do not fit: "
                f"heads must be of even size, and shared evenly"
            )
        digits = (self.embedding_digits, self.key_digits, self.value_digits)
        if not all(1 <= count <= 5 for count in digits):
            raise TritweaveError(f"embedding, keys and values have {digits} digits; each can have 1 to 5")

    @property
    def head(self) -> int:
        """Values of a head."""
        return self.width // self.heads

    @property
    def trits(self) -> int:
        """Of the linear layers."""
        keys = self.key_heads * self.head
        return self.layers * self.width * (2 * self.width + 2 * keys + 3 * self.inner)

    @property
    def embedding_trits(self) -> int:
        """Of the embedding, all digits."""
        return self.vocabulary * self.width * self.embedding_digits


def largest_digits(digits: int) -> int:
    """What `digits` balanced ternary digits hold at most: L = (3**n - 1) / 2."""
    return (3**digits - 1) // 2
