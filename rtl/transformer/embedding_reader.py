"""A token's row of the embedding, read from the head's weights: the residual in front of the first block."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.language.format import levels as largest
from rtl.layouts import TRIT, indices, levels
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import delayed, registered
from rtl.selection import selected
from rtl.transformer.config import DecoderConfig
from rtl.transformer.steps import Steps
from rtl.transformer.timing import Timing


class EmbeddingReader(wiring.Component):
    """Finds a token's tile and row by division, a bit a cycle, and reads a digit of L elements a cycle.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    token
        In, stream of a token, always ready; none must come while `reading`.
    reading
        Out, 1: from the cycle behind a token until all elements can be read where they are written.
    address
        Out: the word of the weight memory to read, while `reading`.
    weights
        In, ArrayLayout(ArrayLayout(TRIT, C), R): its trits, `LoadableMemory.LATENCY` cycles later.
    o
        Out, stream of ``data``, L elements of the residual, and ``address``, of their word; always taken.

    Throughput: a digit of one word a cycle. Latency: see `timing`.

    """

    SELECT = 3
    """Cycles from a word of trits to the digits of L elements that are added up: two of multiplexers, and the sum."""
    _LEVELS = 4
    """Levels of multiplexers in front of the first register."""

    token: stream.Interface
    reading: Signal
    address: Signal
    weights: data.View
    o: stream.Interface

    def __init__(self, config: DecoderConfig):
        self.config = config
        super().__init__(
            {
                "token": In(stream.Signature(indices(config.shape.vocabulary), always_ready=True)),
                "reading": Out(1),
                "address": Out(indices(config.linear_words + config.head_words)),
                "weights": In(data.ArrayLayout(data.ArrayLayout(TRIT, config.columns), config.rows)),
                "o": Out(stream.Signature(self.word(config), always_ready=True)),
            }
        )

    @staticmethod
    def word(config: DecoderConfig) -> data.StructLayout:
        """Elements of the residual, and the address of their word."""
        elements = data.ArrayLayout(signed(config.form.residual_bits), config.lanes)
        return data.StructLayout({"data": elements, "address": Steps(config).word})

    @staticmethod
    def _tile_bits(config: DecoderConfig) -> int:
        """Bits of a tile's number, which the division takes as many cycles for."""
        return levels(config.tiles(config.shape.vocabulary))

    @classmethod
    def timing(cls, config: DecoderConfig) -> Timing:
        """Of a token."""
        reads = config.words(config.shape.hidden) * config.form.embedding_digits
        done = 1 + cls._tile_bits(config) + reads + LoadableMemory.LATENCY + cls.SELECT
        return Timing(done, done)

    def elaborate(self, platform) -> Module:
        """The division, the reads, and what becomes of the trits."""
        m = Module()
        offset, row, divided = self._division(m)
        read, first, last, group, word = self._reads(m, offset, divided)
        group = delayed(m, group, LoadableMemory.LATENCY, "group", reset_less=True)
        digits = self._selected(m, group, row)
        cycles = LoadableMemory.LATENCY + self.SELECT - 1
        first = delayed(m, first, cycles, "first", reset_less=True)
        m.d.sync += self.o.valid.eq(delayed(m, read & last, cycles, "complete"))
        m.d.comb += self.o.payload.address.eq(delayed(m, word, cycles + 1, "word", reset_less=True))
        most = largest(self.config.form.embedding_digits)
        for lane in range(self.config.lanes):
            nz, neg = digits[2 * lane], digits[2 * lane + 1]
            number = Signal(range(-most, most + 1), name=f"number_{lane}", reset_less=True)
            before = Mux(first, 0, number + (number << 1))
            m.d.sync += number.eq(before + Cat(nz, nz & neg).as_signed())
            m.d.comb += self.o.payload.data[lane].eq(number << self.config.form.fraction_bits)
        with m.If(self.o.valid & (self.o.payload.address == self.config.words(self.config.shape.hidden) - 1)):
            m.d.sync += self.reading.eq(0)
        with m.If(self.token.valid):
            m.d.sync += self.reading.eq(1)
        return m

    def _division(self, m: Module) -> tuple[Signal, Value, Value]:
        """A token's tile, times the words of a tile; its row in it; and whether they are found in this cycle."""
        config, bits = self.config, self._tile_bits(self.config)
        tile_words = config.chunks(config.shape.hidden) * config.form.embedding_digits
        divisor = config.rows << max(bits - 1, 0)
        rest = Signal(range(config.rows << bits), reset_less=True)
        offset = Signal(range(config.head_words + 1), reset_less=True)
        left = Signal(range(bits + 1))
        fits = rest >= divisor
        with m.If(left != 0):
            m.d.sync += [
                rest.eq((rest - Mux(fits, divisor, 0)) << 1),
                offset.eq((offset << 1) + Mux(fits, tile_words, 0)),
                left.eq(left - 1),
            ]
        with m.If(self.token.valid):
            m.d.sync += [rest.eq(self.token.payload), offset.eq(0), left.eq(bits)]
        return offset, rest >> bits, (left == 1) if bits else self.token.valid

    def _reads(self, m: Module, offset: Signal, divided: Value) -> tuple[Value, ...]:
        """The addresses: for each word of the residual, the words of trits that have its digits."""
        config = self.config
        planes, groups = config.form.embedding_digits, config.columns // config.lanes
        chunks, words = config.chunks(config.shape.hidden), config.words(config.shape.hidden)
        read, plane, group, chunk = Signal(), Signal(range(planes)), Signal(indices(groups)), Signal(indices(chunks))
        word, last = Signal(indices(words)), Signal()
        place = Signal(range(chunks * planes), reset_less=True)  # in the tile
        m.d.comb += [
            last.eq(plane == planes - 1),
            self.address.eq(offset + place + config.linear_words),
        ]
        with m.If(read):
            m.d.sync += [plane.eq(plane + 1), place.eq(place + chunks)]
            with m.If(last):
                full = group == groups - 1
                m.d.sync += [
                    plane.eq(0),
                    group.eq(Mux(full, 0, group + 1)),
                    chunk.eq(chunk + full),
                    place.eq(chunk + full),
                    word.eq(word + 1),
                ]
                with m.If(word == words - 1):
                    m.d.sync += read.eq(0)
        with m.If(divided):
            m.d.sync += [read.eq(1), plane.eq(0), group.eq(0), chunk.eq(0), place.eq(0), word.eq(0)]
        return read, plane == 0, last, group, word

    def _selected(self, m: Module, group: Value, row: Value) -> Value:
        """A digit of L elements: of each row its group, then the row; a register between the multiplexers."""
        lanes, groups = self.config.lanes, self.config.columns // self.config.lanes
        rows = [
            selected([Cat(trits[at * lanes : at * lanes + lanes]) for at in range(groups)], group)
            for trits in self.weights
        ]
        near = min(max(self._LEVELS - levels(groups), 0), levels(len(rows)))
        blocks = [
            registered(m, selected(rows[at : at + (1 << near)], row[:near]), f"block_{at}", reset_less=True)
            for at in range(0, len(rows), 1 << near)
        ]
        return registered(m, selected(blocks, row[near:]), "digits", reset_less=True)
