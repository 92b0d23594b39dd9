"""The groups of the vectors in a quantiser: their largest magnitudes, and what their values are worth."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.formats import FACTOR_BITS
from rtl.layouts import indices
from rtl.limits import check_range


class GroupFactors(wiring.Component):
    """Keeps the largest magnitude of each group until its vector leaves, and then gives it and the group's factor.

    A group's factor is ``floor(m / 2**e)``: m is its largest magnitude, 1 at least, and the vector's e, which may be
    negative, is such that its largest factor has `golden.formats.FACTOR_BITS` bits.

    Parameters
    ----------
    width
        Bits of a magnitude, 1 to 62.
    groups
        The most groups of a vector, 1 to 256.
    channels
        Vectors that can enter at a time, 1 to 16. One more, of any of their channels, can leave.

    Members
    -------
    word
        In, struct: ``peak``, the largest magnitude of a word that enters (0: there is none); ``group_last``, 1 for the
        last word of a group; ``channel``.
    enable
        In, 1: the way out moves; while 0, `peak` holds.
    handover
        In, 1: the vector of `channel` starts to leave; `enable` is 1, and its last word was there before.
    leave, channel, group_last
        In: 1 for a word that leaves, with `handover` the vector's first; its channel; 1 for the last of its group.
    peak
        Out, width bits: the largest magnitude of the word's group, one enabled cycle later.
    factor
        Out, `factor_layout`: the factor of group number ``group`` of the vector that leaves from ``channel``; ``valid``
        once for each group, in the cycle after `peak` holds for its first word in an enabled cycle.

    Throughput: one word in and one out a cycle.

    """

    word: data.View
    enable: Signal
    handover: Signal
    leave: Signal
    channel: Signal
    group_last: Signal
    peak: Signal
    factor: data.View

    def __init__(self, width: int, groups: int, channels: int):
        name = type(self).__name__
        check_range(name, "width", width, 1, 62)
        check_range(name, "groups", groups, 1, 256)
        check_range(name, "number of channels", channels, 1, 16)
        self.width, self.groups, self.channels = width, groups, channels
        super().__init__(
            {
                "word": In(data.StructLayout({"peak": width, "group_last": 1, "channel": indices(channels)})),
                "enable": In(1),
                "handover": In(1),
                "leave": In(1),
                "channel": In(indices(channels)),
                "group_last": In(1),
                "peak": Out(width),
                "factor": Out(factor_layout(groups, channels)),
            }
        )

    def elaborate(self, platform) -> Module:
        """A memory of two sides a channel, one for the vector that enters and one for the one that leaves."""
        m = Module()
        # By channel, of the vector that enters: its side, its group, the group's largest magnitude so far; and the
        # bits that any magnitude has, whose length is the largest one's.
        sides = Array(Signal(name=f"side_{index}") for index in range(self.channels))
        numbers = Array(Signal(indices(self.groups), name=f"number_{index}") for index in range(self.channels))
        peaks = Array(Signal(self.width, name=f"peak_{index}", init=1) for index in range(self.channels))
        extents = Array(Signal(self.width, name=f"extent_{index}", init=1) for index in range(self.channels))
        address = len(Cat(numbers[0], sides[0], self.channel))
        m.submodules.memory = memory = Memory(shape=self.width, depth=1 << address, init=[])
        write, read = memory.write_port(), memory.read_port()

        into, peak = self.word.channel, Signal(self.width)
        m.d.comb += [
            peak.eq(Mux(self.word.peak > peaks[into], self.word.peak, peaks[into])),
            write.en.eq(self.word.group_last),
            write.addr.eq(Cat(numbers[into], sides[into], into)),
            write.data.eq(peak),
        ]
        m.d.sync += [
            peaks[into].eq(Mux(self.word.group_last, 1, peak)),
            extents[into].eq(extents[into] | self.word.peak),
        ]
        with m.If(self.word.group_last):
            m.d.sync += numbers[into].eq(numbers[into] + 1)

        # Of the vector that leaves: its side, the next word's group, whether that word is the group's first; and how
        # far its magnitudes are shifted.
        side, following, starts = Signal(), Signal(indices(self.groups)), Signal()
        number, shift = Signal(indices(self.groups)), Signal(indices(self.width))
        m.d.comb += [
            number.eq(Mux(self.handover, 0, following)),
            read.addr.eq(Cat(number, Mux(self.handover, sides[self.channel], side), self.channel)),
            read.en.eq(self.enable),
            self.peak.eq(read.data),
        ]
        with m.If(self.leave):
            m.d.sync += [following.eq(number + self.group_last), starts.eq(self.group_last)]
        with m.If(self.handover):
            m.d.sync += [side.eq(sides[self.channel]), sides[self.channel].eq(~sides[self.channel])]
            m.d.sync += [numbers[self.channel].eq(0), extents[self.channel].eq(1)]
            m.d.sync += shift.eq(_highest(m, extents[self.channel]))

        first, group = Signal(), Signal.like(Cat(number, self.channel), reset_less=True)
        with m.If(self.enable):
            m.d.sync += [first.eq(self.leave & (self.handover | starts)), group.eq(Cat(number, self.channel))]
        m.d.sync += [
            self.factor.valid.eq(first & self.enable),
            Cat(self.factor.group, self.factor.channel).eq(group),
            self.factor.value.eq(Cat(Const(0, FACTOR_BITS - 1), read.data) >> shift),
        ]
        return m


def factor_layout(groups: int, channels: int) -> data.StructLayout:
    """The factor of a group: ``value`` for the ``group``, counted from 0, of a vector of ``channel``."""
    return data.StructLayout({"valid": 1, "channel": indices(channels), "group": indices(groups), "value": FACTOR_BITS})


def _highest(m: Module, bits: Value) -> Value:
    """The number of the highest bit that is set, found by halves; 0 if none is."""
    number: list[Value] = []
    while len(bits) > 1:
        half = 1 << (len(bits) - 1).bit_length() - 1
        upper, rest = bits[half:].any(), Signal(half, name=f"highest_of_{half}")
        m.d.comb += rest.eq(Mux(upper, bits[half:], bits[:half]))
        number.insert(0, upper)
        bits = rest
    return Cat(number)
