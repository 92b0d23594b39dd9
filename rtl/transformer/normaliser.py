"""Moves a number up until its highest bit is set: what makes scalars of integers."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.limits import check_range
from rtl.pipeline import registered
from rtl.selection import leading_zeros

_COARSE = 8
"""The first stage moves by multiples of this, the second by less."""


class Normaliser(wiring.Component):
    """The highest bits of a number, moved up by as many places as it has leading zeros.

    Parameters
    ----------
    width
        Bits of a number, 9 to 64.
    kept
        Bits of the result, 8 to `width`; what is below them is left out.

    Members
    -------
    value
        In, width: the number.
    even
        In, 1: move by an even number of places, so that either of the two highest bits is set.
    o
        Out, kept: the number moved up, `LATENCY` cycles later; 0 of 0.
    places
        Out: by how many, in the same cycle; of 0, anything.

    Throughput: one number a cycle.

    """

    LATENCY = 2

    value: Signal
    even: Signal
    o: Signal
    places: Signal

    def __init__(self, width: int, kept: int):
        check_range("normaliser", "width", width, _COARSE + 1, 64)
        check_range("normaliser", "kept bits", kept, _COARSE, width)
        self.width, self.kept = width, kept
        groups = -(-width // _COARSE)
        super().__init__(
            {
                "value": In(width),
                "even": In(1),
                "o": Out(kept),
                "places": Out((groups - 1).bit_length() + (_COARSE - 1).bit_length()),
            }
        )

    def elaborate(self, platform) -> Module:
        """A stage that looks at groups of bits, and one that looks at the bits of the highest group."""
        m = Module()
        padded = Cat(Const(0, -self.width % _COARSE), self.value)
        groups = [padded[at : at + _COARSE] for at in range(0, len(padded), _COARSE)]
        coarse = leading_zeros(Cat(group.any() for group in groups))
        near = registered(m, _moved(padded, coarse, _COARSE)[-(self.kept + _COARSE - 1) :], "near", reset_less=True)
        moved = registered(m, coarse, "moved", reset_less=True)
        even = registered(m, self.even, "even", reset_less=True)

        zeros = leading_zeros(near[-_COARSE:])
        fine = Cat(zeros[0] & ~even, zeros[1:])
        m.d.sync += [self.o.eq(_moved(near, fine, 1)[-self.kept :]), self.places.eq(Cat(fine, moved))]
        return m


def _moved(value: Value, count: Value, step: int) -> Value:
    """A value moved up by `count` times `step` bits, as wide as it was."""
    for bit in reversed(range(len(count))):
        value = Mux(count[bit], value << (step << bit), value)[: len(value)]
    return value
