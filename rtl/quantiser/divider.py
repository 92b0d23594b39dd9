"""The interface of the quantiser's divider, which every implementation of it shares."""

from amaranth.hdl import Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import ACTIVATION
from rtl.limits import check_range


class RoundingDivider(wiring.Component):
    """``RNE(127·a / peak)``, exact, ties to even, for each lane; the divisor is shared by all lanes.

    Where asked to, ``RNE(70·a / (9·peak))``, no more than 7, instead; each word has a divisor of its own.

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
        In, ArrayLayout(width, lanes): |a|, at most `peak`.
    signs
        In, lanes bits: 1 where a is negative.
    peak
        In, width bits, at least 1.
    wide
        In, 1, only with `int4`: the word becomes int8, otherwise int4.
    quotients
        Out, ArrayLayout(signed(8), lanes): -127 to 127, or -8 to 7, `latency` enabled cycles later.

    Throughput: one word a cycle.

    """

    enable: Signal
    magnitudes: data.View
    signs: Signal
    peak: Signal
    wide: Signal
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
                "peak": In(width),
                "quotients": Out(data.ArrayLayout(ACTIVATION, lanes)),
            }
            | ({"wide": In(1)} if int4 else {})
        )

    @classmethod
    def latency(cls, width: int) -> int:
        """Enabled cycles from a word of magnitudes of `width` bits to its quotients."""
        raise NotImplementedError
