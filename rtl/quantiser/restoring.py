"""The exact quotient of the activation quantiser, bit by bit."""

from functools import reduce
from itertools import pairwise
from operator import add

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from golden.formats import ACTIVATION_MAX, INT4, INT4_CLIP
from rtl.pipeline import delayed
from rtl.quantiser.divider import RoundingDivider

_QUOTIENT_BITS = ACTIVATION_MAX.bit_length()


class RestoringDivider(RoundingDivider):
    """Restoring division, a quotient bit a step; with `int4`, everything is four bits wider.

    127·a / m is at most 127, so seven quotient bits follow from a first remainder of ``127·a >> 7``, which is below m.
    Rounding needs one comparison more: the quotient goes up when ``2·remainder + lowest quotient bit > m``, which is
    true above the tie and, at the tie, for odd quotients. The same holds for 70·a and a divisor of 9·m, and for any
    limit below 127, by which a is multiplied then.

    Latency `latency`, of any width: the dividend, a cycle a quotient bit, the rounding. Interface: `RoundingDivider`.
    """

    @classmethod
    def latency(cls, width: int) -> int:
        """Enabled cycles from a word to its quotients."""
        return 1 + _QUOTIENT_BITS + 1

    def elaborate(self, platform) -> Module:
        """The shared divisor's pipeline, then the lanes."""
        m = Module()
        divisor: Value = self.divisor
        if self.int4:
            divisor = Mux(self.wide, divisor, _times(divisor, INT4_CLIP[0]))
        peaks = [divisor]
        for step in range(_QUOTIENT_BITS + 1):
            peaks.append(Signal(len(divisor), name=f"peak_{step}", reset_less=True))
        with m.If(self.enable):
            for before, after in pairwise(peaks):
                m.d.sync += after.eq(before)
            wide = delayed(m, self.wide, _QUOTIENT_BITS + 1, "wide", reset_less=True) if self.int4 else Const(1)
            for lane in range(self.lanes):
                self._lane(m, lane, peaks, wide)
        return m

    def _lane(self, m: Module, lane: int, peaks: list[Value], wide: Value) -> None:
        magnitude, bits = self.magnitudes[lane], len(peaks[0])
        dividend = (magnitude << _QUOTIENT_BITS) - magnitude
        if self.int4:
            dividend = Mux(self.wide, dividend, _times(magnitude, INT4[1] * INT4_CLIP[1]))
        elif self.limited:
            dividend = magnitude * self.limit
        # Bits of the product not yet brought down, above them the remainder; the quotient enters from below.
        remainder = Signal(bits, name=f"remainder_{lane}", reset_less=True)
        pending = Signal(_QUOTIENT_BITS, name=f"pending_{lane}", reset_less=True)
        sign = Signal(name=f"sign_{lane}", reset_less=True)
        m.d.sync += [Cat(pending, remainder).eq(dividend), sign.eq(self.signs[lane])]
        for step in range(_QUOTIENT_BITS):
            peak = peaks[step + 1]
            shifted = Cat(pending[-1], remainder)
            difference = Signal(bits + 2, name=f"difference_{lane}_{step}")
            m.d.comb += difference.eq(shifted - peak)
            fits = ~difference[-1]
            next_remainder = Signal(bits, name=f"remainder_{lane}_{step}", reset_less=True)
            next_pending = Signal(_QUOTIENT_BITS, name=f"pending_{lane}_{step}", reset_less=True)
            next_sign = Signal(name=f"sign_{lane}_{step}", reset_less=True)
            m.d.sync += [
                next_remainder.eq(Mux(fits, difference, shifted)),
                next_pending.eq(Cat(fits, pending)),
                next_sign.eq(sign),
            ]
            remainder, pending, sign = next_remainder, next_pending, next_sign
        up = Cat(pending[0], remainder) > peaks[-1]
        if self.int4:
            up &= wide | sign | (pending != INT4[1])
        quotient = Signal(signed(8), name=f"quotient_{lane}")
        m.d.comb += quotient.eq(pending)
        m.d.sync += self.quotients[lane].eq((quotient ^ sign.replicate(8)) + (up ^ sign))


def _times(value: Value, factor: int) -> Value:
    """A sum of shifted values: a product with a constant, which synthesis would put into a DSP block."""
    return reduce(add, (value << bit for bit in range(factor.bit_length()) if factor >> bit & 1))
