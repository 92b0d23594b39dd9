"""The configuration of a decoder: from a model's sizes and a fold, every width and depth of its parts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from amaranth.hdl import signed
from amaranth.lib import data

from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX, PACKINGS
from golden.language.format import EPSILON_BITS, EXPONENTIAL_BITS, VECTOR_BITS, LanguageFormat, Shape, levels
from golden.language.widths import Widths
from rtl.array import EXACT_ARRAYS
from rtl.layouts import indices
from rtl.limits import check_multiple, check_range

EXPONENT: Final = signed(9)
"""Of a scalar; a zero has the least one. `gen` refuses models whose constants could lead beyond it."""

LEAST_EXPONENT: Final = -(1 << EXPONENT.width - 1)
"""Of a scalar that is zero, and of no other."""


@dataclass(frozen=True)
class DecoderConfig:
    """What a decoder is built for: one shape of model, and how fast.

    Parameters
    ----------
    shape, form
        The model's sizes and widths; ``shape.context`` is how many tokens the caches hold.
    rows, columns
        R, C: outputs and inputs a cycle of the array, 1 to 1024.
    lanes
        L, values a cycle around it: a power of two; divides R, C, and half a head.
    packing
        How weights are stored, one of `golden.formats.PACKINGS`.
    choices
        Logits a cycle that the sampler takes; divides `lanes`.
    epsilon
        What a sum of the residual's squares starts with, below 2**EPSILON_BITS.
    scalar_pace
        Digits a cycle of the scalar unit's roots and quotients, 1 or 2; for 2, the mantissas' bits are even.
    array
        Implementation of the array, one of `rtl.array.EXACT_ARRAYS`.

    """

    shape: Shape
    form: LanguageFormat
    rows: int
    columns: int
    lanes: int
    packing: str = "5t8b"
    choices: int = 1
    epsilon: int = 0
    scalar_pace: int = 1
    array: str = "exact"

    def __post_init__(self) -> None:
        check_range("decoder", "rows", self.rows, 1, 1024)
        check_range("decoder", "columns", self.columns, 1, 1024)
        check_range("decoder", "lanes", self.lanes, 1, min(self.rows, self.columns))
        check_range("decoder", "choices", self.choices, 1, self.lanes)
        check_multiple("decoder", "rows", self.rows, "lanes", self.lanes)
        check_multiple("decoder", "columns", self.columns, "lanes", self.lanes)
        check_multiple("decoder", "half a head", self.shape.head // 2, "lanes", self.lanes)
        check_multiple("decoder", "lanes", self.lanes, "choices", self.choices)
        check_range("decoder", "scalar_pace", self.scalar_pace, 1, 2)
        check_multiple("decoder", "scale_bits", self.form.scale_bits, "scalar_pace", self.scalar_pace)
        check_range("decoder", "epsilon", self.epsilon, 0, (1 << EPSILON_BITS) - 1)
        if self.lanes & self.lanes - 1:
            raise TritweaveError(f"decoder: lanes is {self.lanes}; it must be a power of two")
        for name, value, known in (("packing", self.packing, PACKINGS), ("array", self.array, EXACT_ARRAYS)):
            if value not in known:
                raise TritweaveError(f"decoder: {name} is {value!r}; it must be one of {', '.join(known)}")

    @cached_property
    def widths(self) -> Widths:
        """The width of every number."""
        return Widths(self.shape, self.form)

    def words(self, values: int) -> int:
        """Words of `lanes` values that a vector takes."""
        return -(-values // self.lanes)

    def chunks(self, values: int) -> int:
        """Chunks of `columns` activations that a vector takes."""
        return -(-values // self.columns)

    def tiles(self, values: int) -> int:
        """Tiles of `rows` results that a vector takes."""
        return -(-values // self.rows)

    @property
    def accumulator(self) -> int:
        """Bits of a tile's sums, all planes together."""
        widths = self.widths
        return max(widths.added, widths.linear, widths.score_sum, widths.context_sum, widths.logit_sum)

    @property
    def longest(self) -> int:
        """Longest vector that the array sums."""
        shape = self.shape
        return max(shape.hidden, shape.intermediate, shape.context, shape.head)

    @property
    def result(self) -> int:
        """Bits of an element of the memory of results, sign included."""
        return max(self.widths.linear, self.widths.score, VECTOR_BITS)

    @property
    def vector(self) -> int:
        """Bits of an element of the memory of vectors for the quantiser, sign included; one of softmax has no sign."""
        return max(self.widths.quantiser, EXPONENTIAL_BITS + 1)

    @property
    def square_sum(self) -> int:
        """Bits of what the element lanes add up: squares, or powers of two; no sign."""
        widths = self.widths
        return max(widths.residual_squares, widths.vector_squares, widths.power_total)

    @property
    def digits(self) -> int:
        """Most digits of a weight, a key or a value."""
        return max(self.form.embedding_digits, self.form.key_digits, self.form.value_digits)

    @property
    def scalar(self) -> data.StructLayout:
        """Shape of a scalar: worth ``mantissa · 2**exponent``."""
        return data.StructLayout({"mantissa": self.form.scale_bits, "exponent": EXPONENT})

    @property
    def limits(self) -> tuple[int, int, int]:
        """The quantiser's fixed limits: of activations, keys and values."""
        return ACTIVATION_MAX, levels(self.form.key_digits), levels(self.form.value_digits)

    @property
    def linear_words(self) -> int:
        """Words of the weight memory in front of the head.

        They are, of each block, query and key, each key head's value, output, gate, up, down. Each begins with a tile,
        which has its chunks one after the other; a tile of the head has them for each digit, the highest first.
        """
        shape = self.shape
        keys = shape.key_heads * shape.head
        values = [shape.head] * shape.key_heads
        narrow = [shape.hidden + keys, *values, shape.hidden, shape.intermediate, shape.intermediate]
        tiles = sum(map(self.tiles, narrow)) * self.chunks(shape.hidden)
        return shape.blocks * (tiles + self.tiles(shape.hidden) * self.chunks(shape.intermediate))

    @property
    def head_words(self) -> int:
        """Words of the head."""
        shape = self.shape
        return self.tiles(shape.vocabulary) * self.chunks(shape.hidden) * self.form.embedding_digits

    @property
    def score_words(self) -> int:
        """Words of the scores of a whole context: whole tiles, and whole chunks."""
        tiles, chunks = self.tiles(self.shape.context), self.chunks(self.shape.context)
        return max(tiles * self.rows, chunks * self.columns) // self.lanes

    @property
    def position(self) -> range:
        """Shape of a token's position."""
        return indices(self.shape.context)
