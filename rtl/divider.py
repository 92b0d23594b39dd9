"""The exact quotient of the activation quantiser, one a lane."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import ACTIVATION_MAX
from rtl.layouts import ACTIVATION
from rtl.limits import check_range

_QUOTIENT_BITS = ACTIVATION_MAX.bit_length()


class RoundingDivider(wiring.Component):
    """``RNE(127·a / peak)``, exact, ties to even, in a pipeline of restoring steps; the divisor is shared by all lanes.

    Parameters
    ----------
    lanes
        Quotients a cycle, 1 to 1024.
    width
        Bits of a magnitude, 1 to 62.

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
    quotients
        Out, ArrayLayout(signed(8), lanes): -127 to 127, `LATENCY` enabled cycles later.

    Throughput: one word a cycle.

    127·a / peak is at most 127, so seven quotient bits follow from a first remainder of ``127·a >> 7``, which is below
    `peak`. Rounding needs one comparison more: the quotient goes up when ``2·remainder + lowest quotient bit > peak``,
    which is true above the tie and, at the tie, for odd quotients.

    """

    LATENCY = _QUOTIENT_BITS + 2

    enable: Signal
    magnitudes: data.View
    signs: Signal
    peak: Signal
    quotients: data.View

    def __init__(self, lanes: int, width: int):
        check_range("RoundingDivider", "lanes", lanes, 1, 1024)
        check_range("RoundingDivider", "width", width, 1, 62)
        self.lanes, self.width = lanes, width
        super().__init__(
            {
                "enable": In(1),
                "magnitudes": In(data.ArrayLayout(width, lanes)),
                "signs": In(lanes),
                "peak": In(width),
                "quotients": Out(data.ArrayLayout(ACTIVATION, lanes)),
            }
        )

    def elaborate(self, platform) -> Module:
        """The shared divisor's pipeline, then the lanes."""
        m = Module()
        peaks = [self.peak]
        for step in range(_QUOTIENT_BITS + 1):
            peaks.append(Signal(self.width, name=f"peak_{step}", reset_less=True))
        with m.If(self.enable):
            for before, after in pairwise(peaks):
                m.d.sync += after.eq(before)
            for lane in range(self.lanes):
                self._lane(m, lane, peaks)
        return m

    def _lane(self, m: Module, lane: int, peaks: list[Signal]) -> None:
        magnitude = self.magnitudes[lane]
        # Bits of the product not yet brought down, above them the remainder; the quotient enters from below.
        remainder = Signal(self.width, name=f"remainder_{lane}", reset_less=True)
        pending = Signal(_QUOTIENT_BITS, name=f"pending_{lane}", reset_less=True)
        sign = Signal(name=f"sign_{lane}", reset_less=True)
        m.d.sync += [
            Cat(pending, remainder).eq((magnitude << _QUOTIENT_BITS) - magnitude),
            sign.eq(self.signs[lane]),
        ]
        for step in range(_QUOTIENT_BITS):
            peak = peaks[step + 1]
            shifted = Cat(pending[-1], remainder)
            difference = Signal(self.width + 2, name=f"difference_{lane}_{step}")
            m.d.comb += difference.eq(shifted - peak)
            fits = ~difference[-1]
            next_remainder = Signal(self.width, name=f"remainder_{lane}_{step}", reset_less=True)
            next_pending = Signal(_QUOTIENT_BITS, name=f"pending_{lane}_{step}", reset_less=True)
            next_sign = Signal(name=f"sign_{lane}_{step}", reset_less=True)
            m.d.sync += [
                next_remainder.eq(Mux(fits, difference, shifted)),
                next_pending.eq(Cat(fits, pending)),
                next_sign.eq(sign),
            ]
            remainder, pending, sign = next_remainder, next_pending, next_sign
        up = Cat(pending[0], remainder) > peaks[-1]
        quotient = Signal(signed(8), name=f"quotient_{lane}")
        m.d.comb += quotient.eq(pending)
        m.d.sync += self.quotients[lane].eq((quotient ^ sign.replicate(8)) + (up ^ sign))
