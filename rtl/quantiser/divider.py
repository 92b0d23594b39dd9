"""The interface of the quantiser's divider, which every implementation of it shares."""

from amaranth.hdl import Const, Module, ShapeLike, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import ACTIVATION_MAX
from rtl.layouts import ACTIVATION
from rtl.limits import check_range


class RoundingDivider(wiring.Component):
    """``RNE(127·a / m)``, exact, ties to even, for each lane; the divisor is shared by all lanes.

    Where asked to, ``RNE(70·a / (9·m))``, no more than 7, instead; each word has a divisor of its own.

    Parameters
    ----------
    lanes
        Quotients a cycle, 1 to 1024.
    width
        Bits of a magnitude, 1 to 62.
    int4
        Whether words can be quantised to four bits.

    Members
    -------
    enable
        In, 1: the pipeline moves; while 0 everything holds.
    magnitudes
        In, ArrayLayout(width, lanes): |a|, at most m.
    signs
        In, lanes bits: 1 where a is negative.
    divisor
        In, `divisor_shape`: what `prepare` made of m.
    wide
        In, 1, only with `int4`: the word becomes int8, otherwise int4.
    limit
        In, 7 bits, only of implementations that are `LIMITED`: what the word's divisor becomes, instead of 127.
    quotients
        Out, ArrayLayout(signed(8), lanes): -127 to 127, or -8 to 7, `latency` enabled cycles later.

    Throughput: one word a cycle.

    """

    LIMITED = False
    """Whether each word has a limit of its own."""

    enable: Signal
    magnitudes: data.View
    signs: Signal
    divisor: Value
    wide: Signal
    limit: Signal
    quotients: data.View

    def __init__(self, lanes: int, width: int, *, int4: bool = False):
        check_range("divider", "lanes", lanes, 1, 1024)
        check_range("divider", "width", width, 1, 62)
        self.lanes, self.width, self.int4 = lanes, width, int4
        super().__init__(
            {
                "enable": In(1),
                "magnitudes": In(data.ArrayLayout(width, lanes)),
                "signs": In(lanes),
                "divisor": In(self.divisor_shape(width)),
                "quotients": Out(data.ArrayLayout(ACTIVATION, lanes)),
            }
            | ({"wide": In(1)} if int4 else {})
            | ({"limit": In(ACTIVATION_MAX.bit_length())} if self.LIMITED else {})
        )

    @classmethod
    def latency(cls, width: int) -> int:
        """Enabled cycles from a word of magnitudes of `width` bits to its quotients."""
        raise NotImplementedError

    @classmethod
    def divisor_shape(cls, width: int) -> ShapeLike:
        """What the lanes are given of an m of `width` bits: m itself, unless an implementation prepares it."""
        return unsigned(width)

    @classmethod
    def preparation_latency(cls, width: int) -> int:
        """Cycles from `prepare`'s `start` to the divisor."""
        return 0

    @classmethod
    def prepare(cls, m: Module, peak: Value, start: Value) -> tuple[Value, Value]:
        """The divisor of m = `peak`, at least 1, and whether it is known: from its latency on, 0 in the cycles before.

        `peak` is valid with `start`, and as long as the divisor is needed. Whatever this takes is a submodule.
        """
        return peak, Const(1)
