"""What shows the answers of the demonstration without a host: LEDs in binary, one LED by its pulses, or a digit."""

from typing import ClassVar

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.limits import check_range


class Display(wiring.Component):
    """Shows an answer, or that something is wrong: then it blinks, half a period a tick, and no answer is shown.

    Parameters
    ----------
    outputs
        Answers are 0 to ``outputs - 1``; 1 to `MOST`.

    Members
    -------
    tick
        In, 1: for one cycle, `TICKS` times an answer.
    shown, answer
        In: there is an answer, and which.
    fault
        In, 1: something is wrong.
    display
        Out: `WIDTH` bits, 1 is lit.

    """

    WIDTH: ClassVar[int]
    """Bits of `display`."""
    TICKS: ClassVar[int]
    """Ticks that an answer takes."""
    MOST: ClassVar[int]
    """Answers that it can tell apart."""
    BUSY: ClassVar[int]
    """What is lit while there is no answer, but something under way."""

    tick: Signal
    shown: Signal
    answer: Signal
    fault: Signal
    display: Signal

    def __init__(self, outputs: int):
        check_range(type(self).__name__, "outputs", outputs, 1, self.MOST)
        super().__init__({"tick": In(1), "shown": In(1), "answer": In(4), "fault": In(1), "display": Out(self.WIDTH)})

    def blinking(self, m: Module) -> Signal:
        """A signal that changes with every tick."""
        on = Signal()
        with m.If(self.tick):
            m.d.sync += on.eq(~on)
        return on


class Leds(Display):
    """Four LEDs: the answer in binary, lowest bit first. Parameters and members: `Display`."""

    WIDTH, TICKS, MOST, BUSY = 4, 8, 16, 1

    def elaborate(self, platform) -> Module:
        """A choice."""
        m = Module()
        m.d.comb += self.display.eq(Mux(self.fault, self.blinking(m).replicate(4), Mux(self.shown, self.answer, 0)))
        return m


class Pulses(Display):
    """Two LEDs: the first is lit as many times as the answer says, ten times for 0; the second blinks at a fault.

    A pulse is lit for a tick and dark for one. Parameters and members: `Display`.
    """

    WIDTH, TICKS, MOST, BUSY = 2, 32, 10, 1

    def elaborate(self, platform) -> Module:
        """A counter of what is left, lit while it is odd."""
        m = Module()
        left, was_shown = Signal(range(2 * self.MOST + 1)), Signal()
        m.d.sync += was_shown.eq(self.shown)
        with m.If(self.shown & ~was_shown):
            m.d.sync += left.eq(Mux(self.answer == 0, self.MOST, self.answer) << 1)
        with m.Elif(self.tick & (left != 0)):
            m.d.sync += left.eq(left - 1)
        m.d.comb += self.display.eq(Cat(left[0] & ~self.fault, self.fault & self.blinking(m)))
        return m


class SevenSegments(Display):
    """One digit of seven segments: `display` is segments A to G, and 1, which selects the right digit of two.

    E stands for a fault.

    Parameters and members: `Display`.
    """

    WIDTH, TICKS, MOST, BUSY = 8, 8, 10, 1 << 7 | 1 << 6

    DIGITS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
    """Lit segments of each digit: A on top, then clockwise to F, G in the middle."""
    FAULT = "adefg"

    def elaborate(self, platform) -> Module:
        """A table."""
        m = Module()
        digit = Array(self.segments(lit) for lit in self.DIGITS)[self.answer]
        fault = self.blinking(m).replicate(7) & self.segments(self.FAULT)
        m.d.comb += self.display.eq(Cat(Mux(self.fault, fault, Mux(self.shown, digit, 0)), Const(1)))
        return m

    @staticmethod
    def segments(lit: str) -> Const:
        """The bits of lit segments."""
        return Const(sum(1 << "abcdefg".index(segment) for segment in lit), 7)
