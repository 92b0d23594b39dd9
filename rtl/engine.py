"""The engine: a whole network of ternary layers, from input stream to result stream."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Module, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from golden.formats import MEMORIES
from rtl.activation_buffer import ActivationBuffer
from rtl.config import ARRAYS, EngineConfig
from rtl.decoder import TritDecoder
from rtl.drain import Drain
from rtl.layouts import LOAD, indices, words
from rtl.loadable_memory import LoadableMemory
from rtl.pipeline import delayed
from rtl.quantizer import Quantizer
from rtl.sequencer import Sequencer


class Engine(wiring.Component):
    """Runs the network in its memories on one vector after another.

    Parameters
    ----------
    config
        The limits; see `EngineConfig`.
    init
        Initial contents of the memories, by their names in `golden.formats.MEMORIES`, as words of the image.

    Members
    -------
    i
        In, stream of ArrayLayout(unsigned(8) or signed(8), lanes): input vectors, each as many words as the program
        says; the lanes beyond a vector's end must be 0.
    o
        Out, stream of `words` (signed(accumulator_width), lanes): the last layer's results, each vector's last word
        marked; lanes beyond the last layer's outputs are 0.
    load
        In, stream of `LOAD`: the memory image; ready while no vector is in the engine (never if not writable);
        no input enters in the cycle of a transfer and for the next `Sequencer.FETCH`.

    Every cycle of a run is known beforehand: `gen.cycles` composes it from the parts' latencies. `o` may stall as long
    as it likes: the next vector's last layer then waits.

    """

    LATENCY_MEMORY = LoadableMemory.LATENCY
    """Cycles from a chunk's start to its arrival at the array."""
    LATENCY_RESULT = 2
    """Cycles from a result's leaving the drain to `o`."""

    i: stream.Interface
    o: stream.Interface
    load: stream.Interface

    def __init__(self, config: EngineConfig, init: Mapping[str, Sequence[int]] | None = None):
        self.config = config
        self.memories = {
            name: LoadableMemory(
                config.transfers[name], config.depths[name], list((init or {}).get(name, ())), writable=config.writable
            )
            for name in MEMORIES
        }
        element = signed(8) if config.input_signed else unsigned(8)
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(element, config.lanes))),
                "o": Out(stream.Signature(words(signed(config.accumulator_width), config.lanes))),
                "load": In(stream.Signature(LOAD)),
            }
        )

    def elaborate(self, platform) -> Module:
        """The parts and what passes between them."""
        m = Module()
        config = self.config
        m.submodules.sequencer = sequencer = Sequencer(
            layers=config.layers,
            input_words=config.quantizer.depth,
            chunks=config.buffer.depth,
            tiles=-(-max(config.max_inputs, config.max_outputs) // config.rows),
            weight_words=config.weight_words,
            drain=config.drain,
        )
        m.submodules.quantizer = quantizer = Quantizer(config.quantizer)
        m.submodules.buffer = buffer = ActivationBuffer(config.buffer)
        m.submodules.decoder = decoder = TritDecoder(config.packing, config.rows * config.columns)
        m.submodules.array = array = ARRAYS[config.array](config.array_config)
        m.submodules.drain = drain = Drain(config.drain)
        # The queue counts its output register, which a burst of words does not find free at once.
        m.submodules.results = results = SyncFIFOBuffered(
            width=self.o.payload.shape().size, depth=config.result_words + 1
        )
        self._memories(m, sequencer, drain, decoder)

        # Chunks: addresses go to the memories now, activations and weights reach the array together.
        m.d.comb += [
            buffer.address.eq(sequencer.chunk),
            buffer.clear.eq(sequencer.clear),
            sequencer.available.eq(buffer.available),
            array.activations.eq(buffer.chunk),
            Value.cast(array.weights).eq(Value.cast(decoder.o)),
            Cat(array.valid, array.first, array.last).eq(
                delayed(m, Cat(sequencer.issue, sequencer.first, sequencer.last), self.LATENCY_MEMORY, "chunk")
            ),
        ]

        # Tiles: the drain hears of one a cycle before its sums are there.
        ahead = self.LATENCY_MEMORY + config.array_latency - 1
        tile = Cat(sequencer.issue & sequencer.last, sequencer.tile)
        m.d.comb += [
            Cat(drain.start, drain.tile).eq(delayed(m, tile, ahead, "tile")),
            drain.sums.eq(array.sums),
        ]

        # Vectors into the quantiser: the network's input, later each layer's results.
        with m.If(sequencer.accept):
            # A change of the program must be read before the next vector enters.
            offered = ~sequencer.restart
            m.d.comb += [quantizer.i.valid.eq(self.i.valid & offered), self.i.ready.eq(quantizer.i.ready & offered)]
            for lane in range(config.lanes):
                m.d.comb += quantizer.i.payload.data[lane].eq(self.i.payload[lane])
            m.d.comb += quantizer.i.payload.last.eq(sequencer.last_input)
        with m.Else():
            m.d.comb += [quantizer.i.valid.eq(drain.o.valid & ~drain.result)]
            for lane in range(config.lanes):
                m.d.comb += quantizer.i.payload.data[lane].eq(drain.o.payload.data[lane])
            m.d.comb += quantizer.i.payload.last.eq(drain.o.payload.last)
        m.d.comb += [
            sequencer.accepted.eq(self.i.valid & self.i.ready),
            buffer.i.valid.eq(quantizer.o.valid),
            buffer.i.payload.eq(quantizer.o.payload),
            quantizer.o.ready.eq(1),
        ]

        # Results: a whole vector has room before its last layer starts.
        busy = Signal()
        m.d.comb += [
            results.w_en.eq(drain.o.valid & drain.result),
            results.w_data.eq(drain.o.payload),
            self.o.valid.eq(results.r_rdy),
            Value.cast(self.o.payload).eq(results.r_data),
            results.r_en.eq(self.o.ready),
            sequencer.free.eq(~busy),
        ]
        with m.If(sequencer.issue & sequencer.tile.final):
            m.d.sync += busy.eq(1)
        with m.Elif(self.o.valid & self.o.ready & self.o.payload.last):
            m.d.sync += busy.eq(0)
        return m

    def _memories(self, m: Module, sequencer: Sequencer, drain: Drain, decoder: TritDecoder) -> None:
        """The memories, their addresses, and the load port."""
        correction = Signal(indices(self.config.correction_words))
        with m.If(drain.next_correction):
            m.d.sync += correction.eq(correction + 1)
            with m.If(drain.rewind):
                m.d.sync += correction.eq(0)
        m.d.comb += [
            self.memories["program"].address.eq(sequencer.layer),
            self.memories["corrections"].address.eq(correction),
            self.memories["weights"].address.eq(sequencer.weight),
            Value.cast(sequencer.program).eq(self.memories["program"].data),
            Value.cast(drain.corrections).eq(self.memories["corrections"].data),
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
