"""The walk through the array unit's steps: tile by tile, digit by digit, chunk by chunk."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices
from rtl.transformer.config import DecoderConfig
from rtl.transformer.digit_cache import CacheConfig
from rtl.transformer.kinds import Result, Source
from rtl.transformer.steps import Steps


class ArrayWalk(wiring.Component):
    """Names what the array takes in each cycle.

    A tile has a pass for each digit, the highest first, through all of its chunks; a cycle between two passes is for
    the sums, which triple. Its last chunk waits until it has had the cycles in which its sums leave, so that a step's
    cycles depend on nothing but the step.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    step
        In, stream of `Steps.array`.
    place
        In, `Steps.place`: steady while there is a step.
    rewind
        In, 1: the next weights are the first. No step is at work then.
    issue
        Out, 1: a chunk starts in this cycle.
    first, last
        Out, 1: it is the first, the last of its tile.
    triple
        Out, 1: what the tile has summed up so far triples; no chunk starts.
    final
        Out, 1: the chunk's tile is the last of its step.
    weights
        Out, 1: trits come from the weight memory.
    weight
        Out: the address of the chunk's weights.
    key, value
        Out: addresses in the caches; `CacheConfig.nothing` of that which the step does not read.
    activation
        Out: the address of the chunk's activations.

    The first chunk starts `START` cycle after its step's acceptance.

    """

    START = 1

    step: stream.Interface
    place: data.View
    rewind: Signal
    issue: Signal
    first: Signal
    last: Signal
    triple: Signal
    final: Signal
    weights: Signal
    weight: Signal
    key: Signal
    value: Signal
    activation: Signal

    def __init__(self, config: DecoderConfig):
        self.config, self.steps = config, Steps(config)
        self.keys, self.values = CacheConfig.keys(config), CacheConfig.values(config)
        flags = dict.fromkeys(("issue", "first", "last", "triple", "final", "weights"), Out(1))
        super().__init__(
            {
                "step": In(stream.Signature(self.steps.array)),
                "place": In(self.steps.place),
                "rewind": In(1),
                **flags,
                "weight": Out(indices(config.linear_words + config.head_words)),
                "key": Out(self.keys.address),
                "value": Out(self.values.address),
                "activation": Out(self.steps.activation),
            }
        )

    @staticmethod
    def interval(config: DecoderConfig, result: Result) -> int:
        """Cycles in which a tile's sums leave."""
        return config.rows // (config.choices if result is Result.LOGIT else config.lanes)

    @classmethod
    def tile(cls, config: DecoderConfig, result: Result, *, chunks: int, planes: int) -> int:
        """Cycles of a tile."""
        return max(planes * (chunks + 1) - 1, cls.interval(config, result))

    @classmethod
    def rest(cls, config: DecoderConfig, result: Result) -> int:
        """Cycles that the walk waits behind a step's last chunk."""
        return cls.interval(config, result) - cls.interval(config, Result.RAW)

    def elaborate(self, platform) -> Module:
        """Counters that run down to 0: of chunks, digits and tiles, and of cycles until a tile may end."""
        m = Module()
        step = self.step.payload
        held, active = Signal(self.steps.array), Signal()
        chunk, plane, tile = Signal(self.steps.chunk), Signal.like(held.planes), Signal(self.steps.tile)
        chunks, tiles = Signal(self.steps.chunk), Signal(self.steps.tile)
        spare = Signal(indices(self.config.rows))  # cycles until the last chunk of a tile may start
        pass_end, closing, end, accept = Signal(), Signal(), Signal(), Signal()
        slow, usual = (self.interval(self.config, result) for result in (Result.LOGIT, Result.RAW))
        m.d.comb += [
            closing.eq((chunk == 0) & (plane == 0)),
            self.issue.eq(active & ~self.triple & (~closing | (spare == 0))),
            pass_end.eq(self.issue & (chunk == 0)),
            self.last.eq(self.issue & closing),
            self.final.eq(tile == 0),
            end.eq(self.last & self.final),
            accept.eq(self.step.valid & self.step.ready),
            chunks.eq(Mux(step.by_chunks, self.place.chunk, step.chunks)),
            tiles.eq(Mux(step.by_tiles, self.place.tile, step.tiles)),
            self.weights.eq(held.source == Source.WEIGHTS),
        ]
        # Logits leave slowly, and the next step's first tile might end before the last of them are out.
        lingers = (held.result == Result.LOGIT) if slow > usual else Const(0, 1)
        m.d.comb += self.step.ready.eq(Mux(active, end & ~lingers, spare == 0))
        with m.If(self.issue):
            m.d.sync += [chunk.eq(Mux(pass_end, held.chunks, chunk - 1)), self.first.eq(0)]
        m.d.sync += self.triple.eq(pass_end & (plane != 0))
        with m.If(self.triple):
            m.d.sync += plane.eq(plane - 1)
        with m.If(spare != 0):
            m.d.sync += spare.eq(spare - 1)
        with m.If(self.last):
            m.d.sync += [tile.eq(tile - 1), plane.eq(held.planes), self.first.eq(~self.final)]
            m.d.sync += spare.eq(Mux(lingers, slow - 1, usual - 1))
        with m.If(end):
            m.d.sync += [active.eq(0), spare.eq(Mux(lingers, slow - usual - 1, 0))]
        with m.If(accept):
            m.d.sync += [active.eq(1), held.eq(step), held.chunks.eq(chunks), self.first.eq(1)]
            m.d.sync += [chunk.eq(chunks), plane.eq(step.planes), tile.eq(tiles)]
            m.d.sync += spare.eq(Mux(step.result == Result.LOGIT, slow - 1, usual - 1))
        self._addresses(m, accept, pass_end, held)
        return m

    def _addresses(self, m: Module, accept: Signal, pass_end: Signal, held: data.View) -> None:
        """Weights run on from step to step; a cache's words from its region's first."""
        step, keys, values = self.step.payload, self.keys, self.values
        cached = Signal(max(keys.address, values.address, key=len))
        bases = [Array(index * cache.words for index in range(cache.regions)) for cache in (keys, values)]
        behind = Signal(range(values.digit_step + 1))  # from a pass's last word to the next one's first
        m.d.comb += [
            self.key.eq(Mux(held.source == Source.KEYS, cached, keys.nothing)),
            self.value.eq(Mux(held.source == Source.VALUES, cached, values.nothing)),
        ]
        with m.If(self.issue):
            m.d.sync += [
                self.activation.eq(Mux(pass_end, held.activations, self.activation + 1)),
                cached.eq(cached + Mux(pass_end, behind, 1)),
            ]
        with m.If(self.issue & self.weights):
            m.d.sync += self.weight.eq(self.weight + 1)
        with m.If(accept):
            is_value = step.source == Source.VALUES
            m.d.sync += [
                self.activation.eq(step.activations),
                cached.eq(Mux(is_value, bases[1][step.region], bases[0][step.region])),
                behind.eq(Mux(is_value, values.digit_step - self.place.chunk, 1)),
            ]
        with m.If(self.rewind):
            m.d.sync += self.weight.eq(0)
