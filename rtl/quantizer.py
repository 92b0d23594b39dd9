"""The activation quantiser: vectors of integers in, int8 out, scaled by the vector's largest magnitude."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.divider import RoundingDivider
from rtl.layouts import ACTIVATION, indices, levels
from rtl.limits import check_range
from rtl.pipeline import delayed, registered


@dataclass(frozen=True)
class QuantizerConfig:
    """Size of a quantiser.

    Parameters
    ----------
    lanes
        Values a cycle, 1 to 1024.
    width
        Bits of a signed input value, 2 to 63; -2**(width-1) never occurs.
    depths
        The longest vector of each channel, in words of `lanes` values, 1 to 65536; 1 to 16 channels.

    """

    lanes: int
    width: int
    depths: tuple[int, ...]

    def __post_init__(self) -> None:
        check_range("quantiser", "lanes", self.lanes, 1, 1024)
        check_range("quantiser", "width", self.width, 2, 63)
        check_range("quantiser", "number of channels", len(self.depths), 1, 16)
        for depth in self.depths:
            check_range("quantiser", "depth", depth, 1, 65536)

    @property
    def closing(self) -> int:
        """Cycles from the transfer of a vector's last word to the soonest handover to the dividers."""
        return 1 + self.tree

    @property
    def leaving(self) -> int:
        """Cycles from a vector's handover to its first quantised word."""
        return 1 + RoundingDivider.LATENCY

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a vector's last word to its first quantised word, when nothing is in the way."""
        return self.closing + self.leaving

    @property
    def tree(self) -> int:
        """Cycles to find the largest magnitude of a word; two at least, in which a first word reaches the memory."""
        return max(levels(self.lanes), 2)

    def words(self, shape) -> data.StructLayout:
        """Payload of a stream: `lanes` values, ``last`` on a vector's final word, and the vector's channel."""
        values = data.ArrayLayout(shape, self.lanes)
        return data.StructLayout({"data": values, "last": 1, "channel": indices(len(self.depths))})


class Quantizer(wiring.Component):
    """Quantises vectors: ``q = RNE(127·a / max|a|)`` over each vector, exact, ties to even; zeros give zeros.

    A vector is held until its last word is in and the maximum known; while it leaves, its channel's next one enters.
    Words of different channels may enter in any order; every vector leaves in one piece.

    Parameters
    ----------
    config
        The size.

    Members
    -------
    i
        In, stream of `QuantizerConfig.words` (signed(width)): vectors of 1 word to their channel's depth. ``ready``
        depends on the payload's channel.
    o
        Out, stream of `QuantizerConfig.words` (signed(8)): as many words, in order. Which vector leaves next is
        chosen in the cycle before: of those whose last word entered two cycles before, the one of the lowest channel.

    Latency: `QuantizerConfig.latency` from the last word in to the first word out. Throughput: one word a cycle in and
    out; between the last word of a vector and the first of its channel's next, `QuantizerConfig.closing` cycles pass,
    more while vectors before it are still leaving. A vector longer than its channel's depth never completes.

    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: QuantizerConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.words(signed(config.width)))),
                "o": Out(stream.Signature(config.words(ACTIVATION))),
            }
        )

    def elaborate(self, platform) -> Module:
        """Magnitudes into a memory and a maximum tree; a completed vector leaves through the dividers."""
        m = Module()
        lanes, depths = self.config.lanes, self.config.depths
        bases = Array(sum(depths[:channel]) for channel in range(len(depths)))
        word = data.StructLayout({"magnitudes": data.ArrayLayout(self.config.width - 1, lanes), "signs": lanes})
        m.submodules.memory = memory = Memory(shape=word, depth=len(indices(sum(depths))), init=[])
        write, read = memory.write_port(), memory.read_port()
        m.submodules.divider = divider = RoundingDivider(lanes, self.config.width - 1)

        # By channel: words of the vector that enters; of a vector that is not handed over yet: its last word has been
        # accepted, is in the memory, and the maximum is known.
        entered = Array(Signal(range(depth + 1), name=f"entered_{index}") for index, depth in enumerate(depths))
        closing = Array(Signal(name=f"closing_{index}") for index in range(len(depths)))
        held = Array(Signal(name=f"held_{index}") for index in range(len(depths)))
        complete = Array(Signal(name=f"complete_{index}") for index in range(len(depths)))
        # Whether a vector leaves; its channel, its words still in the memory, and the address of their first.
        leaving = Signal(self.i.payload.channel.shape())
        busy, remaining = Signal(), Signal(range(max(depths) + 1))
        following = Signal(range(sum(depths) + 1))

        accept, channel = Signal(), self.i.payload.channel
        places = Array(bases[index] + entered[index] for index in range(len(depths)))
        # A word may take the place of one that has left. All channels are looked at before one is chosen.
        open_ = Array(
            ~closing[index] & (entered[index] != depth) & (~busy | (leaving != index) | (places[index] < following))
            for index, depth in enumerate(depths)
        )
        m.d.comb += [self.i.ready.eq(open_[channel]), accept.eq(self.i.valid & self.i.ready)]
        collected, last, entering = Signal(word, reset_less=True), Signal(), Signal.like(leaving)
        for lane in range(lanes):
            value = self.i.payload.data[lane]
            m.d.sync += collected.magnitudes[lane].eq(Mux(value[-1], -value, value))
            m.d.sync += collected.signs[lane].eq(value[-1])
        m.d.sync += [write.en.eq(accept), write.addr.eq(places[channel])]
        m.d.sync += [last.eq(accept & self.i.payload.last), entering.eq(channel)]
        m.d.comb += write.data.eq(collected)

        advance, leave, handover, handed = (Signal(name=name) for name in ("advance", "leave", "handover", "handed"))
        arriving, whole, peak = self._maxima(m, collected.magnitudes, write.en, Cat(last, entering), handed, leaving)
        # While nothing else is read, the first word of the vector that shall leave next is, so that the register behind
        # the memory costs no cycle. What decides is kept in flags, for the memory's address is far away.
        chosen, length, aimed, knows = Signal.like(leaving), Signal.like(remaining), Signal(), Signal()
        ending, single = Signal(), Signal()  # the vector that leaves has one word left, the chosen one has one in all
        others = [held[index] & (chosen != index) for index in range(len(depths))]
        aims = Mux(handover, Cat(others).any(), Cat(*held).any())
        aim = Mux(handover, _lowest(others), _lowest(held))
        soon = Array(arriving[index] | whole[index] | complete[index] for index in range(len(depths)))
        ends = Mux(busy, ending, single)
        aiming = ends | ~(busy | handover)
        left = Mux(busy, remaining, length)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            handover.eq(aimed & knows & ~busy & advance),
            leave.eq((handover | busy) & advance),
            read.en.eq(advance),
            read.addr.eq(Mux(aiming, bases[aim], following)),
        ]
        fetched = Signal(word, reset_less=True)
        m.d.sync += knows.eq(soon[chosen])
        with m.If(advance):
            m.d.sync += [fetched.eq(read.data), aimed.eq(aiming & aims)]
            m.d.sync += following.eq(Mux(aiming, Array(base + 1 for base in bases)[aim], following + 1))
            with m.If(aiming):
                m.d.sync += [chosen.eq(aim), knows.eq(soon[aim])]
                m.d.sync += [length.eq(entered[aim]), single.eq(entered[aim] == 1)]
        with m.If(leave):
            m.d.sync += [busy.eq(~ends), remaining.eq(left - 1), ending.eq(left == 2)]
        m.d.sync += handed.eq(handover)
        for index in range(len(depths)):
            with m.If(whole[index]):
                m.d.sync += complete[index].eq(1)
        with m.If(last):
            m.d.sync += held[entering].eq(1)
        with m.If(accept):
            m.d.sync += [entered[channel].eq(entered[channel] + 1), closing[channel].eq(self.i.payload.last)]
        with m.If(handover):
            m.d.sync += [closing[chosen].eq(0), held[chosen].eq(0), complete[chosen].eq(0)]
            m.d.sync += [entered[chosen].eq(0), leaving.eq(chosen)]

        m.d.comb += [
            divider.enable.eq(advance),
            divider.magnitudes.eq(fetched.magnitudes),
            divider.signs.eq(fetched.signs),
            divider.peak.eq(peak),
            self.o.payload.data.eq(divider.quotients),
        ]
        flags: Value = Cat(leave, ends, Mux(busy, leaving, chosen))
        for stage in range(self.config.leaving):
            following_flags = Signal(len(flags), name=f"flags_{stage}")
            with m.If(advance):
                m.d.sync += following_flags.eq(flags)
            flags = following_flags
        m.d.comb += Cat(self.o.valid, self.o.payload.last, self.o.payload.channel).eq(flags)
        return m

    def _maxima(self, m: Module, magnitudes, valid, last, handed, leaving) -> tuple[list[Value], list[Value], Value]:
        """The largest magnitudes of vectors.

        By channel, whether a vector's maximum will be known in the next cycle; whether it is now; and the maximum of
        the vector that leaves.
        """
        values = [Mux(valid, magnitudes[lane], 0) for lane in range(self.config.lanes)]
        for level in range(self.config.tree):
            pairs = [values[i : i + 2] for i in range(0, len(values), 2)]
            values = [Signal(self.config.width - 1, name=f"maximum_{level}_{i}") for i in range(len(pairs))]
            for value, pair in zip(values, pairs, strict=True):
                m.d.sync += value.eq(Mux(pair[0] > pair[-1], pair[0], pair[-1]))
        channels = range(len(self.config.depths))
        arriving = delayed(m, last, self.config.tree - 1, "arriving")
        arrived = registered(m, arriving, "arrived")
        # The floor of 1 keeps a zero vector's quotients at zero.
        peaks = Array(Signal(self.config.width - 1, name=f"peak_{index}", init=1) for index in channels)
        peak = peaks[arrived[1:]]
        m.d.sync += peak.eq(Mux(values[0] > peak, values[0], peak))
        divisor = Signal(self.config.width - 1, reset_less=True)
        with m.If(handed):
            m.d.sync += [divisor.eq(peaks[leaving]), peaks[leaving].eq(1)]
        soon, whole = ([tag[0] & (tag[1:] == index) for index in channels] for tag in (arriving, arrived))
        return soon, whole, Mux(handed, peaks[leaving], divisor)


def _lowest(flags: Sequence[Value]) -> Value:
    """The number of the first flag that is set; the last one's if none is."""
    number: Value = Const(len(flags) - 1)
    for index in reversed(range(len(flags) - 1)):
        number = Mux(flags[index], index, number)
    return number
