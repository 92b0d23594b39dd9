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
    bits
        Of a mantissa, 8 to 16.

    Members
    -------
    clear
        In, 1: the exponent begins anew, at 0.
    term
        In, EXPONENT: added to the exponent in each cycle without `clear`, modulo its width; 0 with `round` and `cut`.
    digits
        In, ``bits + 2``: one of the two highest is set, or all are 0.
    round
        In, 1: the digits become the mantissa, and the exponent goes up by one for each bit that this moves them down
        beyond one; of 0, it becomes the least one.
    cut
        In, 1: the mantissa is rounded to its `QUERY_BITS` highest bits, which become its lowest; the exponent goes up
        by one where that carries over, and otherwise stays.
    scalar
        Out, ``mantissa`` and ``exponent`` as in `rtl.transformer.config.DecoderConfig.scalar`, one cycle later.

    """

    clear: Signal
    term: Signal
    digits: Signal
    round: Signal
    cut: Signal
    scalar: data.View

    def __init__(self, bits: int):
        check_range("scalar rounder", "bits", bits, QUERY_BITS + 1, 16)
        self.bits = bits
        super().__init__(
            {
                "clear": In(1),
                "term": In(EXPONENT),
                "digits": In(bits + 2),
                "round": In(1),
                "cut": In(1),
                "scalar": Out(data.StructLayout({"mantissa": bits, "exponent": EXPONENT})),
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
