"""The reciprocal of a vector's largest magnitude, by which its values are multiplied instead of divided."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import ACTIVATION_MAX
from rtl.limits import check_range
from rtl.pipeline import delayed, registered

_BITS_A_CYCLE = 1
_SETUP = 4
"""Cycles before the division: m, the power of two, and the three registers around their product."""
_LEVEL_BITS = ACTIVATION_MAX.bit_length()


@dataclass(frozen=True)
class ReciprocalConfig:
    """Width of a reciprocal, and what follows from it.

    Parameters
    ----------
    width
        Bits w of a magnitude, 8 to 32.

    """

    width: int

    def __post_init__(self) -> None:
        check_range("reciprocal", "width", self.width, _LEVEL_BITS + 1, 32)

    @property
    def fraction(self) -> int:
        """A product's bits below one: k = 2w + 1, or one more, so that whole cycles of the division make them."""
        return 2 * self.width + 1 + (self.width + 1) % _BITS_A_CYCLE

    @property
    def multiplier(self) -> int:
        """Bits of ``127·2**k // m + 1``, where m has its highest bit set."""
        return self.fraction - self.width + 1 + _LEVEL_BITS

    @property
    def layout(self) -> data.StructLayout:
        """``multiplier``, and ``power``: the power of two that moves m up until its highest bit is set."""
        return data.StructLayout({"multiplier": self.multiplier, "power": self.width})

    @property
    def latency(self) -> int:
        """Cycles from `Reciprocal.start` to its result: four to move m up, and the division."""
        return _SETUP + self.multiplier // _BITS_A_CYCLE


class Reciprocal(wiring.Component):
    """``127·2**k // (m·power) + 1`` for a largest magnitude m, one bit a cycle; one at a time.

    Parameters
    ----------
    config
        The width.

    Members
    -------
    start
        In, 1: take `peak`; at least `ReciprocalConfig.latency` cycles after the one before.
    peak
        In, w bits: m, at least 1.
    known
        Out, 1: `o` is valid: from `ReciprocalConfig.latency` cycles after `start` on until the next one.
    o
        Out, `ReciprocalConfig.layout`.

    Restoring division: m moved up is at least 2**(w-1), so the remainder may begin at 127·2**(w-8) and
    ``k - (w - 8)`` bits of the quotient follow, which are `ReciprocalConfig.multiplier`.

    """

    start: Signal
    peak: Signal
    known: Signal
    o: data.View

    def __init__(self, config: ReciprocalConfig):
        self.config = config
        super().__init__({"start": In(1), "peak": In(config.width), "known": Out(1), "o": Out(config.layout)})

    def elaborate(self, platform) -> Module:
        """The magnitude moved up, then a loop of restoring steps."""
        m = Module()
        width = self.config.width
        stage = Signal(range(self.config.latency))
        m.d.comb += self.known.eq((stage == 0) & ~self.start)
        with m.If(self.start | (stage != 0)):
            m.d.sync += stage.eq(Mux(stage == self.config.latency - 1, 0, stage + 1))
        peak, power = Signal(width, reset_less=True), Signal(width, reset_less=True)
        with m.If(self.start):
            m.d.sync += peak.eq(self.peak)
        # Registers with nothing between them and a multiplier, which can take them in.
        m.d.sync += power.eq(_to_the_top(peak))
        moved = registered(m, peak, "factor", reset_less=True) * power
        divisor = delayed(m, moved, 2, "divisor", reset_less=True)[:width]
        m.d.comb += self.o.power.eq(power)
        remainder, quotient = Signal(width, reset_less=True), Signal(self.config.multiplier, reset_less=True)
        with m.If(stage == _SETUP - 1):
            m.d.sync += remainder.eq(ACTIVATION_MAX << width - _LEVEL_BITS - 1)
        with m.Elif(stage != 0):
            rest, bits = remainder, []
            for step in range(_BITS_A_CYCLE):
                difference = Signal(width + 2, name=f"difference_{step}")
                m.d.comb += difference.eq((rest << 1) - divisor)
                fits = ~difference[-1]
                rest = Mux(fits, difference, rest << 1)[:width]
                bits.insert(0, fits)
            m.d.sync += [remainder.eq(rest), quotient.eq(Cat(*bits, quotient))]
        m.d.comb += self.o.multiplier.eq(quotient + 1)
        return m


def _to_the_top(value: Value) -> Value:
    """The power of two that moves the highest set bit of a value to the top: the lowest set bit, read backwards."""
    backwards = value[::-1]
    return backwards & -backwards
