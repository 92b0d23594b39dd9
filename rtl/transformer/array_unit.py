"""The array, what it multiplies, and the walk through its steps: from a step to words of sums."""

from typing import Final

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.formats import LOAD_WIDTH, PACKINGS
from golden.language.format import levels
from rtl.array import EXACT_ARRAYS
from rtl.array.interface import ArrayConfig
from rtl.array.trit_decoder import TritDecoder
from rtl.layouts import indices
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import delayed
from rtl.transformer.activation_memory import ActivationMemory
from rtl.transformer.array_walk import ArrayWalk
from rtl.transformer.caches import Caches
from rtl.transformer.config import DecoderConfig
from rtl.transformer.digit_writer import DigitWriter
from rtl.transformer.embedding_reader import EmbeddingReader
from rtl.transformer.kinds import Result
from rtl.transformer.steps import Steps
from rtl.transformer.tile_words import TileWords
from rtl.transformer.timing import Timing

ANSWER_MAX: Final = 32
"""Most cycles from the last word of a step until `ArrayUnit.finished` says so."""


class ArrayUnit(wiring.Component):
    """Multiplies activations by weights, keys or values.

    Parameters
    ----------
    config
        The decoder.
    weights
        Words of the weight memory as integers; the rest is zero.
    writable
        Whether weights can be loaded.

    Members
    -------
    step
        In, stream of `Steps.array`.
    busy
        Out, 1: from the cycle behind a step's acceptance to that of the last `finished`.
    more
        Out, 2: the same of all steps but the last one, and but the last two.
    place
        In, `Steps.place`.
    rewind
        In, 1: the next weights are the first; no step is at work.
    finished
        In, 1: the last word of a step is written, in this cycle.
    activations
        In, stream of `ActivationMemory.word`, always ready.
    keys, values
        In, streams of `DigitWriter.word`: what the caches keep of the present token.
    token, reading, embedding
        In, out, out: as `token`, `reading` and `o` of `EmbeddingReader`; no step is at work while it reads.
    o
        Out, stream of `Steps.sums`, always taken.
    load_address, load_data, load_last, load_valid
        In: as of `LoadableMemory`, the weights' transfers.

    Latency and throughput: see `timing`. A step sees the activations that came before its acceptance, and the words of
    keys or values that came ``DigitWriter.latency - ArrayWalk.START`` cycles before it.

    """

    READ = LoadableMemory.LATENCY
    """Cycles from a chunk's start to its arrival at the array."""

    step: stream.Interface
    busy: Signal
    more: Signal
    place: data.View
    rewind: Signal
    finished: Signal
    activations: stream.Interface
    keys: stream.Interface
    values: stream.Interface
    token: stream.Interface
    reading: Signal
    embedding: stream.Interface
    o: stream.Interface
    load_address: Signal
    load_data: Signal
    load_last: Signal
    load_valid: Signal

    def __init__(self, config: DecoderConfig, weights: list[int], *, writable: bool = True):
        self.config, self.steps = config, Steps(config)
        depth = config.linear_words + config.head_words
        self._weights = LoadableMemory(self.transfers(config), depth, weights, writable=writable)
        word = In(stream.Signature(DigitWriter.word(config), always_ready=True))
        load = {name: In(getattr(self._weights, name).shape()) for name in ("load_address", "load_data")}
        super().__init__(
            {
                "step": In(stream.Signature(self.steps.array)),
                "busy": Out(1),
                "more": Out(2),
                "place": In(self.steps.place),
                "rewind": In(1),
                "finished": In(1),
                "activations": In(stream.Signature(ActivationMemory.word(config), always_ready=True)),
                "keys": word,
                "values": word,
                "token": In(stream.Signature(indices(config.shape.vocabulary), always_ready=True)),
                "reading": Out(1),
                "embedding": Out(stream.Signature(EmbeddingReader.word(config), always_ready=True)),
                "o": Out(stream.Signature(self.steps.sums, always_ready=True)),
                **load,
                "load_last": In(1),
                "load_valid": In(1),
            }
        )

    @staticmethod
    def transfers(config: DecoderConfig) -> tuple[int, ...]:
        """The bits that a word of weights keeps of each of its transfers."""
        whole, rest = divmod(PACKINGS[config.packing].word_bits(config.rows * config.columns), LOAD_WIDTH)
        return (LOAD_WIDTH,) * whole + ((rest,) if rest else ())

    @staticmethod
    def array(config: DecoderConfig) -> ArrayConfig:
        """The array: its accumulators hold sums of numbers of several digits."""
        shape, form = config.shape, config.form
        longest = max(
            config.longest,
            shape.hidden * levels(form.embedding_digits),
            shape.head * levels(form.key_digits),
            shape.context * levels(form.value_digits),
        )
        return ArrayConfig(config.rows, config.columns, longest)

    @classmethod
    def latency(cls, config: DecoderConfig) -> int:
        """Cycles from the start of a tile's last chunk to its first word on `o`."""
        return cls.READ + cls.array_latency(config) + TileWords.LATENCY

    @classmethod
    def array_latency(cls, config: DecoderConfig) -> int:
        """Cycles of the array alone."""
        return EXACT_ARRAYS[config.array].latency(cls.array(config))

    @classmethod
    def timing(
        cls, config: DecoderConfig, result: Result, *, tiles: int, chunks: int, planes: int, words: int, answer: int
    ) -> Timing:
        """Of a step; `answer`: cycles from its last word on `o` to `finished`. All others are numbers, not the last."""
        issue = tiles * ArrayWalk.tile(config, result, chunks=chunks, planes=planes)
        first_word = ArrayWalk.START + issue - 1 + cls.latency(config)
        others = words - (tiles - 1) * (config.rows // config.lanes) - 1
        done = first_word + others * TileWords.pace(config, result) + answer + 1
        return Timing(issue + ArrayWalk.rest(config, result), done)

    @classmethod
    def pending(cls, config: DecoderConfig) -> int:
        """Steps that can be at work at once: each takes a tile's words at least."""
        return 3 + (cls.latency(config) + ANSWER_MAX) * config.lanes // config.rows

    @classmethod
    def waiting(cls, config: DecoderConfig) -> int:
        """Depth of the memory of steps whose words are on their way."""
        return 1 << (cls.pending(config) - 1).bit_length()

    def elaborate(self, platform) -> Module:
        """The walk, what it reads, the array, and the words."""
        m = Module()
        m.submodules.walk = walk = ArrayWalk(self.config)
        connect(m, flipped(self.step), walk.step)
        m.d.comb += [walk.place.eq(self.place), walk.rewind.eq(self.rewind)]
        m.submodules.activations = activations = ActivationMemory(self.config)
        connect(m, flipped(self.activations), activations.i)
        weights = self._read_weights(m, walk)
        cached = self._cached(m, walk)
        chosen = delayed(m, walk.weights, self.READ, "chosen")

        m.submodules.array = array = EXACT_ARRAYS[self.config.array](self.array(self.config), digits=True)
        flags = ("issue", array.valid), ("first", array.first), ("last", array.last), ("triple", array.triple)
        for name, port in flags:
            m.d.comb += port.eq(delayed(m, getattr(walk, name), self.READ, name))
        m.d.comb += [activations.address.eq(walk.activation), array.activations.eq(activations.o)]
        for row in range(self.config.rows):
            for column in range(self.config.columns):
                weight = weights[row * self.config.columns + column]
                for bit in ("nz", "neg"):
                    m.d.comb += array.weights[row][column][bit].eq(weight[bit] & chosen | cached[row][column][bit])

        m.submodules.words = words = TileWords(self.config)
        final = delayed(m, walk.final, self.READ + self.array_latency(self.config), "final", reset_less=True)
        m.d.comb += [words.done.eq(array.done), words.sums.eq(array.sums), words.final.eq(final)]
        connect(m, words.o, flipped(self.o))
        accept = self.step.valid & self.step.ready
        m.d.comb += words.step.eq(self._waiting(m, accept))
        pending = Signal(range(self.pending(self.config) + 1))
        with m.If(accept & ~self.finished):
            m.d.sync += pending.eq(pending + 1)
        with m.If(self.finished & ~accept):
            m.d.sync += pending.eq(pending - 1)
        m.d.comb += [self.busy.eq(pending != 0), self.more.eq(Cat(pending > 1, pending > 2))]
        return m

    def _read_weights(self, m: Module, walk: ArrayWalk) -> data.View:
        """The weight memory, decoded; the walk reads it, or a token's way in."""
        m.submodules.weights = memory = self._weights
        m.submodules.reader = reader = EmbeddingReader(self.config)
        decoder = TritDecoder(self.config.packing, self.config.rows * self.config.columns)
        m.submodules.decoder = decoder
        connect(m, flipped(self.token), reader.token)
        connect(m, reader.o, flipped(self.embedding))
        m.d.comb += [
            self.reading.eq(reader.reading),
            memory.address.eq(Mux(reader.reading, reader.address, walk.weight)),
            memory.load_address.eq(self.load_address),
            memory.load_data.eq(self.load_data),
            memory.load_last.eq(self.load_last),
            memory.load_valid.eq(self.load_valid),
            decoder.i.eq(memory.data),
            reader.weights.eq(decoder.o.as_value()),
        ]
        return decoder.o

    def _cached(self, m: Module, walk: ArrayWalk) -> data.View:
        """What is read of the caches."""
        m.submodules.caches = caches = Caches(self.config)
        connect(m, flipped(self.keys), caches.keys)
        connect(m, flipped(self.values), caches.values)
        m.d.comb += [caches.place.eq(self.place), caches.key.eq(walk.key), caches.value.eq(walk.value)]
        return caches.o

    def _waiting(self, m: Module, accept: Value) -> Value:
        """The step whose words leave: steps wait for their words in a small memory."""
        depth = self.waiting(self.config)
        m.submodules.waiting = memory = Memory(shape=self.steps.array, depth=depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        end = self.o.valid & self.o.payload.last
        begun, ended = Signal(range(depth)), Signal(range(depth))
        m.d.comb += [write.data.eq(self.step.payload), write.en.eq(accept), write.addr.eq(begun)]
        m.d.comb += read.addr.eq(ended + end)
        m.d.sync += [begun.eq(begun + accept), ended.eq(read.addr)]
        return read.data
