"""The configuration of an engine's norms: widths, and when what happens."""

from dataclasses import dataclass

from amaranth.lib import data

from golden.formats import GAIN_BITS, NORMED_BITS
from rtl.layouts import indices, levels
from rtl.limits import check_range
from rtl.memory.loadable import LoadableMemory
from rtl.quantiser.config import QuantizerConfig


@dataclass(frozen=True)
class Norming:
    """What a norming engine is built for.

    Parameters
    ----------
    words
        Words of the memory of gains, 1 to 2**24.
    shift
        Bits that a normed value leaves out, so that at most `golden.formats.NORMED_BITS` are left, 0 to 62.
    result_bits
        Of a normed value, sign included, 9 to `golden.formats.NORMED_BITS`.

    """

    words: int
    shift: int
    result_bits: int

    def __post_init__(self) -> None:
        check_range("norming", "words", self.words, 1, 1 << 24)
        check_range("norming", "shift", self.shift, 0, 62)
        check_range("norming", "result bits", self.result_bits, 9, NORMED_BITS)

    def __str__(self) -> str:
        """For the header of the Verilog."""
        return f"LayerNorm of each layer's input, {self.result_bits} bits, {self.shift} less"


@dataclass(frozen=True)
class NormConfig:
    """Size of the norms.

    Parameters
    ----------
    lanes
        Values a cycle, 1 to 1024.
    width
        Bits of a signed value, 2 to 24.
    depths
        The longest vector of each channel, in words; the last channel takes the inputs.
    elements
        The longest vector, in values, 1 to 65535.
    norming
        The engine's.

    """

    lanes: int
    width: int
    depths: tuple[int, ...]
    elements: int
    norming: Norming

    def __post_init__(self) -> None:
        check_range("norm", "width", self.width, 2, 24)
        check_range("norm", "elements", self.elements, 1, 65535)
        check_range("norm", "bits of a variance", self.variance_bits, 1, 62)

    @property
    def entry(self) -> QuantizerConfig:
        """The streams' form: what enters is like what enters a quantiser of no groups."""
        return QuantizerConfig(self.lanes, self.width, self.depths, "sign")

    @property
    def sum_bits(self) -> int:
        """Of the sum of a vector, sign included."""
        return self.width + self.elements.bit_length()

    @property
    def square_bits(self) -> int:
        """Of the sum of its squares."""
        return 2 * (self.width - 1) + self.elements.bit_length()

    @property
    def variance_bits(self) -> int:
        """Of the elements times the sum of squares."""
        return self.square_bits + self.elements.bit_length()

    @property
    def root_bits(self) -> int:
        """Of its root."""
        return -(-self.variance_bits // 2)

    @property
    def gains(self) -> data.ArrayLayout:
        """A word of the memory of gains."""
        lane = data.StructLayout({"gain": GAIN_BITS, "bias": GAIN_BITS})
        return data.ArrayLayout(lane, self.lanes)

    @property
    def gain(self) -> range:
        """Shape of an address of it."""
        return indices(self.norming.words)

    @property
    def sum_latency(self) -> int:
        """Cycles from the transfer of a vector's last word to the first in which it can be taken on."""
        return 3 + levels(self.lanes)

    @property
    def root_latency(self) -> int:
        """Cycles from a vector's being taken on to its root: products, bit by bit, then the root's bits."""
        return max(self.sum_bits, self.elements.bit_length()) + self.root_bits + 1

    @property
    def output_latency(self) -> int:
        """Cycles from a vector's being taken on to its first normed word."""
        # A word and its gains, the elements times it, less the sum, times the gain, the bias, the shift.
        return self.root_latency + 1 + LoadableMemory.LATENCY + 4

    @property
    def reopening(self) -> int:
        """Cycles, beside those of its words, from a vector's being taken on to the first word of its channel's next."""
        return self.root_latency + 1
