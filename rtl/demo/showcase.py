"""The demonstration without a host: built-in inputs through the engine, the answer to each beside the expected one."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Module, Shape, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.errors import TritweaveError
from rtl.layouts import indices, words
from rtl.limits import check_range


class Showcase(wiring.Component):
    """Runs one built-in input after another; the answer is the number of the largest result, the first if several are.

    Parameters
    ----------
    inputs
        Inputs, each as its stream words, each word as its values; all of one length, at least one.
    expected
        The right answer to each.
    element
        An input value as the engine takes it, signed(8) or unsigned(8).
    bits
        Highest bits of a value that are kept, 1 to 8; the others are 0. Fewer need less memory.
    outputs
        Results of the network, 1 to 65536.
    width
        Bits of a result.

    Members
    -------
    begin
        In, 1: run the next input; taken while none is running.
    i
        Out, stream of ArrayLayout(element, lanes): to the engine.
    o
        In, stream of `words` (signed(width), lanes): from the engine.
    shown
        Out, 1: there is an answer; 0 while an input is running.
    answer
        Out: it.
    wrong
        Out, 1: some answer since the reset was not the expected one.

    Throughput: a word of results in as many cycles as it has lanes, and one more.

    """

    begin: Signal
    i: stream.Interface
    o: stream.Interface
    shown: Signal
    answer: Signal
    wrong: Signal

    def __init__(
        self,
        inputs: Sequence[Sequence[Sequence[int]]],
        expected: Sequence[int],
        *,
        element: Shape,
        bits: int,
        outputs: int,
        width: int,
    ):
        check_range("showcase", "bits", bits, 1, 8)
        check_range("showcase", "outputs", outputs, 1, 65536)
        lengths = {(len(vector), len(word)) for vector in inputs for word in vector}
        if len(lengths) != 1 or len(expected) != len(inputs):
            raise TritweaveError(
                f"showcase: {len(inputs)} inputs of {len(lengths)} shapes and {len(expected)} answers; "
                "it takes inputs of one shape and as many answers"
            )
        ((self._length, self._lanes),) = lengths
        self._count, self._bits, self._outputs = len(inputs), bits, outputs
        self._expected = list(expected)
        self._kept = [
            sum(((value & 0xFF) >> 8 - bits) << bits * lane for lane, value in enumerate(word))
            for vector in inputs
            for word in vector
        ]
        super().__init__(
            {
                "begin": In(1),
                "i": Out(stream.Signature(data.ArrayLayout(element, self._lanes))),
                "o": In(stream.Signature(words(signed(width), self._lanes))),
                "shown": Out(1),
                "answer": Out(indices(outputs)),
                "wrong": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """The inputs in a ROM, and a search through the results, value by value."""
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._bits * self._lanes, depth=len(indices(len(self._kept))), init=self._kept
        )
        read = memory.read_port()
        address, left = Signal(read.addr.shape()), Signal(range(self._length + 1))
        number = Signal(indices(self._count))
        m.d.comb += read.addr.eq(address)
        for lane in range(self._lanes):
            kept = read.data.word_select(lane, self._bits)
            m.d.comb += self.i.payload[lane].eq(kept << 8 - self._bits)

        values = Signal(data.ArrayLayout(self.o.payload.data.shape().elem_shape, self._lanes))
        best = Signal(values.shape().elem_shape)
        found = Signal(indices(self._outputs))
        place, last = Signal(range(self._outputs + self._lanes)), Signal()
        unseen = Signal(range(self._lanes + 1))
        with m.FSM():
            with m.State("REST"), m.If(self.begin):
                m.d.sync += [self.shown.eq(0), left.eq(self._length)]
                m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.i.valid.eq(1)
                with m.If(self.i.ready):
                    m.d.sync += [left.eq(left - 1), address.eq(address + 1)]
                    m.next = "FETCH"
                    with m.If(left == 1):
                        m.d.sync += place.eq(0)
                        m.next = "RECEIVE"
            with m.State("RECEIVE"):
                m.d.comb += self.o.ready.eq(1)
                with m.If(self.o.valid):
                    m.d.sync += [
                        Cat(values).eq(self.o.payload.data.as_value()),
                        last.eq(self.o.payload.last),
                        unseen.eq(self._lanes),
                    ]
                    m.next = "SEARCH"
            with m.State("SEARCH"):
                with m.If((place == 0) | ((values[0] > best) & (place < self._outputs))):
                    m.d.sync += [best.eq(values[0]), found.eq(place)]
                m.d.sync += [
                    Cat(values).eq(values.as_value() >> len(best)),
                    place.eq(place + 1),
                    unseen.eq(unseen - 1),
                ]
                with m.If(unseen == 1):
                    m.next = "RECEIVE"
                    with m.If(last):
                        m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.sync += [self.shown.eq(1), self.answer.eq(found), number.eq(number + 1)]
                with m.If(found != Array(self._expected)[number]):
                    m.d.sync += self.wrong.eq(1)
                with m.If(number == self._count - 1):
                    m.d.sync += [number.eq(0), address.eq(0)]
                m.next = "REST"
        return m
