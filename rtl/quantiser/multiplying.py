"""The exact quotient of the activation quantiser by multiplication, for devices that have multipliers."""

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import NamedTuple

from amaranth.hdl import Module, ShapeLike, Signal, Value, signed

from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX
from rtl.pipeline import delayed, registered
from rtl.quantiser.divider import RoundingDivider
from rtl.quantiser.reciprocal import Reciprocal, ReciprocalConfig

_QUOTIENT_BITS = ACTIVATION_MAX.bit_length()
_FACTOR_BITS = 18
_AROUND = 3
"""Registers around a multiplier: of its factors, in its middle, and of its product."""


class MultiplyingDivider(RoundingDivider):
    """A product with m's reciprocal, rounded.

    With a and m moved up alike, so that m has its highest bit set, ``r = 127·2**k // m + 1`` and ``P = a·r``: the
    quotient is ``P / 2**k`` rounded, and it is a tie exactly if ``P mod 2**k - 2**(k-1)`` is in [0, 2**w).

    Proof. ``r = (127·2**k + e) / m`` with 0 < e <= m, so ``P / 2**k = 127·a/m + d`` with
    ``0 <= d <= a / 2**k < 2**w / 2**k``. At a tie, d is what the fraction exceeds 1/2 by. Elsewhere 127·a/m is a
    multiple of 1/m, and so at least ``1/(2m) > 2**-(w+1) >= 2**w / 2**k`` away from every half, as k is at least
    2w + 1: d carries it over none, and leaves none within ``2**w / 2**k`` above one.

    Latency `latency`: moving up and the pieces of the product, each with three registers around a multiplier, which
    ECP5 has in the block (`gen.netlist`); the pieces' sum, the rounding, the sign. A lane takes three multipliers of
    18 x 18 bits, if a has no more. Interface: `RoundingDivider`, without `int4`.

    """

    def __init__(self, lanes: int, width: int, *, int4: bool = False):
        if int4:
            raise TritweaveError("multiplying divider: int4 is True; groups of four bits need the restoring one")
        self.config = ReciprocalConfig(width)
        super().__init__(lanes, width)

    @classmethod
    def latency(cls, width: int) -> int:
        """Enabled cycles from a word to its quotients, of any width."""
        return 2 * _AROUND + 3

    @classmethod
    def divisor_shape(cls, width: int) -> ShapeLike:
        """The reciprocal."""
        return ReciprocalConfig(width).layout

    @classmethod
    def preparation_latency(cls, width: int) -> int:
        """Cycles to the reciprocal."""
        return ReciprocalConfig(width).latency

    @classmethod
    def prepare(cls, m: Module, peak: Value, start: Value) -> tuple[Value, Value]:
        """The reciprocal of m."""
        m.submodules.reciprocal = reciprocal = Reciprocal(ReciprocalConfig(len(peak)))
        m.d.comb += [reciprocal.peak.eq(peak), reciprocal.start.eq(start)]
        return reciprocal.o.as_value(), reciprocal.known

    def elaborate(self, platform) -> Module:
        """The lanes, which share the reciprocal."""
        m = Module()
        divisor = self.config.layout(self.divisor.as_value())
        with m.If(self.enable):
            power = registered(m, divisor.power, "power", reset_less=True)
            multiplier = Signal(len(divisor.multiplier), name="multiplier", reset_less=True)
            m.d.sync += multiplier.eq(delayed(m, divisor.multiplier, _AROUND, "waiting", reset_less=True))
            signs = delayed(m, self.signs, self.latency(self.width) - 1, "signs", reset_less=True)
            for lane in range(self.lanes):
                self._lane(m, lane, power, multiplier, signs[lane])
        return m

    def _lane(self, m: Module, lane: int, power: Value, multiplier: Signal, sign: Value) -> None:
        """Move up, by a product that costs no LUTs; multiply in pieces; add them up; round; put the sign back."""
        width, fraction = self.config.width, self.config.fraction
        moved = registered(m, self.magnitudes[lane], f"value_{lane}", reset_less=True) * power
        moved = delayed(m, moved, _AROUND - 1, f"moved_{lane}", reset_less=True)[:width]
        magnitude = registered(m, moved, f"magnitude_{lane}", reset_less=True)
        pieces = []
        for upper in _pieces(multiplier):
            for lower in _pieces(magnitude):
                place = upper.place + lower.place
                piece = delayed(m, upper.bits * lower.bits, _AROUND - 1, f"piece_{lane}_{place}", reset_less=True)
                pieces.append(piece << place)
        product = Signal(_QUOTIENT_BITS + fraction, name=f"product_{lane}", reset_less=True)
        m.d.sync += product.eq(reduce(add, pieces))
        quotient = Signal(_QUOTIENT_BITS, name=f"quotient_{lane}", reset_less=True)
        up = Signal(name=f"up_{lane}", reset_less=True)
        half, beyond_tie = product[fraction - 1], product[width : fraction - 1].any()
        m.d.sync += [quotient.eq(product[fraction:]), up.eq(half & (beyond_tie | product[fraction]))]
        extended = Signal(signed(8), name=f"extended_{lane}")
        m.d.comb += extended.eq(quotient)
        m.d.sync += self.quotients[lane].eq((extended ^ sign.replicate(8)) + (up ^ sign))


class _Piece(NamedTuple):
    """A part of a factor that one multiplier takes, and its lowest bit's place."""

    bits: Value
    place: int


def _pieces(factor: Value) -> Iterator[_Piece]:
    for place in range(0, len(factor), _FACTOR_BITS):
        yield _Piece(factor[place : place + _FACTOR_BITS], place)
