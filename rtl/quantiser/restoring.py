"""The exact quotient of the activation quantiser, bit by bit."""

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from golden.formats import ACTIVATION_MAX, INT4, INT4_CLIP
from rtl.constant_products import times
from rtl.pipeline import delayed, registered
from rtl.quantiser.divider import RoundingDivider

_QUOTIENT_BITS = ACTIVATION_MAX.bit_length()


class RestoringDivider(RoundingDivider):
    """Restoring division, a quotient bit a step; with `int4`, everything is four bits wider.

    127·a / m is at most 127, so seven quotient bits follow from a first remainder of ``127·a >> 7``, which is below m.
    Rounding needs one comparison more: the quotient goes up when ``2·remainder + lowest quotient bit > m``, which is
    true above the tie and, at the tie, for odd quotients. The same holds for 70·a and a divisor of 9·m.

    Latency `latency`, of any width: the dividend, a cycle for `BITS` quotient bits, the rounding. Interface:
    `RoundingDivider`.
    """

    BITS = 1
    """Quotient bits a cycle."""

    @classmethod
    def latency(cls, width: int) -> int:
        """Enabled cycles from a word to its quotients."""
        return 1 + len(cls._stages()) + 1

    @classmethod
    def _stages(cls) -> list[int]:
        """The quotient bits of each stage."""
        return [min(cls.BITS, _QUOTIENT_BITS - at) for at in range(0, _QUOTIENT_BITS, cls.BITS)]

    def elaborate(self, platform) -> Module:
        """The shared divisor's pipeline, then the lanes."""
        m = Module()
        divisor: Value = self.divisor
        if self.int4:
            divisor = Mux(self.wide, divisor, times(divisor, INT4_CLIP[0]))
        peaks = [divisor]
        for stage in range(len(self._stages()) + 1):
            peaks.append(Signal(len(divisor), name=f"peak_{stage}", reset_less=True))
        with m.If(self.enable):
            for before, after in pairwise(peaks):
                m.d.sync += after.eq(before)
            wide = delayed(m, self.wide, len(peaks) - 1, "wide", reset_less=True) if self.int4 else Const(1)
            for lane in range(self.lanes):
                self._lane(m, lane, peaks, wide)
        return m

    def _lane(self, m: Module, lane: int, peaks: list[Value], wide: Value) -> None:
        bits = len(peaks[0])
        # Bits of the product not yet brought down, above them the remainder; the quotient enters from below.
        remainder = Signal(bits, name=f"remainder_{lane}", reset_less=True)
        pending = Signal(_QUOTIENT_BITS, name=f"pending_{lane}", reset_less=True)
        sign = Signal(name=f"sign_{lane}", reset_less=True)
        m.d.sync += [Cat(pending, remainder).eq(self._dividend(lane)), sign.eq(self.signs[lane])]
        for stage, steps in enumerate(self._stages()):
            rest, quotient = remainder, pending
            for step in range(steps):
                shifted = Cat(quotient[-1], rest)
                difference = Signal(bits + 2, name=f"difference_{lane}_{stage}_{step}")
                m.d.comb += difference.eq(shifted - peaks[stage + 1])
                fits = ~difference[-1]
                rest, quotient = Mux(fits, difference, shifted)[:bits], Cat(fits, quotient[:-1])
            remainder = registered(m, rest, f"remainder_{lane}_{stage}", reset_less=True)
            pending = registered(m, quotient, f"pending_{lane}_{stage}", reset_less=True)
            sign = registered(m, sign, f"sign_{lane}_{stage}", reset_less=True)
        up = Cat(pending[0], remainder) > peaks[-1]
        if self.int4:
            up &= wide | sign | (pending != INT4[1])
        quotient = Signal(signed(8), name=f"quotient_{lane}")
        m.d.comb += quotient.eq(pending)
        m.d.sync += self.quotients[lane].eq((quotient ^ sign.replicate(8)) + (up ^ sign))

    def _dividend(self, lane: int) -> Value:
        """The lane's product in front of the division."""
        magnitude = self.magnitudes[lane]
        product = (magnitude << _QUOTIENT_BITS) - magnitude
        return Mux(self.wide, product, times(magnitude, INT4[1] * INT4_CLIP[1])) if self.int4 else product
