"""The activation quantiser: vectors of integers in, int8 out, scaled by the vector's largest magnitude."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.divider import RoundingDivider
from rtl.layouts import ACTIVATION, indices, levels, words
from rtl.limits import check_range


@dataclass(frozen=True)
class QuantizerConfig:
    """Size of a quantiser.

    Parameters
    ----------
    lanes
        Values a cycle, 1 to 1024.
    width
        Bits of a signed input value, 2 to 63; -2**(width-1) never occurs.
    depth
        Longest vector, in words of `lanes` values, 1 to 65536.

    """

    lanes: int
    width: int
    depth: int

    def __post_init__(self) -> None:
        check_range("quantiser", "lanes", self.lanes, 1, 1024)
        check_range("quantiser", "width", self.width, 2, 63)
        check_range("quantiser", "depth", self.depth, 1, 65536)

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a vector's last word to its first quantised word, when nothing stalls."""
        return 2 + self.tree + RoundingDivider.LATENCY

    @property
    def tree(self) -> int:
        """Cycles to find the largest magnitude of a word; one at least, in which a first word reaches the ring."""
        return max(levels(self.lanes), 1)


class Quantizer(wiring.Component):
    """Quantises vectors: ``q = RNE(127·a / max|a|)`` over each vector, exact, ties to even; zeros give zeros.

    A vector is held until its last word is in and the maximum known; while it leaves, the next one enters.

    Parameters
    ----------
    config
        The size.

    Members
    -------
    i
        In, stream of `words` (signed(width), lanes): vectors of 1 to `depth` words.
    o
        Out, stream of `words` (signed(8), lanes): as many words, in order.

    Latency: `QuantizerConfig.latency` from the last word in to the first word out. Throughput: one word a cycle in and
    out; between the last word of a vector and the first of the next, ``1 + QuantizerConfig.tree`` cycles pass, more
    while the vector before is still leaving. A vector longer than `depth` never completes.

    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: QuantizerConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(words(signed(config.width), config.lanes))),
                "o": Out(stream.Signature(words(ACTIVATION, config.lanes))),
            }
        )

    def elaborate(self, platform) -> Module:
        """Magnitudes into a ring of words and a maximum tree; a completed vector leaves through the dividers."""
        m = Module()
        lanes, depth = self.config.lanes, self.config.depth
        word = data.StructLayout({"magnitudes": data.ArrayLayout(self.config.width - 1, lanes), "signs": lanes})
        m.submodules.ring = ring = Memory(shape=word, depth=len(indices(depth)), init=[])
        write, read = ring.write_port(), ring.read_port()
        m.submodules.divider = divider = RoundingDivider(lanes, self.config.width - 1)

        accept = Signal()  # a word enters
        closing = Signal()  # a whole vector is in and its maximum is not handed over yet
        entered = Signal(range(depth + 1))  # words of the vector that is entering
        occupied = Signal(range(depth + 1))  # words in the ring
        m.d.comb += [
            self.i.ready.eq(~closing & (occupied != depth)),
            accept.eq(self.i.valid & self.i.ready),
        ]

        collected, last = Signal(word, reset_less=True), Signal()
        m.d.sync += [write.en.eq(accept), last.eq(accept & self.i.payload.last)]
        for lane in range(lanes):
            value = self.i.payload.data[lane]
            m.d.sync += collected.magnitudes[lane].eq(Mux(value[-1], -value, value))
            m.d.sync += collected.signs[lane].eq(value[-1])
        m.d.comb += write.data.eq(collected)
        with m.If(write.en):
            m.d.sync += write.addr.eq(_after(write.addr, depth))

        # The floor of 1 keeps a zero vector's quotients at zero.
        peak = Signal(self.config.width - 1, init=1)
        complete, handover = Signal(), Signal()  # the maximum is known and waits; it is handed over
        top, last = self._maximum(m, collected.magnitudes, write.en, last)
        highest = Mux(top > peak, top, peak)
        m.d.sync += peak.eq(highest)
        with m.If(last):
            m.d.sync += complete.eq(1)
        with m.If(handover):
            m.d.sync += [complete.eq(0), closing.eq(0), peak.eq(1), entered.eq(0)]
        with m.If(accept):
            m.d.sync += [entered.eq(entered + 1), closing.eq(self.i.payload.last)]

        advance, leave = Signal(), Signal()
        remaining = Signal(indices(depth))  # words of the leaving vector still in the ring
        divisor = Signal(self.config.width - 1, reset_less=True)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            handover.eq((last | complete) & (remaining == 0) & advance),
            leave.eq((handover | (remaining != 0)) & advance),
            read.en.eq(advance),
        ]
        m.d.sync += occupied.eq(occupied + accept - leave)
        with m.If(leave):
            m.d.sync += [
                read.addr.eq(_after(read.addr, depth)),
                remaining.eq(Mux(handover, entered, remaining) - 1),
            ]
        with m.If(handover):
            m.d.sync += divisor.eq(highest)
        m.d.comb += [
            divider.enable.eq(advance),
            divider.magnitudes.eq(read.data.magnitudes),
            divider.signs.eq(read.data.signs),
            divider.peak.eq(divisor),
            self.o.payload.data.eq(divider.quotients),
        ]
        flags = Cat(leave, Mux(handover, entered, remaining) == 1)
        for stage in range(1 + RoundingDivider.LATENCY):
            following = Signal(2, name=f"flags_{stage}")
            with m.If(advance):
                m.d.sync += following.eq(flags)
            flags = following
        m.d.comb += [self.o.valid.eq(flags[0]), self.o.payload.last.eq(flags[1])]
        return m

    def _maximum(self, m: Module, magnitudes, valid, last):
        """The largest magnitude of a word (0 where there is no word), one register a level, and `last` beside it."""
        values = [Mux(valid, magnitudes[lane], 0) for lane in range(self.config.lanes)]
        for level in range(self.config.tree):
            pairs = [values[i : i + 2] for i in range(0, len(values), 2)]
            values = [Signal(self.config.width - 1, name=f"maximum_{level}_{i}") for i in range(len(pairs))]
            for value, pair in zip(values, pairs, strict=True):
                m.d.sync += value.eq(Mux(pair[0] > pair[-1], pair[0], pair[-1]))
            following = Signal(name=f"last_{level}")
            m.d.sync += following.eq(last)
            last = following
        return values[0], last


def _after(address: Signal, depth: int):
    """The next address of a ring."""
    return Mux(address == depth - 1, 0, address + 1)
