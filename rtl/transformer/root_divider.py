"""Square roots and quotients, digit by digit, by the same subtractors."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.limits import check_multiple, check_range


class RootDivider(wiring.Component):
    """Divides one fraction by another, or by the root of another.

    Both are digit recurrences of a remainder w, and an operand n stands for ``n / 2**width``. A division doubles w,
    which begins as the dividend, and takes the divisor off where it fits. A root r does it with ``2·r + 2**-i`` in its
    i-th step and w beginning as the radicand, and has then the next digit of r. The register that grows to ``2·r`` is
    the one of the divisor, which is kept doubled, so that a division by the root goes on from there.

    Parameters
    ----------
    width
        Bits of an operand, ``2·digits`` to 64.
    digits
        Of a root and of a quotient, 2 to 32, a multiple of `pace`.
    pace
        Digits a cycle, 1 or 2.

    Members
    -------
    operand
        In, width.
    divisor
        In, 1: take the operand, whose highest bit is set, as the divisor.
    radicand
        In, 1: take it, one of whose two highest bits is set or which is 0, as the radicand; digits of its root, which
        becomes the divisor, are made in the ``digits // pace`` cycles behind this one.
    dividend
        In, 1: take it, whose highest bit is set or which is 0, as the dividend; digits of the quotient are made in the
        ``digits // pace`` cycles behind this one.
    rooted, divided
        Out, 1: the last digit of a root is made in this cycle; of a quotient.
    quotient
        Out, digits: ``dividend · 2**(digits - 1) // divisor``, from the cycle behind `divided` on, until digits are
        made again; 0 where the radicand was 0.

    One at a time: `divisor`, `radicand` and `dividend` come with the last digit of what was before, or later.

    """

    operand: Signal
    divisor: Signal
    radicand: Signal
    dividend: Signal
    rooted: Signal
    divided: Signal
    quotient: Signal

    def __init__(self, width: int, digits: int, pace: int = 1):
        check_range("root divider", "digits", digits, 2, 32)
        check_range("root divider", "pace", pace, 1, 2)
        check_multiple("root divider", "digits", digits, "pace", pace)
        check_range("root divider", "width", width, 2 * digits, 64)
        self.width, self.digits, self.pace = width, digits, pace
        super().__init__(
            {
                "operand": In(width),
                "divisor": In(1),
                "radicand": In(1),
                "dividend": In(1),
                "rooted": Out(1),
                "divided": Out(1),
                "quotient": Out(digits),
            }
        )

    def elaborate(self, platform) -> Module:
        """A remainder, a divisor, and a mark that goes round once for each root or quotient."""
        m = Module()
        width, pace = self.width, self.pace
        busy, rooting = Signal(), Signal()
        mark = Signal(self.digits // pace, init=1 << self.digits // pace - 1)
        remainder = Signal(width + 1, reset_less=True)
        divisor = Signal(width, reset_less=True)  # doubled: the highest bit is worth 1

        rest, grown, found = remainder, divisor, []
        for step in range(pace):
            guess = Mux(rooting, self._place(mark, step), 0)
            subtrahend, difference = Signal(width, name=f"subtrahend_{step}"), Signal(width + 2, name=f"left_{step}")
            m.d.comb += [
                subtrahend.eq(grown | guess << width - self.digits - 1),
                difference.eq(rest - subtrahend),
            ]
            fits = ~difference[-1]
            rest = Mux(fits, difference, rest)[:width] << 1
            grown |= Mux(fits, guess, 0) << width - self.digits
            found.insert(0, fits & divisor[-1])
        last = busy & mark[0]
        m.d.comb += [self.rooted.eq(last & rooting), self.divided.eq(last & ~rooting)]
        with m.If(busy):
            # The mark at the end of a step is at the beginning of the next root or quotient.
            m.d.sync += [
                mark.eq(mark.rotate_right(1)),
                remainder.eq(rest),
                divisor.eq(grown),
                self.quotient.eq(Cat(*found, self.quotient)),
            ]
        with m.If(last):
            m.d.sync += busy.eq(0)
        with m.If(self.divisor):
            m.d.sync += divisor.eq(self.operand)
        with m.If(self.radicand):
            m.d.sync += [divisor.eq(0), rooting.eq(1)]
        with m.If(self.dividend):
            m.d.sync += rooting.eq(0)
        with m.If(self.radicand | self.dividend):
            m.d.sync += [remainder.eq(self.operand), busy.eq(1)]
        return m

    def _place(self, mark: Value, step: int) -> Value:
        """The mark among digits: of a cycle's digits, at the one of a step."""
        pace = self.pace
        return Cat(mark[bit // pace] & (bit % pace == pace - 1 - step) for bit in range(self.digits))
