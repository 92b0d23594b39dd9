"""The way into the quantiser: input vectors in turn, and results of layers between their words."""

from amaranth.hdl import Array, Module, Mux, Shape, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices, words
from rtl.limits import check_range
from rtl.memory.activation_buffer import BufferConfig
from rtl.quantiser.config import QuantizerConfig


class Intake(wiring.Component):
    """Merges input vectors and results of layers; results, which cannot wait, go first.

    Input vectors take turns, too: the first is vector 0, the next vector 1. Vector v's next input enters once the one
    before it is no longer needed.

    Parameters
    ----------
    vectors
        Vectors in flight, 1 or 2.
    element
        An input value, signed(8) or unsigned(8).
    input_words
        Most words of an input vector, 1 to 65536.
    quantizer
        The quantiser behind it: channel v takes the results of vector v's layers, the last channel the inputs.
    buffer
        The activation buffer, whose chunks make up the groups of inputs.

    Members
    -------
    i
        In, stream of ArrayLayout(element, lanes): input vectors.
    results
        In, stream of `words` (signed(width), lanes): results of layers; always ready.
    vector
        In, 1: whose they are.
    open
        In, 1: input may enter.
    last_input
        In: index of an input vector's last word, valid while `open`.
    last_segment, last_inner
        In: likewise, see `golden.formats.SEGMENT_FIELDS`; only if the quantiser's rule has groups.
    marks
        In, 2: what `golden.formats.SCALES` calls flags, of the word on `results`; likewise.
    freed
        In, a bit for each vector: its input is no longer needed.
    waiting
        Out, 1: an input has entered, at least in part, and is still needed.
    o
        Out, stream of the quantiser's words.

    Latency: 0 cycles. Throughput: one word a cycle.

    """

    i: stream.Interface
    results: stream.Interface
    vector: Signal
    open: Signal
    last_input: Signal
    last_segment: Signal
    last_inner: Signal
    marks: Signal
    freed: Signal
    waiting: Signal
    o: stream.Interface

    def __init__(
        self, *, vectors: int, element: Shape, input_words: int, quantizer: QuantizerConfig, buffer: BufferConfig
    ):
        check_range("intake", "vectors", vectors, 1, 2)
        check_range("intake", "input words", input_words, 1, 65536)
        self.vectors, self.lanes, self.grouped = vectors, quantizer.lanes, quantizer.grouped
        self.int4 = quantizer.int4
        self.chunk_words = buffer.columns // buffer.lanes
        value = signed(quantizer.width)
        groups = {"last_segment": In(buffer.chunk), "last_inner": In(buffer.chunk), "marks": In(2)}
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(element, quantizer.lanes))),
                "results": In(stream.Signature(words(value, quantizer.lanes), always_ready=True)),
                "vector": In(1),
                "open": In(1),
                "last_input": In(indices(input_words)),
                "freed": In(vectors),
                "waiting": Out(1),
                "o": Out(stream.Signature(quantizer.input_word)),
            }
            | (groups if quantizer.grouped else {})
        )

    def elaborate(self, platform) -> Module:
        """A multiplexer, a counter of words, and which inputs are in."""
        m = Module()
        entered, turn, accept = Signal.like(self.last_input), Signal(), Signal()
        whole = Array(Signal(name=f"whole_{vector}") for vector in range(self.vectors))
        m.d.comb += [
            accept.eq(self.open & ~whole[turn] & ~self.results.valid),
            self.i.ready.eq(accept & self.o.ready),
            self.o.valid.eq(self.results.valid | (self.i.valid & accept)),
            self.waiting.eq((entered != 0) | whole[0] | whole[-1]),
        ]
        with m.If(self.results.valid):
            m.d.comb += self.o.payload.channel.eq(self.vector)
            m.d.comb += self.o.payload.last.eq(self.results.payload.last)
        with m.Else():
            m.d.comb += self.o.payload.channel.eq(self.vectors)
            m.d.comb += self.o.payload.last.eq(entered == self.last_input)
        for lane in range(self.lanes):
            with m.If(self.results.valid):
                m.d.comb += self.o.payload.data[lane].eq(self.results.payload.data[lane])
            with m.Else():
                m.d.comb += self.o.payload.data[lane].eq(self.i.payload[lane])
        for vector in range(self.vectors):
            with m.If(self.freed[vector]):
                m.d.sync += whole[vector].eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += entered.eq(entered + 1)
            with m.If(self.o.payload.last):
                m.d.sync += [entered.eq(0), whole[turn].eq(1)]
                if self.vectors > 1:
                    m.d.sync += turn.eq(~turn)
        if self.grouped:
            self._groups(m)
        return m

    def _groups(self, m: Module) -> None:
        """Where groups end: inputs are counted by chunks, results have marks."""
        word = Signal(indices(self.chunk_words))
        chunk, place = Signal.like(self.last_inner), Signal.like(self.last_segment)
        chunk_ends, group_ends, inner = Signal(), Signal(), Signal()
        m.d.comb += [
            chunk_ends.eq(word == self.chunk_words - 1),
            inner.eq(chunk <= self.last_inner),
            group_ends.eq(chunk_ends & inner & ((place == self.last_segment) | (chunk == self.last_inner))),
        ]
        with m.If(self.results.valid):
            m.d.comb += self.o.payload.group_last.eq(self.marks[0])
        with m.Else():
            m.d.comb += self.o.payload.group_last.eq(group_ends | self.o.payload.last)
        if self.int4:
            m.d.comb += self.o.payload.wide.eq(Mux(self.results.valid, self.marks[1], ~inner))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += word.eq(Mux(chunk_ends, 0, word + 1))
            with m.If(chunk_ends):
                m.d.sync += [chunk.eq(chunk + 1), place.eq(Mux(group_ends, 0, place + 1))]
            with m.If(self.o.payload.last):
                m.d.sync += [word.eq(0), chunk.eq(0), place.eq(0)]
