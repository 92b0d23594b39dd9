"""The walk through a layer: tile by tile, in a scaling engine pass by pass, chunk by chunk."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import SEGMENT_FIELDS
from rtl.engine.drain import DrainConfig
from rtl.layouts import indices
from rtl.memory.activation_buffer import BufferConfig

_SPARE = "spare"


class Walk(wiring.Component):
    """Names the chunks of a layer in the order in which the array takes them.

    A tile goes through all chunks once. In a scaling engine it goes through each segment of the inputs, and then the
    side path, as often as there are planes.

    Parameters
    ----------
    tiles
        Most tiles of a layer, 1 to 65536.
    buffer
        The activation buffer.
    drain
        The drain, whose interval keeps tiles apart, or passes.

    Members
    -------
    step
        In, `layer` of these parameters: the layer, with `start`.
    start
        In, 1: there is a layer from the next cycle on, and its first chunk can be read.
    whole
        In, 1: all of its chunks can be read.
    written
        In: otherwise, how many.
    active
        Out, 1: there is a layer.
    issue
        Out, 1: a chunk starts in this cycle.
    first, last
        Out, 1: it is the first, the last of its tile, or its pass.
    chunk
        Out: its number.
    tile
        Out, `DrainConfig.tile`: its tile; ``vector`` and ``factor`` are left out.
    group
        Out: in a scaling engine, the number of the group of inputs that it belongs to.
    finish
        Out, 1: it is the layer's last.

    Throughput: one chunk a cycle, as far as tiles or passes are `DrainConfig.interval` apart; a chunk starts `LOOK`
    cycle after it can be read, or later.

    """

    LOOK = 1
    """The register that says whether the next chunk can be read."""

    step: data.View
    start: Signal
    whole: Signal
    written: Signal
    active: Signal
    issue: Signal
    first: Signal
    last: Signal
    chunk: Signal
    tile: data.View
    group: Signal
    finish: Signal

    def __init__(self, *, tiles: int, buffer: BufferConfig, drain: DrainConfig):
        self.tiles, self.buffer, self.drain = tiles, buffer, drain
        super().__init__(
            {
                "step": In(self.layer(tiles, buffer, drain)),
                "start": In(1),
                "whole": In(1),
                "written": In(buffer.chunk),
                "active": Out(1),
                "issue": Out(1),
                "first": Out(1),
                "last": Out(1),
                "chunk": Out(buffer.chunk),
                "tile": Out(drain.tile),
                "group": Out(indices(drain.groups)),
                "finish": Out(1),
            }
        )

    @staticmethod
    def layer(tiles: int, buffer: BufferConfig, drain: DrainConfig) -> data.StructLayout:
        """What must be known of a layer, by the names of the program's fields."""
        fields = {
            "last_chunk": buffer.chunk,
            "last_tile": indices(tiles),
            "last_drain": indices(drain.interval),
            "relu": 1,
            "final": 1,
        }
        if drain.groups:
            bits = {"last_segment": buffer.chunk, "last_inner": buffer.chunk}
            fields |= {name: bits.get(name, width) for name, width in SEGMENT_FIELDS.items() if name != _SPARE}
        return data.StructLayout(fields)

    def elaborate(self, platform) -> Module:
        """Counters of tiles and chunks. What decides whether a chunk starts, and what it ends, is in flags."""
        m = Module()
        step, tile = Signal(self.step.shape()), Signal(indices(self.tiles))
        # Whether the array's next chunk can be read, the drain can take another tile, the tile is the layer's last,
        # and the pass is the first over its chunks, which may still be coming.
        readable, spaced, last_tile, fresh = Signal(), Signal(init=1), Signal(), Signal()
        apart = Signal(indices(self.drain.interval))  # cycles until the drain can take another tile
        closes, remains_fresh, following = Signal(), Signal(), Signal.like(self.chunk)
        ends, tile_ends = Signal(), Signal()
        m.d.comb += [
            self.issue.eq(self.active & readable & (~self.last | spaced)),
            ends.eq(self.issue & self.last),
            tile_ends.eq(ends & closes),
            self.tile.relu.eq(step.relu),
            self.tile.final.eq(step.final),
            self.tile.end.eq(last_tile & closes),
            self.tile.last_word.eq(Mux(last_tile, step.last_drain, self.drain.interval - 1)),
            self.finish.eq(tile_ends & last_tile),
        ]
        m.d.sync += spaced.eq(~apart[1:].any())
        with m.If(apart != 0):
            m.d.sync += apart.eq(apart - 1)
        with m.If(ends):
            m.d.sync += [apart.eq(self.drain.interval - 1), spaced.eq(self.drain.interval == 1)]
            m.d.sync += fresh.eq(remains_fresh)
        with m.If(tile_ends):
            m.d.sync += [tile.eq(tile + 1), last_tile.eq(tile + 1 == step.last_tile)]
        with m.If(self.issue):
            m.d.sync += self.chunk.eq(following)
        unread = Mux(self.issue, following, self.chunk)
        coming = Mux(ends, remains_fresh, fresh)
        m.d.sync += readable.eq(~coming | self.whole | (self.written != unread))
        with m.If(self.finish):
            m.d.sync += [self.active.eq(0), tile.eq(0)]
        with m.If(self.start):
            m.d.sync += [step.eq(self.step), self.active.eq(1), readable.eq(1), fresh.eq(1)]
            m.d.sync += last_tile.eq(self.step.last_tile == 0)
        if self.drain.groups:
            self._passes(m, step, closes, remains_fresh, following)
            return m
        m.d.comb += [self.first.eq(self.chunk == 0), following.eq(Mux(self.last, 0, self.chunk + 1)), closes.eq(1)]
        with m.If(self.issue):
            m.d.sync += self.last.eq(following == step.last_chunk)
        with m.If(self.start):
            m.d.sync += self.last.eq(self.step.last_chunk == 0)
        return m

    def _passes(self, m: Module, step: data.View, closes: Signal, remains_fresh: Signal, following: Signal) -> None:
        """Which chunk follows which, where a tile is made of passes."""
        begin, end, plane = (Signal.like(signal) for signal in (self.chunk, self.chunk, step.last_plane))
        repeats, side, first_tile = Signal(), Signal(), Signal()
        new_begin = Signal.like(self.chunk)
        # A segment ends after its chunks, or with the inner inputs; the side path with all.
        short = step.last_inner - begin < step.last_segment
        m.d.comb += [
            side.eq(begin > step.last_inner),
            end.eq(Mux(side, step.last_chunk, Mux(short, step.last_inner, begin + step.last_segment))),
            repeats.eq(plane != Mux(side, step.last_side_plane, step.last_plane)),
            closes.eq(~repeats & (end == step.last_chunk)),
            remains_fresh.eq(first_tile & ~repeats & ~closes),
            self.first.eq(self.chunk == begin),
            self.last.eq(self.chunk == end),
            self.tile.opens.eq((begin == 0) & (plane == 0)),
            self.tile.closes.eq(closes),
            new_begin.eq(Mux(repeats, begin, Mux(closes, 0, end + 1))),
            following.eq(Mux(self.last, new_begin, self.chunk + 1)),
        ]
        with m.If(self.issue & self.last):
            m.d.sync += [begin.eq(new_begin), plane.eq(Mux(repeats, plane + 1, 0))]
            with m.If(~repeats):
                m.d.sync += self.group.eq(Mux(closes, 0, self.group + 1))
            with m.If(closes):
                m.d.sync += first_tile.eq(0)
        with m.If(self.start):
            m.d.sync += first_tile.eq(1)
