"""Square roots and quotients, a digit a cycle, by the same subtractor."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.limits import check_range


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
        Of a root and of a quotient, 2 to 32.

    Members
    -------
    operand
        In, width.
    divisor
        In, 1: take the operand, whose highest bit is set, as the divisor.
    radicand
        In, 1: take it, one of whose two highest bits is set or which is 0, as the radicand; digits of its root, which
        becomes the divisor, are made in the `digits` cycles behind this one.
    dividend
        In, 1: take it, whose highest bit is set or which is 0, as the dividend; digits of the quotient are made in the
        `digits` cycles behind this one.
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

    def __init__(self, width: int, digits: int):
        check_range("root divider", "digits", digits, 2, 32)
        check_range("root divider", "width", width, 2 * digits, 64)
        self.width, self.digits = width, digits
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
        width, digits = self.width, self.digits
        busy, rooting = Signal(), Signal()
        mark = Signal(digits, init=1 << digits - 1)
        remainder = Signal(width + 1, reset_less=True)
        divisor = Signal(width, reset_less=True)  # doubled: the highest bit is worth 1

        subtrahend, difference = Signal(width), Signal(width + 2)
        guess = Mux(rooting, mark, 0) << width - digits - 1
        m.d.comb += [subtrahend.eq(divisor | guess), difference.eq(remainder - subtrahend)]
        fits, last = ~difference[-1], busy & mark[0]
        m.d.comb += [self.rooted.eq(last & rooting), self.divided.eq(last & ~rooting)]
        with m.If(busy):
            # The mark at the end of a step is at the beginning of the next root or quotient.
            m.d.sync += [
                mark.eq(mark.rotate_right(1)),
                remainder.eq(Mux(fits, difference, remainder)[:width] << 1),
                divisor.eq(divisor | Mux(rooting & fits, mark, 0) << width - digits),
                self.quotient.eq(Cat(fits & divisor[-1], self.quotient)),
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
