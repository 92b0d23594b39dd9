"""The decoder: a whole language model, from token to logits and to the choice of the next one."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.formats import LOAD_WIDTH
from rtl.layouts import ACTIVATION, indices, words
from rtl.memory.loadable import LoadableMemory
from rtl.transformer.array_unit import ArrayUnit
from rtl.transformer.config import DecoderConfig
from rtl.transformer.element_lanes import ElementLanes
from rtl.transformer.kinds import Result
from rtl.transformer.noise import STATE_BITS
from rtl.transformer.quantiser_lanes import QuantiserLanes
from rtl.transformer.result_lanes import ResultLanes
from rtl.transformer.sampler import Sampler
from rtl.transformer.scalar_unit import ScalarUnit
from rtl.transformer.scale_memory import ScaleMemory
from rtl.transformer.sequencer import UNITS, Sequencer
from rtl.transformer.steps import Steps
from rtl.transformer.vector_memory import VectorMemory

MEMORIES: Final = ("program", "weights", "gains", "rotations", "constants")
"""What a model's image consists of, in the order of the load port's numbers."""

_SCALARS, _ELEMENTS, _QUANTISER = range(3)
"""Readers of the result lanes' peaks; the first and the last but one, of the element lanes'."""


class Decoder(wiring.Component):
    """Runs the model in its memories on one token after another.

    Parameters
    ----------
    config
        The model's sizes, and the fold.
    entries
        Entries of the program.
    init
        Initial contents of the memories, by their names in `MEMORIES`; what is left out is zero.
    writable
        Whether the memories can be loaded.

    Members
    -------
    token
        In, stream of `Sequencer.token_layout`.
    temperature
        In, `DecoderConfig.scalar`: one over it; a mantissa of 0 chooses the likeliest token. Steady while not `idle`.
    seed
        In, 32: the sampler's first state, taken with a sequence's first token.
    choice
        Out, stream of a token: of each token that asked for one. The next one is only taken behind it.
    logits
        Out, stream of `words` (signed(`Widths.logit_sum`), lanes), always ready: for whoever wants to see them.
    idle
        Out, 1: no token is at work.
    saturated
        Out, 32: elements of the residual that were cut to its width, since the last reset.
    load
        In, stream of `load_layout`: the image; ready while `idle`.

    Every cycle is known beforehand: `gen.transformer.cycles` composes them from the parts' timing.

    """

    token: stream.Interface
    temperature: data.View
    seed: Signal
    choice: stream.Interface
    logits: stream.Interface
    idle: Signal
    saturated: Signal
    load: stream.Interface

    def __init__(
        self, config: DecoderConfig, entries: int, init: Mapping[str, Sequence[int]] | None = None, *, writable=True
    ):
        self.config, self.steps, self.writable = config, Steps(config), writable
        image = {name: list((init or {}).get(name, ())) for name in MEMORIES}
        entry = self.steps.entry.size
        transfers = tuple(min(LOAD_WIDTH, entry - at) for at in range(0, entry, LOAD_WIDTH))
        self.program = LoadableMemory(transfers, entries, image["program"], writable=writable)
        self.sequencer = Sequencer(config, entries)
        self.array = ArrayUnit(config, image["weights"], writable=writable)
        self.results = ResultLanes(config, 3)
        self.elements = ElementLanes(config, image["gains"], image["rotations"], writable=writable)
        self.quantiser = QuantiserLanes(config)
        self.scalars = ScalarUnit(config, image["constants"], writable=writable)
        self.sampler = Sampler(config)
        super().__init__(
            {
                "token": In(stream.Signature(Sequencer.token_layout(config))),
                "temperature": In(config.scalar),
                "seed": In(STATE_BITS),
                "choice": Out(stream.Signature(indices(config.shape.vocabulary))),
                "logits": Out(
                    stream.Signature(words(signed(config.widths.logit_sum), config.lanes), always_ready=True)
                ),
                "idle": Out(1),
                "saturated": Out(32),
                "load": In(stream.Signature(self.load_layout())),
            }
        )

    @staticmethod
    def load_layout() -> data.StructLayout:
        """A transfer: ``data`` for word ``address`` of memory ``memory``, ``last`` of that word; as `LOAD`."""
        return data.StructLayout({"data": LOAD_WIDTH, "address": 24, "last": 1, "memory": range(len(MEMORIES))})

    def elaborate(self, platform) -> Module:
        """The parts and what passes between them."""
        m = Module()
        parts: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("program", "sequencer", "array", "results", "elements", "quantiser", "scalars", "sampler")
        }
        for name, part in parts.items():
            m.submodules[name] = part
            if hasattr(part, "place") and part is not self.sequencer:
                m.d.comb += part.place.eq(self.sequencer.place)
        self._steps(m)
        self._residual(m)
        self._results(m)
        self._vectors(m)
        self._scalars(m)
        self._choice(m)
        self._load(m)
        return m

    def _steps(self, m: Module) -> None:
        """The sequencer, its program, and the units."""
        sequencer = self.sequencer
        units = [getattr(self, unit) for unit in UNITS]
        connect(m, flipped(self.token), sequencer.token)
        connect(m, sequencer.embedding, self.array.token)
        for name, unit in zip(UNITS, units, strict=True):
            connect(m, getattr(sequencer, name), unit.step)
        choosing = Signal()
        with m.If(sequencer.begin):
            m.d.sync += choosing.eq(self.token.payload.sample)
        with m.Elif(self.choice.valid & self.choice.ready):
            m.d.sync += choosing.eq(0)
        m.d.comb += [
            self.program.address.eq(sequencer.address),
            Value.cast(sequencer.entry).eq(self.program.data),
            sequencer.busy.eq(Cat(*(unit.busy for unit in units), self.array.more)),
            sequencer.others.eq(choosing),
            sequencer.reading.eq(self.array.reading),
            self.array.rewind.eq(sequencer.begin),
            self.array.finished.eq(self.results.finished),
            self.idle.eq(sequencer.idle),
        ]

    def _residual(self, m: Module) -> None:
        """Written by the embedding's reader and the result lanes, read by these and the element lanes."""
        config, results, elements, embedding = self.config, self.results, self.elements, self.array.embedding
        shape = signed(config.form.residual_bits)
        m.submodules.residual = memory = VectorMemory(shape, config.lanes, config.words(config.shape.hidden))
        m.d.comb += [
            memory.address.eq(Mux(elements.x_reading, elements.x_address, results.x_address)),
            elements.x.eq(memory.word),
            results.x.eq(memory.word),
            memory.write.valid.eq(results.x_write.valid | embedding.valid),
            memory.write.payload.eq(results.x_write.payload),
        ]
        with m.If(embedding.valid):
            m.d.comb += [
                memory.write.payload.address.eq(embedding.payload.address),
                memory.write.payload.data.eq(embedding.payload.data),
            ]

    def _results(self, m: Module) -> None:
        """The memory of results, and that of gates and of what stands beside them."""
        config, results, elements, quantiser = self.config, self.results, self.elements, self.quantiser
        connect(m, self.array.o, results.sums)
        m.submodules.result_memory = memory = VectorMemory(signed(config.result), config.lanes, len(self.steps.result))
        connect(m, results.s_write, memory.write)
        m.d.comb += [
            memory.address.eq(Mux(elements.s_reading, elements.s_address, quantiser.address)),
            elements.s.eq(memory.word),
            quantiser.s.eq(memory.word),
        ]
        inner = config.words(config.shape.intermediate)
        for name, target in (("gate", elements.gate), ("up", elements.up)):
            m.submodules[f"{name}_memory"] = hidden = VectorMemory(ACTIVATION, config.lanes, inner)
            connect(m, getattr(quantiser, name), hidden.write)
            m.d.comb += [hidden.address.eq(elements.hidden_address), target.eq(hidden.word)]

    def _vectors(self, m: Module) -> None:
        """From the element lanes through the quantiser to the array."""
        config, results, elements, quantiser = self.config, self.results, self.elements, self.quantiser
        m.submodules.vectors = memory = VectorMemory(signed(config.vector), config.lanes, len(self.steps.result))
        connect(m, elements.y_write, memory.write)
        for name in ("activations", "keys", "values"):
            connect(m, getattr(quantiser, name), getattr(self.array, name))
        m.d.comb += [
            memory.address.eq(quantiser.address),
            quantiser.y.eq(memory.word),
            results.peak_address[_QUANTISER].eq(quantiser.peak_address),
            quantiser.s_peak.eq(results.peak[_QUANTISER]),
            elements.peak_address[1].eq(quantiser.peak_address),
            quantiser.y_peak.eq(elements.peak[1]),
            results.peak_address[_ELEMENTS].eq(elements.scores_address),
            elements.largest.eq(results.peak[_ELEMENTS]),
        ]

    def _scalars(self, m: Module) -> None:
        """The scalar unit's operands, and who reads its registers and the scales of keys and values."""
        results, elements, quantiser, scalars = self.results, self.elements, self.quantiser, self.scalars
        m.d.comb += [
            results.peak_address[_SCALARS].eq(scalars.peak_address),
            scalars.result_peak.eq(results.peak[_SCALARS]),
            elements.peak_address[0].eq(scalars.peak_address),
            scalars.element_peak.eq(elements.peak[0]),
            elements.sum_address.eq(scalars.peak_address),
            scalars.sum.eq(elements.sum),
            scalars.temperature.eq(self.temperature),
            scalars.register_address.eq(results.register_address),
            results.register.eq(scalars.register),
            scalars.limit_address.eq(quantiser.register_address),
            quantiser.register.mantissa.eq(scalars.limit),
            elements.exponent_peaks.eq(scalars.exponent_peaks),
        ]
        for name, made, address, read in (
            ("key_scales", scalars.key_scale, results.key_scales_address, results.key_scales),
            ("value_scales", scalars.value_scale, elements.value_scales_address, elements.value_scales),
        ):
            m.submodules[name] = memory = ScaleMemory(self.config)
            m.d.comb += [
                memory.write.valid.eq(made.valid),
                memory.write.payload.region.eq(made.payload.region),
                memory.write.payload.position.eq(self.sequencer.place.position),
                memory.write.payload.scalar.eq(made.payload.scalar),
                memory.address.eq(address),
                read.eq(memory.scalars),
            ]

    def _choice(self, m: Module) -> None:
        """Logits to the sampler and outside, the choice outside."""
        results, sampler, sums = self.results, self.sampler, self.array.o
        greedy = self.temperature.mantissa == 0
        connect(m, results.logits, sampler.logits)
        m.d.comb += [
            self.choice.valid.eq(sampler.choice.valid),
            self.choice.payload.eq(sampler.choice.payload.token),
            sampler.choice.ready.eq(self.choice.ready),
            results.greedy.eq(greedy),
            sampler.greedy.eq(greedy),
            sampler.start.eq(self.sequencer.begin & self.token.payload.first),
            sampler.seed.eq(self.seed),
            self.saturated.eq(results.saturated),
            self.logits.valid.eq(sums.valid & (sums.payload.step.result == Result.LOGIT)),
            self.logits.payload.last.eq(sums.payload.last),
        ]
        for lane in range(self.config.lanes):
            m.d.comb += self.logits.payload.data[lane].eq(sums.payload.data[lane])

    def _load(self, m: Module) -> None:
        """Each transfer to its memory."""
        load = self.load.payload
        flags = (
            self.program.load_valid,
            self.array.load_valid,
            self.elements.load_gains,
            self.elements.load_rotations,
            self.scalars.load_valid,
        )
        for number, flag in enumerate(flags):
            m.d.comb += flag.eq(self.load.valid & self.load.ready & (load.memory == number))
        for part in (self.program, self.array, self.elements, self.scalars):
            m.d.comb += [
                part.load_address.eq(load.address),
                part.load_data.eq(load.data),
                part.load_last.eq(load.last),
            ]
        if self.writable:
            m.d.comb += self.load.ready.eq(self.idle & ~self.token.valid)
