"""The element lanes: gains, squares, rotation and softmax's powers of two, between the array and the quantiser."""

from collections.abc import Mapping
from typing import Any, Final

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices, levels
from rtl.pipeline import delayed, registered
from rtl.selection import selected
from rtl.transformer.config import EXPONENT, DecoderConfig
from rtl.transformer.element_factors import ElementFactors
from rtl.transformer.element_pipeline import ElementPipeline
from rtl.transformer.element_sums import ElementSums
from rtl.transformer.kinds import Element
from rtl.transformer.peak_memory import PeakMemory
from rtl.transformer.scale_memory import ScaleMemory
from rtl.transformer.steps import Steps
from rtl.transformer.timing import Timing
from rtl.transformer.vector_memory import VectorMemory
from rtl.transformer.word_walk import WordWalk, last_in_chunks


class ElementLanes(wiring.Component):
    """Steps of `Steps.element`, a word of L elements a cycle, to the memory of vectors in front of the quantiser.

    ``NORM``: ``y = x·g``, shifted to `LanguageFormat.quantiser_bits`, rounded to nearest, ties upwards; the sum is of
    squares of x, and begins with `DecoderConfig.epsilon`. ``CONTEXT_NORM``: the same of results, from ``source`` on;
    the sum begins with 0. ``HIDDEN_NORM``: the same of relu²(gate)·up. All three take the next gains.
    ``ROTATE``: the halves of a head, from ``source`` on, turned by the angles of the token's position; a word takes
    two cycles, and gives one of either half. ``POWERS``: ``e = 2**(score - largest score)`` of the tokens so far, 0
    beyond, times their values' scales, which are aligned to the head's largest exponent; the sum is of e.

    Parameters
    ----------
    config
        The decoder.
    gains, rotations, writable
        As of `ElementFactors`.

    Members
    -------
    step
        In, stream of `Steps.element`.
    busy
        Out, 1: something of a step that was accepted cannot be seen yet.
    place
        In, `Steps.place`: of the token at hand.
    x_reading, x_address, x
        Out, Out, In: whether a word of the residual is read, which, and that word, `VectorMemory.LATENCY` cycles later.
    s_reading, s_address, s
        Out, Out, In: the same of results.
    hidden_address, gate, up
        Out, In, In: a word of either, as late.
    scores_address, largest
        Out, In: the largest score of a softmax, `PeakMemory.LATENCY` cycle later.
    value_scales_address, value_scales
        Out, In: a word of scales of values, `ScaleMemory.LATENCY` cycles later.
    exponent_peaks
        In, ArrayLayout of `EXPONENT`: for each of the block's key heads, the largest exponent of a value so far; steady
        while busy.
    y_write
        Out, stream of `y_layout`, always ready: words for the memory of vectors.
    peak_address, peak, sum_address, sum
        As of `ElementSums`: by the step's ``peak``, what was found about its vector.
    load_gains, load_rotations, load_address, load_data, load_last
        In: as of `ElementFactors`.

    Latency and throughput: `timing`.

    """

    _LEAD: Final = ElementPipeline.LATENCY - ElementPipeline.SQUARE_LATENCY
    """Cycles by which squares come before results."""
    _SHIFTED: Final = VectorMemory.LATENCY
    """Cycles from a word's being named to its first operand."""
    _FACTORS: Final = _SHIFTED + ElementPipeline.FACTOR_DELAY - ElementFactors.LATENCY
    """To the address of its second."""

    step: stream.Interface
    busy: Signal
    place: data.View
    x_reading: Signal
    x_address: Signal
    x: data.View
    s_reading: Signal
    s_address: Signal
    s: data.View
    hidden_address: Signal
    gate: data.View
    up: data.View
    scores_address: Signal
    largest: Signal
    value_scales_address: data.View
    value_scales: data.View
    exponent_peaks: data.View
    y_write: stream.Interface
    peak_address: data.View
    peak: data.View
    sum_address: Signal
    sum: Signal
    load_gains: Signal
    load_rotations: Signal
    load_address: Signal
    load_data: Signal
    load_last: Signal

    def __init__(self, config: DecoderConfig, gains: list[int], rotations: list[int], *, writable: bool = True):
        self.config, self.steps = config, Steps(config)
        self._factors = ElementFactors(config, gains, rotations, writable=writable)
        self._pipeline = ElementPipeline(config)
        self._sums = ElementSums(config, len(self._pipeline.squares[0]), self._LEAD)
        self._walk = WordWalk(len(self.steps.word), 2, self.latency(config))
        pipeline, sums = self._pipeline, self._sums
        super().__init__(
            {
                "step": In(stream.Signature(self.steps.element)),
                "busy": Out(1),
                "place": In(self.steps.place),
                "x_reading": Out(1),
                "x_address": Out(indices(config.words(config.shape.hidden))),
                "x": In(pipeline.x.shape()),
                "s_reading": Out(1),
                "s_address": Out(self.steps.result),
                "s": In(pipeline.s.shape()),
                "hidden_address": Out(indices(config.words(config.shape.intermediate))),
                "gate": In(pipeline.gate.shape()),
                "up": In(pipeline.up.shape()),
                "scores_address": Out(self.steps.peak),
                "largest": In(signed(config.widths.score)),
                "value_scales_address": Out(ScaleMemory.place(config)),
                "value_scales": In(pipeline.scales.shape()),
                "exponent_peaks": In(data.ArrayLayout(EXPONENT, config.shape.key_heads)),
                "y_write": Out(stream.Signature(self.y_layout(config), always_ready=True)),
                "peak_address": In(sums.peak_address.shape()),
                "peak": Out(sums.peak.shape()),
                "sum_address": In(sums.sum_address.shape()),
                "sum": Out(sums.sum.shape()),
                "load_gains": In(1),
                "load_rotations": In(1),
                "load_address": In(self._factors.load_address.shape()),
                "load_data": In(self._factors.load_data.shape()),
                "load_last": In(1),
            }
        )

    @staticmethod
    def y_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of what is written to the memory of vectors."""
        return VectorMemory.layout(signed(config.vector), config.lanes, len(Steps(config).result))

    @classmethod
    def latency(cls, config: DecoderConfig) -> int:
        """Cycles from a word's being named to the first in which all that becomes of it can be seen."""
        return cls._SHIFTED + ElementPipeline.SQUARE_LATENCY + ElementSums.latency(config, cls._LEAD)

    @classmethod
    def timing(cls, config: DecoderConfig, step: Mapping[str, Any], chunk: int) -> Timing:
        """Of a step whose fields are given by name, those left out being 0, with the token's `Steps.place` chunk."""
        element = step.get("element", Element.NORM)
        chunk_words = config.columns // config.lanes
        words = chunk_words * (chunk + 1) if element == Element.POWERS else step.get("words", 0) + 1
        return WordWalk.timing(words, 2 if element == Element.ROTATE else 1, cls.latency(config))

    @property
    def _chunk_words(self) -> int:
        return self.config.columns // self.config.lanes

    @property
    def _half(self) -> int:
        return self.config.words(self.config.shape.head // 2)

    def elaborate(self, platform) -> Module:
        """The walk; the operands, by their addresses; what is written, and found out."""
        m = Module()
        m.submodules.walk, m.submodules.factors = self._walk, self._factors
        m.submodules.pipeline, m.submodules.sums = self._pipeline, self._sums
        held = self._held(m)
        word = [self._walk.word]
        for stage in range(self._FACTORS):
            word.append(registered(m, word[-1], f"word_{stage}"))
        self._results(m, held)
        self._operands(m, held, word)
        self._multiplied(m, held, word[self._FACTORS])
        self._written(m, held)
        return m

    def _held(self, m: Module) -> data.View:
        """The step at hand; its addresses go on from word to word."""
        walk, held, step = self._walk, Signal(self.steps.element), self.step.payload
        chunks = registered(m, last_in_chunks(self.place.chunk, self._chunk_words), "chunks")
        m.d.comb += [
            self.step.ready.eq(walk.ready),
            walk.start.eq(self.step.valid & walk.ready),
            walk.last_word.eq(Mux(step.element == Element.POWERS, chunks, step.words)),
            walk.last_beat.eq(step.element == Element.ROTATE),
            self.busy.eq(walk.busy),
        ]
        with m.If(walk.ends):
            m.d.sync += [held.source.eq(held.source + 1), held.target.eq(held.target + 1)]
        with m.If(walk.start):
            m.d.sync += held.eq(step)
        return held

    def _results(self, m: Module, held: data.View) -> None:
        """What is read of results, with what belongs to it: the operation, the largest score, the tokens that count."""
        walk, pipeline, lanes = self._walk, self._pipeline, self.config.lanes
        control = Signal(pipeline.control.shape())
        lane_bits = levels(lanes)
        whole, rest = self.place.position[lane_bits:], self.place.position[:lane_bits]
        m.d.comb += [
            self.s_reading.eq(walk.valid & (held.element != Element.NORM) & (held.element != Element.HIDDEN_NORM)),
            self.s_address.eq(held.source + Mux(walk.beat, self._half, 0)),
            control.element.eq(held.element),
            control.far.eq(walk.beat),
            control.counted.eq(Mux(walk.word < whole, lanes, Mux(walk.word == whole, rest + 1, 0))),
            pipeline.control.eq(control.shape()(delayed(m, control.as_value(), self._SHIFTED, "control"))),
            pipeline.s.eq(self.s),
            self.scores_address.eq(held.scores),
            pipeline.largest.eq(delayed(m, self.largest, self._SHIFTED - PeakMemory.LATENCY, "largest")),
        ]

    def _operands(self, m: Module, held: data.View, word: list[Signal]) -> None:
        """The residual, and what relu²(gate)·up is made of."""
        pipeline, delay = self._pipeline, ElementPipeline.X_DELAY
        reads = self._walk.valid & (held.element == Element.NORM)
        m.d.comb += [
            self.x_reading.eq(delayed(m, reads, delay, "x_reading")),
            self.x_address.eq(word[delay]),
            pipeline.x.eq(self.x),
            self.hidden_address.eq(word[0]),
            pipeline.gate.eq(self.gate),
            pipeline.up.eq(self.up),
        ]

    def _multiplied(self, m: Module, held: data.View, word: Signal) -> None:
        """Gains, angles, and the values' scales, with the exponent that these are aligned to."""
        walk, pipeline, factors, delay = self._walk, self._pipeline, self._factors, self._FACTORS
        norm = (held.element != Element.ROTATE) & (held.element != Element.POWERS)
        region, head = (
            delayed(m, value, delay, name) for value, name in ((held.region, "region"), (held.head, "head"))
        )
        largest = selected([*self.exponent_peaks], head)
        m.d.comb += [
            factors.rewind.eq(delayed(m, walk.first & held.rewind, delay - 1, "rewind")),
            factors.takes.eq(delayed(m, walk.valid & norm, delay, "takes")),
            factors.position.eq(self.place.position),
            factors.word.eq(word),
            pipeline.gains.eq(factors.gains),
            pipeline.rotations.eq(factors.rotations),
            self.value_scales_address.word.eq(word),
            self.value_scales_address.region.eq(region),
            pipeline.scales.eq(self.value_scales),
            pipeline.largest_exponent.eq(delayed(m, largest, ScaleMemory.LATENCY, "largest_exponent")),
        ]
        for name in ("load_gains", "load_rotations", "load_address", "load_data", "load_last"):
            m.d.comb += getattr(factors, name).eq(getattr(self, name))

    def _written(self, m: Module, held: data.View) -> None:
        """Words to the memory of vectors, their squares and magnitudes to what is found out about them."""
        walk, pipeline, sums = self._walk, self._pipeline, self._sums
        found = Signal(sums.word.shape())
        target = Signal(self.steps.result)
        m.d.comb += [
            found.first.eq(walk.first),
            found.last.eq(walk.last),
            found.epsilon.eq(held.element == Element.NORM),
            found.index.eq(held.peak),
            target.eq(held.target + Mux(walk.beat, self._half, 0)),
        ]
        delay = self._SHIFTED + ElementPipeline.SQUARE_LATENCY
        m.d.comb += [
            sums.word.eq(found.shape()(delayed(m, found.as_value(), delay, "found"))),
            sums.squares.eq(pipeline.squares),
            sums.values.eq(pipeline.y),
            sums.peak_address.eq(self.peak_address),
            self.peak.eq(sums.peak),
            sums.sum_address.eq(self.sum_address),
            self.sum.eq(sums.sum),
        ]
        delay = self._SHIFTED + ElementPipeline.LATENCY
        m.d.comb += [
            self.y_write.valid.eq(delayed(m, walk.valid, delay, "written")),
            self.y_write.payload.address.eq(delayed(m, target, delay, "target", reset_less=True)),
            self.y_write.payload.data.eq(pipeline.y),
        ]
