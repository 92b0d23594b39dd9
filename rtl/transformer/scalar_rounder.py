"""Rounds the first digits of a product or quotient to a scalar's mantissa, and adds up its exponent."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.language.format import QUERY_BITS
from rtl.limits import check_range
from rtl.transformer.config import EXPONENT, LEAST_EXPONENT


class ScalarRounder(wiring.Component):
    """A mantissa, rounded to nearest, ties upwards, and the sum of an exponent's terms.

    Parameters
    ----------
    scalar
        Layout of a scalar, `rtl.transformer.config.DecoderConfig.scalar`; its mantissa has 8 to 16 bits.

    Members
    -------
    clear
        In, 1: the exponent begins anew, at 0.
    term
        In, EXPONENT: added to the exponent in each cycle without `clear`, modulo its width.
    digits
        In, two bits more than a mantissa: one of the two highest is set, unless all that follows them is left out, too,
        and the number is 0.
    round
        In, 1: the digits become the mantissa, and the exponent goes up by one for each bit that this moves them down
        beyond one; of 0, it becomes the least one.
    cut
        In, 1: the mantissa is rounded to its `QUERY_BITS` highest bits, which become its lowest; the exponent goes up
        by one where that carries over, and otherwise stays.
    scalar
        Out: mantissa and exponent, one cycle later.

    """

    clear: Signal
    term: Signal
    digits: Signal
    round: Signal
    cut: Signal
    scalar: data.View

    def __init__(self, scalar: data.StructLayout):
        self.bits = scalar.size - EXPONENT.width
        check_range("scalar rounder", "mantissa bits", self.bits, QUERY_BITS + 1, 16)
        super().__init__(
            {
                "clear": In(1),
                "term": In(EXPONENT),
                "digits": In(self.bits + 2),
                "round": In(1),
                "cut": In(1),
                "scalar": Out(scalar),
            }
        )

    def elaborate(self, platform) -> Module:
        """One adder for either kind of rounding, one for exponents."""
        m = Module()
        bits, scalar = self.bits, self.scalar
        found = Signal(bits + 2)
        m.d.comb += found.eq(Mux(self.cut, scalar.mantissa[-QUERY_BITS - 1 :], self.digits))
        # Without the lower of its two places; the lowest bit that is left decides.
        first, some = found[-1], found[-2:].any()
        upper = Mux(first, found[1:], found[:-1])
        # Not the adder's carry: the exponent's adder would wait for it.
        carry = Signal()
        m.d.comb += carry.eq(Mux(self.cut, upper[: QUERY_BITS + 1].all(), upper.all()))
        mantissa = Signal(bits)
        m.d.comb += mantissa.eq(upper[1:] + upper[0])
        with m.If(carry & self.cut):
            m.d.comb += mantissa.eq(1 << QUERY_BITS - 1)
        with m.Elif(carry):
            m.d.comb += mantissa.eq(1 << bits - 1)
        with m.If(self.round | self.cut):
            m.d.sync += scalar.mantissa.eq(mantissa)

        rising = Mux(self.round, Cat(first ^ carry, first & carry), carry & self.cut)
        m.d.sync += scalar.exponent.eq(scalar.exponent + (self.term | rising))
        with m.If(self.clear):
            m.d.sync += scalar.exponent.eq(0)
        with m.Elif(self.round & ~some):
            m.d.sync += scalar.exponent.eq(LEAST_EXPONENT)
        return m
