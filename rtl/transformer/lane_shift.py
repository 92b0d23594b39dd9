"""A product over a power of two that is known only then."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.limits import check_range


class LaneShift(wiring.Component):
    """Shifts a number to the right, and keeps the last bit that it loses, for whoever rounds.

    One register stands in the middle; behind it there is room for an adder in front of the next.

    Parameters
    ----------
    width
        Bits of the number, sign included, 2 to 64.
    needed
        Bits of a result, sign included, 2 to `width`; of one with more, only that and its sign are kept.

    Members
    -------
    i
        In, signed(width).
    amount
        In, of `amount_bits`: by how much; its largest leaves nothing but the sign.
    o
        Out, signed(`bits_out`): ``i / 2**amount``, rounded down, `LATENCY` cycle later.
    lost
        Out, 1: with `o`, the last bit that was shifted out, worth half; ``o + lost`` is rounded to nearest, ties
        upwards.

    Throughput: one number a cycle.

    """

    LATENCY = 1

    i: Signal
    amount: Signal
    o: Signal
    lost: Signal

    def __init__(self, width: int, needed: int):
        check_range("lane shift", "width", width, 2, 64)
        check_range("lane shift", "bits needed", needed, 2, width)
        super().__init__(
            {
                "i": In(signed(width)),
                "amount": In(self.amount_bits(width)),
                "o": Out(signed(self.bits_out(width, needed))),
                "lost": Out(1),
            }
        )

    @staticmethod
    def amount_bits(width: int) -> int:
        """Bits of an amount: enough for `width`, at which nothing is left but the sign, rounded down, or 0."""
        return width.bit_length()

    @staticmethod
    def bits_out(width: int, needed: int) -> int:
        """Bits of the output: those needed, and what the second half of the shift may still take from them."""
        return min(width, needed + (1 << LaneShift.amount_bits(width) // 2))

    def elaborate(self, platform) -> Module:
        """Half of the amount's bits on either side of the register; what is not needed ends in front of it."""
        m = Module()
        fine_bits, bits = len(self.amount) // 2, len(self.o) + 1
        coarse, rest = Signal(signed(bits)), Signal(fine_bits)
        # A zero below the number is the bit that is lost where nothing is shifted.
        shifted = _shifted(Cat(Const(0, 1), self.i).as_signed(), self.amount[fine_bits:], fine_bits)
        sign, more = self.i[-1], Signal()
        m.d.comb += more.eq((shifted[bits - 1 :] ^ sign.replicate(len(shifted) - bits + 1)).any())
        m.d.sync += [
            coarse.eq(Cat(shifted[: bits - 2], Mux(more, ~sign, shifted[bits - 2]), sign)),
            rest.eq(self.amount[:fine_bits]),
        ]
        fine = _shifted(coarse, rest, 0)
        m.d.comb += [self.o.eq(fine[1:].as_signed()), self.lost.eq(fine[0])]
        return m


def _shifted(value: Value, amount: Value, first: int) -> Value:
    """A signed value, shifted to the right by `amount` times 2**first."""
    for index, bit in enumerate(amount, first):
        value = Mux(bit, value >> (1 << index), value)
    return value
