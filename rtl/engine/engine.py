"""The engine: a whole network of ternary layers, from input stream to result stream."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from golden.formats import NORMS
from rtl.array.interface import MacArray
from rtl.array.trit_decoder import TritDecoder
from rtl.engine.config import ARRAYS, EngineConfig
from rtl.engine.drain import Drain
from rtl.engine.intake import Intake
from rtl.engine.norm import Norm
from rtl.engine.norm_config import NormConfig
from rtl.engine.scaling import ScaleStep, Scaling
from rtl.engine.sequencer import Sequencer
from rtl.layouts import LOAD, indices, words
from rtl.memory.activation_buffer import ActivationBuffer
from rtl.memory.factor import FactorMemory
from rtl.memory.loadable import LoadableMemory
from rtl.memory.spram import SpramMemory
from rtl.pipeline import delayed, registered
from rtl.quantiser.quantiser import Quantizer


class _Parts(NamedTuple):
    """What an engine is made of, the memories and the scale step left out."""

    sequencer: Sequencer
    intake: Intake
    quantizer: Quantizer
    buffer: ActivationBuffer
    decoder: TritDecoder
    array: MacArray
    drain: Drain


class _Outlet(NamedTuple):
    """Where results come out, of the drain or of the scale step behind it."""

    o: stream.Interface
    result: Value
    vector: Value
    scales: Sequence[Value] = ()
    """What stands in memory behind the corrections, first bits first."""
    factor: Value | None = None
    """Of the tile that ended `FactorMemory.LATENCY` cycles before."""


class Engine(wiring.Component):
    """Runs the network in its memories on one vector after another.

    Parameters
    ----------
    config
        The limits; see `EngineConfig`.
    init
        Initial contents of the memories, by their names in `golden.formats.MEMORIES` or `NORMS`, as words of the
        image; SPRAM can have none.

    Members
    -------
    i
        In, stream of ArrayLayout(unsigned(8) or signed(8), lanes): input vectors, each as many words as the program
        says; the lanes beyond a vector's end must be 0.
    o
        Out, stream of `words` (signed(result_width), lanes): the last layer's results, each vector's last word
        marked; lanes beyond the last layer's outputs are 0.
    load
        In, stream of `LOAD`: the memory image; ready while no vector is in the engine (never if not writable);
        no input enters in the cycle of a transfer and for the next ``Sequencer.FETCH - 1``.

    Every cycle of a run is known beforehand: `gen.plan.cycles` composes it from the parts' latencies. `o` may stall as
    long as it likes: further vectors' last layers then wait.

    """

    QUEUE_LATENCY = 2
    """Cycles from a result's leaving the drain, or the scale step, to `o`: those of Amaranth's `SyncFIFOBuffered`."""

    i: stream.Interface
    o: stream.Interface
    load: stream.Interface

    def __init__(self, config: EngineConfig, init: Mapping[str, Sequence[int]] | None = None):
        self.config = config
        self.memories: dict[str, LoadableMemory] = {}
        for name, depth in config.depths.items():
            shape = (config.transfers[name], depth, list((init or {}).get(name, ())))
            spram = config.spram and name == "weights"
            self.memories[name] = SpramMemory(*shape) if spram else LoadableMemory(*shape, writable=config.writable)
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(config.element, config.lanes))),
                "o": Out(stream.Signature(words(signed(config.result_width), config.lanes))),
                "load": In(stream.Signature(LOAD)),
            }
        )

    def elaborate(self, platform) -> Module:
        """The parts and what passes between them."""
        m = Module()
        config = self.config
        parts = _Parts(
            sequencer=Sequencer(
                vectors=config.vectors,
                layers=config.layers,
                input_words=config.input_words,
                tiles=-(-max(config.max_hidden, config.max_outputs) // config.rows),
                weight_words=config.weight_words,
                buffer=config.buffer,
                drain=config.drain,
                norms=config.norming is not None,
            ),
            intake=Intake(
                vectors=config.vectors,
                element=config.element,
                input_words=config.input_words,
                quantizer=config.norm.entry if config.norm else config.quantizer,
                buffer=config.buffer,
            ),
            quantizer=Quantizer(config.quantizer),
            buffer=ActivationBuffer(config.buffer),
            decoder=TritDecoder(config.packing, config.rows * config.columns),
            array=ARRAYS[config.array](config.array_config),
            drain=Drain(config.drain),
        )
        for name, part in parts._asdict().items():
            m.submodules[name] = part
        drain = parts.drain
        outlet = _Outlet(drain.o, drain.of.final, drain.of.vector)
        if config.scaling:
            outlet = self._scaled(m, config.scaling, parts.sequencer, parts.intake, parts.quantizer, drain)
        self._vectors(m, parts, outlet)
        self._chunks(m, parts)
        coming = self._tiles(m, parts, outlet.factor)
        self._memories(m, parts.sequencer, drain, parts.decoder, coming, outlet.scales)
        self._results(m, parts.sequencer, outlet)
        return m

    def _vectors(self, m: Module, parts: _Parts, outlet: _Outlet) -> None:
        """Into the quantiser: the network's inputs, and each layer's results; from there into the buffer."""
        config, intake, buffer = self.config, parts.intake, parts.buffer
        sequencer, quantizer = parts.sequencer, parts.quantizer
        wiring.connect(m, wiring.flipped(self.i), intake.i)
        if config.norm:
            self._normed(m, config.norm, parts)
        else:
            wiring.connect(m, intake.o, quantizer.i)
        turn = Signal()
        m.d.comb += [
            intake.results.valid.eq(outlet.o.valid & ~outlet.result),
            intake.results.payload.last.eq(outlet.o.payload.last),
            intake.vector.eq(outlet.vector),
            # A change of the program must be read before the next vector enters.
            intake.open.eq(sequencer.prepared & ~sequencer.restart),
            intake.last_input.eq(sequencer.last_input),
            intake.freed.eq(sequencer.clear[config.vectors :]),
            buffer.i.valid.eq(quantizer.o.valid),
            buffer.i.payload.data.eq(quantizer.o.payload.data),
            buffer.i.payload.last.eq(quantizer.o.payload.last),
            buffer.into.eq(quantizer.o.payload.channel),
            quantizer.o.ready.eq(1),
        ]
        for lane in range(config.lanes):
            m.d.comb += intake.results.payload.data[lane].eq(outlet.o.payload.data[lane])
        with m.If(quantizer.o.payload.channel == config.vectors):
            m.d.comb += buffer.into.eq(config.vectors + turn)
            if config.vectors > 1:
                m.d.sync += turn.eq(turn ^ (quantizer.o.valid & quantizer.o.payload.last))

    def _normed(self, m: Module, config: NormConfig, parts: _Parts) -> None:
        """The norms between the intake and the quantiser."""
        sequencer = parts.sequencer
        m.submodules.norm = norm = Norm(config, parts.quantizer.config)
        wiring.connect(m, parts.intake.o, norm.i)
        wiring.connect(m, norm.o, parts.quantizer.i)
        m.d.comb += [
            norm.elements.eq(sequencer.elements),
            Value.cast(norm.gains).eq(self.memories[NORMS].data),
            self.memories[NORMS].address.eq(norm.gain),
        ]
        for channel in range(self.config.vectors + 1):
            m.d.comb += norm.first_gains[channel].eq(sequencer.first_gains[channel])

    def _chunks(self, m: Module, parts: _Parts) -> None:
        """Addresses go to the memories now, activations and weights reach the array together."""
        sequencer, buffer, array = parts.sequencer, parts.buffer, parts.array
        latency = self.config.chunk_latency
        control = Cat(sequencer.issue, sequencer.first, sequencer.last)
        m.d.comb += [
            buffer.region.eq(sequencer.region),
            buffer.address.eq(sequencer.chunk),
            sequencer.begun.eq(buffer.begun),
            sequencer.whole.eq(buffer.whole),
            sequencer.written.eq(buffer.written),
            sequencer.waiting.eq(parts.intake.waiting),
            array.activations.eq(buffer.chunk),
            Value.cast(array.weights).eq(Value.cast(parts.decoder.o)),
            Cat(array.valid, array.first, array.last).eq(delayed(m, control, latency, "chunk")),
        ]

    def _tiles(self, m: Module, parts: _Parts, factor: Value | None) -> Value:
        """The drain hears of a tile `Drain.LEAD` cycles before its sums; what it will hear a cycle later."""
        sequencer, drain = parts.sequencer, parts.drain
        # The register while a factor is read is there without factors, too: all engines have one latency.
        ended = Cat(sequencer.issue & sequencer.last, sequencer.tile)
        tile = delayed(m, ended, FactorMemory.LATENCY, "tile_ended")
        if factor is not None:
            tile = Cat(tile[: -len(factor)], factor)
        coming = delayed(m, tile, self.config.drain_latency - FactorMemory.LATENCY - 1, "tile")
        m.d.comb += [
            Cat(drain.start, drain.tile).eq(registered(m, coming, "tile_at_drain")),
            drain.sums.eq(parts.array.sums),
        ]
        return coming

    def _results(self, m: Module, sequencer: Sequencer, outlet: _Outlet) -> None:
        """The queue in front of `o`, with room for all vectors whose last layer may have started."""
        # It counts its output register, which a burst of words does not find free at once.
        depth = self.config.vectors * self.config.result_words + 1
        m.submodules.results = results = SyncFIFOBuffered(width=self.o.payload.shape().size, depth=depth)
        m.d.comb += [
            results.w_en.eq(outlet.o.valid & outlet.result),
            results.w_data.eq(outlet.o.payload),
            self.o.valid.eq(results.r_rdy),
            Value.cast(self.o.payload).eq(results.r_data),
            results.r_en.eq(self.o.ready),
            sequencer.left.eq(self.o.valid & self.o.ready & self.o.payload.last),
        ]

    def _scaled(
        self, m: Module, scaling: Scaling, sequencer: Sequencer, intake: Intake, quantizer: Quantizer, drain: Drain
    ) -> _Outlet:
        """The scale step behind the drain, and what groups of activations need."""
        m.submodules.scaling = step = ScaleStep(scaling, drain.config)
        wiring.connect(m, drain.o, step.i)
        m.d.comb += step.of.eq(drain.of)
        mantissas = step.mantissas.as_value()
        if not scaling.factors:
            return _Outlet(step.o, step.result, step.vector, (mantissas,))
        m.submodules.factors = factors = FactorMemory(
            vectors=self.config.vectors, groups=scaling.groups, buffer=self.config.buffer
        )
        m.d.comb += [
            factors.factor.eq(quantizer.factor),
            factors.region.eq(sequencer.region),
            factors.group.eq(sequencer.group),
            intake.marks.eq(step.o_marks),
            intake.last_segment.eq(sequencer.last_segment),
            intake.last_inner.eq(sequencer.last_inner),
        ]
        return _Outlet(step.o, step.result, step.vector, (mantissas, step.marks), factors.value)

    def _memories(
        self, m: Module, sequencer: Sequencer, drain: Drain, decoder: TritDecoder, coming: Value, scales
    ) -> None:
        """The memories, their addresses, and the load port.

        `coming` is what the drain will hear a cycle later, `scales` what stands behind the corrections.
        """
        # Each vector in flight goes through the corrections at its own pace.
        shape = indices(self.config.correction_words)
        corrections = Array(Signal(shape, name=f"correction_{vector}") for vector in range(self.config.vectors))
        correction = Signal(shape)
        following = Mux(drain.rewind, 0, correction + 1)
        with m.If(drain.next_correction):
            m.d.sync += [correction.eq(following), corrections[drain.source].eq(following)]
        starts, tile = coming[0], drain.tile.shape()(coming[1:])
        with m.If(starts & (tile.vector != drain.source)):
            m.d.sync += correction.eq(corrections[tile.vector])
        weight = delayed(m, sequencer.weight, self.config.chunk_latency - LoadableMemory.LATENCY, "weight")
        m.d.comb += [
            self.memories["program"].address.eq(sequencer.layer),
            self.memories["corrections"].address.eq(correction),
            self.memories["weights"].address.eq(weight),
            Value.cast(sequencer.program).eq(self.memories["program"].data),
            Cat(drain.corrections.as_value(), *scales).eq(self.memories["corrections"].data),
            decoder.i.eq(self.memories["weights"].data),
        ]
        load = self.load.payload
        for number, (name, memory) in enumerate(self.memories.items()):
            m.submodules[name] = memory
            m.d.comb += [
                memory.load_address.eq(load.address),
                memory.load_data.eq(load.data),
                memory.load_last.eq(load.last),
                memory.load_valid.eq(self.load.valid & self.load.ready & (load.memory == number)),
            ]
        if self.config.writable:
            m.d.comb += self.load.ready.eq(sequencer.idle)
        m.d.comb += sequencer.restart.eq(self.load.valid & self.load.ready)
