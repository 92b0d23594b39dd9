"""The quantiser lanes: vectors of results or of the element lanes, divided by their largest magnitudes."""

from collections.abc import Mapping
from typing import Any, Final

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import ACTIVATION_MAX
from rtl.layouts import ACTIVATION, indices
from rtl.pipeline import carried, delayed, registered
from rtl.quantiser.limited import LimitedDivider
from rtl.transformer.activation_memory import ActivationMemory
from rtl.transformer.array_walk import ArrayWalk
from rtl.transformer.config import DecoderConfig
from rtl.transformer.digit_writer import DigitWriter
from rtl.transformer.kinds import Limit, Target
from rtl.transformer.peak_memory import PeakMemory
from rtl.transformer.steps import Steps
from rtl.transformer.timing import Timing
from rtl.transformer.vector_memory import VectorMemory
from rtl.transformer.word_walk import WordWalk, last_in_chunks

_CACHED = (Target.KEYS, Target.VALUES)


class QuantiserLanes(wiring.Component):
    """Steps of `Steps.quantise`: ``RNE(limit·a / m)``, exact, ties to even, a word of L elements a cycle.

    m is the vector's largest magnitude, or 1 where that is 0. Words of keys and values go out one in as many cycles as
    they have digits. A vector for the array begins with a chunk's first word.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    step
        In, stream of `Steps.quantise`: of a whole vector, of which none has fewer words than a head, a chunk, or the
        vector inside the feed-forward network.
    busy
        Out, 1: something of a step that was accepted cannot be seen yet.
    place
        In, `Steps.place`: of the token at hand.
    address, s, y
        Out, In, In: the word to read, and that word of results and of vectors, `VectorMemory.LATENCY` cycles later.
    peak_address, s_peak, y_peak
        Out, In, In: the number of a largest magnitude, and those of either memory, `PeakMemory.LATENCY` cycle later.
    register_address, register
        Out, In: a register of the scalar unit, a cycle later.
    activations
        Out, stream of `ActivationMemory.word`, always ready: words for the array.
    keys, values
        Out, streams of `DigitWriter.word`, always ready: words for the caches.
    gate, up
        Out, streams of `hidden_layout`, always ready: words for the memories in front of relu²(gate)·up.

    Latency: `LATENCY` cycles from a word's being read until it goes out. Throughput: `timing`.

    """

    _READ: Final = VectorMemory.LATENCY + 1
    """Cycles from a word's address to its magnitudes."""

    step: stream.Interface
    busy: Signal
    place: data.View
    address: Signal
    s: data.View
    y: data.View
    peak_address: Signal
    s_peak: Signal
    y_peak: Signal
    register_address: Signal
    register: data.View
    activations: stream.Interface
    keys: stream.Interface
    values: stream.Interface
    gate: stream.Interface
    up: stream.Interface

    def __init__(self, config: DecoderConfig):
        self.config, self.steps = config, Steps(config)
        self._divider = LimitedDivider(config.lanes, config.vector - 1)
        latency, settling = self.latency(config), self._settling(config)
        self._walk = WordWalk(len(self.steps.word), max(self._paces(config)), latency + 1, settling)

        def words(bits: int) -> Any:
            return In(data.ArrayLayout(signed(bits), config.lanes))

        def writes(layout: data.StructLayout) -> Any:
            return Out(stream.Signature(layout, always_ready=True))

        super().__init__(
            {
                "step": In(stream.Signature(self.steps.quantise)),
                "busy": Out(1),
                "place": In(self.steps.place),
                "address": Out(self.steps.result),
                "s": words(config.result),
                "y": words(config.vector),
                "peak_address": Out(self.steps.peak),
                "s_peak": In(signed(config.result)),
                "y_peak": In(config.vector - 1),
                "register_address": Out(self.steps.register),
                "register": In(config.scalar),
                "activations": writes(ActivationMemory.word(config)),
                "keys": writes(DigitWriter.word(config)),
                "values": writes(DigitWriter.word(config)),
                "gate": writes(self.hidden_layout(config)),
                "up": writes(self.hidden_layout(config)),
            }
        )

    @staticmethod
    def hidden_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of a word of gates, or of what stands beside them."""
        return VectorMemory.layout(ACTIVATION, config.lanes, config.words(config.shape.intermediate))

    @classmethod
    def latency(cls, config: DecoderConfig) -> int:
        """Cycles from a word's being read until it goes out."""
        return cls._READ + LimitedDivider.latency(config.vector - 1)

    @staticmethod
    def _settling(config: DecoderConfig) -> int:
        """An activation is seen a cycle later; a cache takes so many more, most of which are a word's own."""
        digits = config.form.key_digits
        return DigitWriter.latency(digits) - ArrayWalk.START - digits

    @classmethod
    def timing(cls, config: DecoderConfig, step: Mapping[str, Any], chunk: int) -> Timing:
        """Of a step whose fields are given by name, those left out being 0, with the token's `Steps.place` chunk."""
        groups = config.columns // config.lanes
        words = groups * (chunk + 1) if step.get("by_chunks", 0) else step.get("words", 0) + 1
        target = step.get("target", Target.ACTIVATIONS)
        latency = cls.latency(config) + 1 + (cls._settling(config) if target in _CACHED else 0)
        return WordWalk.timing(words, cls._paces(config)[target], latency)

    @property
    def _groups(self) -> int:
        """Words of a chunk."""
        return self.config.columns // self.config.lanes

    @property
    def _shortest(self) -> int:
        """Cycles of the shortest step."""
        shape = self.config.shape
        return min(self.config.words(shape.head), self.config.words(shape.intermediate), self._groups)

    @staticmethod
    def _paces(config: DecoderConfig) -> list[int]:
        """By target, cycles from word to word."""
        form = config.form
        paces = {Target.KEYS: form.key_digits, Target.VALUES: form.value_digits}
        return [paces.get(target, 1) for target in Target]

    def elaborate(self, platform) -> Module:
        """The walk, what it reads, the divider, and where the quotients go."""
        m = Module()
        m.submodules.walk, m.submodules.divider = self._walk, self._divider
        held = self._held(m)
        self._read(m, held)
        self._divide(m, held)
        self._give(m, held)
        return m

    def _held(self, m: Module) -> data.View:
        """The step at hand; its source goes on from word to word."""
        walk, held, step = self._walk, Signal(self.steps.quantise), self.step.payload
        chunks = registered(m, last_in_chunks(self.place.chunk, self._groups), "chunks")
        m.d.comb += [
            self.step.ready.eq(walk.ready),
            walk.start.eq(self.step.valid & walk.ready),
            walk.last_word.eq(Mux(step.by_chunks, chunks, step.words)),
            walk.last_beat.eq(Array(pace - 1 for pace in self._paces(self.config))[step.target]),
            walk.settles.eq((held.target == Target.KEYS) | (held.target == Target.VALUES)),
            self.busy.eq(walk.busy),
        ]
        with m.If(walk.ends):
            m.d.sync += held.source.eq(held.source + 1)
        with m.If(walk.start):
            m.d.sync += held.eq(step)
        return held

    def _read(self, m: Module, held: data.View) -> None:
        """Words to signs and magnitudes."""
        results = delayed(m, held.results, VectorMemory.LATENCY, "results")
        m.d.comb += [
            self.address.eq(held.source),
            self._divider.enable.eq(1),
        ]
        for lane in range(self.config.lanes):
            value = Signal(signed(self.config.vector), name=f"value_{lane}")
            m.d.comb += value.eq(Mux(results, self.s[lane], self.y[lane]))
            m.d.sync += [
                self._divider.magnitudes[lane].eq(Mux(value < 0, -value, value)),
                self._divider.signs[lane].eq(value < 0),
            ]

    def _divide(self, m: Module, held: data.View) -> None:
        """The vector's divisor and limit, when its words are at the divider."""
        ahead = self._READ - 1 - PeakMemory.LATENCY
        results = delayed(m, held.results, ahead + PeakMemory.LATENCY, "peak_of_results")
        limit = delayed(m, held.limit, ahead + PeakMemory.LATENCY, "limit")
        peak = Mux(results, self.s_peak[: len(self.y_peak)], self.y_peak)
        kinds = {
            Limit.ACTIVATION: ACTIVATION_MAX,
            **dict(zip((Limit.KEY, Limit.VALUE), self.config.limits[1:], strict=True)),
        }
        m.d.comb += [
            self.peak_address.eq(delayed(m, held.peak, ahead, "peak")),
            self.register_address.eq(delayed(m, held.register, ahead, "register")),
        ]
        m.d.sync += self._divider.divisor.eq(peak | ~peak.any())
        with m.Switch(limit):
            for kind, value in kinds.items():
                with m.Case(kind):
                    m.d.sync += self._divider.limit.eq(value)
            with m.Default():
                m.d.sync += self._divider.limit.eq(self.register.mantissa)

    def _give(self, m: Module, held: data.View) -> None:
        """Quotients to their target, which is counted where they come out."""
        walk, ahead = self._walk, self.latency(self.config) - 1
        coming = data.StructLayout({"target": Target, "address": self.steps.activation, "region": self.steps.region})
        fields = Cat(held[name] for name, _ in coming)
        step = coming(carried(m, fields, walk.first, ahead, self._shortest, "step"))
        target, region = Signal.like(step.target), Signal.like(step.region)
        number = Signal(range(max(len(self.steps.activation), len(self.steps.word))))
        group = Signal(indices(self._groups))
        flags = delayed(m, Cat(walk.first, walk.ends, walk.valid & (walk.beat == 0)), ahead, "flags")
        ended, valid = registered(m, flags[1], "ended"), registered(m, flags[2], "valid")
        group_ends = group == self._groups - 1
        with m.If(ended):
            m.d.sync += [
                group.eq(Mux(group_ends, 0, group + 1)),
                number.eq(number + ((target != Target.ACTIVATIONS) | group_ends)),
            ]
        with m.If(flags[0]):
            m.d.sync += [target.eq(step.target), region.eq(step.region), number.eq(step.address), group.eq(0)]
        places = {
            Target.ACTIVATIONS: {"chunk": number, "group": group},
            Target.KEYS: {"word": number, "region": region},
            Target.VALUES: {"word": number, "region": region},
            Target.GATE: {"address": number},
            Target.UP: {"address": number},
        }
        for kind, port in zip(Target, (self.activations, self.keys, self.values, self.gate, self.up), strict=True):
            m.d.comb += [port.valid.eq(valid & (target == kind)), port.payload.data.eq(self._divider.quotients)]
            for name, value in places[kind].items():
                m.d.comb += port.payload[name].eq(value)
