"""The way out of the array: accumulators become a stream of corrected, rectified results."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FACTOR_BITS
from rtl.layouts import indices, words
from rtl.limits import check_multiple, check_range
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import delayed


@dataclass(frozen=True)
class DrainConfig:
    """Size of a drain.

    Parameters
    ----------
    rows
        R, accumulators, 1 to 1024.
    lanes
        Results a cycle; divides `rows`.
    width
        Bits of an accumulator, 1 to 32.
    groups
        For a scaling engine, the groups of a vector at most, 1 to 256: its tiles are passes, whose results a
        `rtl.engine.scaling.ScaleStep` adds up and rectifies. 0: tiles are whole, and results leave rectified.
    factors
        Whether a pass has a factor.

    """

    rows: int
    lanes: int
    width: int
    groups: int = 0
    factors: bool = False

    def __post_init__(self) -> None:
        check_range("drain", "rows", self.rows, 1, 1024)
        check_range("drain", "lanes", self.lanes, 1, self.rows)
        check_multiple("drain", "rows", self.rows, "lanes", self.lanes)
        check_range("drain", "width", self.width, 1, 32)
        check_range("drain", "groups", self.groups, 0, 256)

    @property
    def interval(self) -> int:
        """Cycles that a whole tile takes; tiles must be at least this far apart."""
        return self.rows // self.lanes

    @property
    def tile(self) -> data.StructLayout:
        """What the drain must know of a tile.

        ``last_word``: index of its last word; ``relu``: whether negative results become zero; ``final``: whether the
        results leave the engine; ``end``: whether the tile is the layer's last; ``vector``: which of the vectors in
        flight it belongs to. In a scaling engine: ``opens``, ``closes``: whether it is the first, the last pass of its
        rows; ``factor``, if there are any.
        """
        fields: dict[str, Any] = {"last_word": indices(self.interval), "relu": 1, "final": 1, "end": 1, "vector": 1}
        if self.groups:
            fields |= {"opens": 1, "closes": 1}
        if self.factors:
            fields |= {"factor": FACTOR_BITS}
        return data.StructLayout(fields)


class Drain(wiring.Component):
    """Takes a tile's sums, adds the corrections, applies ReLU, and streams the results in order of their rows.

    Nothing in here stalls: what follows must have room, and tiles must be `DrainConfig.interval` apart.

    Parameters
    ----------
    config
        The size.

    Members
    -------
    start
        In, 1: a tile's sums are valid `LEAD` cycles later.
    tile
        In, `DrainConfig.tile`: valid with `start`.
    sums
        In, ArrayLayout(signed(width), rows): valid `LEAD` cycles after `start`.
    next_correction
        Out, 1: move on to the next word of corrections of the vector `source`.
    rewind
        Out, 1: with `next_correction`, the word was the network's last; the next one is the first.
    source
        Out, 1: with `next_correction`, the vector.
    corrections
        In, ArrayLayout(signed(width), lanes): `LoadableMemory.LATENCY` cycles after the address that holds
        in the cycle of its `next_correction`.
    of
        Out, `DrainConfig.tile`: the tile of the word on `o`.
    o
        Out, stream of `words` (signed(width), lanes): always taken. ``last`` marks the layer's last word.

    Latency: `LATENCY` cycles from `start` to the first word. Throughput: one word a cycle.

    """

    LEAD = LoadableMemory.LATENCY - 1
    """Cycles that the drain hears of a tile before its sums are there, so that they meet their corrections."""
    LATENCY = LoadableMemory.LATENCY + 1
    """The corrections' memory, and the register of the sums that they are added to."""

    start: Signal
    tile: data.View
    sums: data.View
    next_correction: Signal
    rewind: Signal
    source: Signal
    corrections: data.View
    of: data.View
    o: stream.Interface

    def __init__(self, config: DrainConfig):
        self.config = config
        lanes = data.ArrayLayout(signed(config.width), config.lanes)
        super().__init__(
            {
                "start": In(1),
                "tile": In(config.tile),
                "sums": In(data.ArrayLayout(signed(config.width), config.rows)),
                "next_correction": Out(1),
                "rewind": Out(1),
                "source": Out(1),
                "corrections": In(lanes),
                "of": Out(config.tile),
                "o": Out(stream.Signature(words(signed(config.width), config.lanes), always_ready=True)),
            }
        )

    def elaborate(self, platform) -> Module:
        """A shift register of sums, one step behind the addresses of the corrections."""
        m = Module()
        interval, lanes, width = self.config.interval, self.config.lanes, self.config.width
        held, left, running = Signal(self.config.tile), Signal(indices(interval)), Signal()
        tile, last = Signal(self.config.tile), Signal()
        m.d.comb += [
            tile.eq(Mux(self.start, self.tile, held)),
            last.eq(Mux(self.start, self.tile.last_word == 0, left == 1)),
            self.next_correction.eq(self.start | running),
            self.rewind.eq(last & tile.final & tile.end),
            self.source.eq(tile.vector),
        ]
        with m.If(self.next_correction):
            m.d.sync += [
                held.eq(tile),
                left.eq(Mux(self.start, self.tile.last_word, left - 1)),
                running.eq(~last),
            ]

        # The sums are captured when they come, and shifted from then on; a word of them stands beside its correction.
        waiting = Signal(self.config.rows * width, reset_less=True)
        capture = delayed(m, self.start, self.LEAD, "capture")
        m.d.sync += waiting.eq(Mux(capture, self.sums.as_value(), waiting >> lanes * width))
        shown = delayed(m, self.next_correction, LoadableMemory.LATENCY, "shown")
        final_word = delayed(m, last, LoadableMemory.LATENCY, "final_word")
        shown_tile = delayed(m, held, LoadableMemory.LATENCY - 1, "shown_tile")
        m.d.sync += [
            self.o.valid.eq(shown),
            self.o.payload.last.eq(final_word & shown_tile.end),
            self.of.eq(shown_tile),
        ]
        for lane in range(lanes):
            corrected = Signal(signed(width), name=f"corrected_{lane}")
            m.d.comb += corrected.eq(waiting.word_select(lane, width) + self.corrections[lane])
            negative = 0 if self.config.groups else shown_tile.relu & corrected[-1]
            m.d.sync += self.o.payload.data[lane].eq(Mux(negative, 0, corrected))
        return m
