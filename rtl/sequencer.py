"""The sequencer: walks the program for each vector in flight, layer by layer, tile by tile, chunk by chunk."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import PROGRAM_FIELDS
from rtl.activation_buffer import BufferConfig
from rtl.drain import DrainConfig
from rtl.layouts import indices
from rtl.limits import check_range
from rtl.loadable_memory import LoadableMemory
from rtl.pipeline import registered

PROGRAM = data.StructLayout(dict(PROGRAM_FIELDS))
"""A layer of the program, see `golden.formats.PROGRAM_FIELDS`."""


class Sequencer(wiring.Component):
    """Gives the array one layer after another, of each vector in flight in turn, as soon as its activations are there.

    Input vectors take turns, too: the first is vector 0's, the next vector 1's. Each has a region of the activation
    buffer for its input and one for what its layers give: region v holds the results of vector v's layers, region
    ``vectors + v`` its input. A layer starts in the cycle after the one in which

    - the array starts its last chunk of another layer, or has none;
    - the first chunk of the layer's input is readable in the next cycle;
    - the layer's entry of the program is there, `FETCH` cycles after the vector's layer before it started;
    - for the final layer: the results of vectors before it, `vectors` back, have left, and it is the vector's turn.

    If several could start, the next vector goes before the one whose layer has just run.

    Parameters
    ----------
    vectors
        Vectors in flight, 1 or 2.
    layers
        Entries of the program memory, 1 to 65535.
    input_words, tiles
        Most stream words of the network's input, most tiles of a layer, 1 to 65536.
    weight_words
        Words of the weight memory, 1 to 2**24.
    buffer
        The activation buffer, with two regions for each vector.
    drain
        The drain, whose interval keeps tiles apart.

    Members
    -------
    layer
        Out: address into the program memory.
    program
        In, `PROGRAM`: that layer, `LoadableMemory.LATENCY` cycles later.
    restart
        In, 1: the program changed; honoured while `idle`.
    prepared
        Out, 1: the program has been read; not in the `FETCH` - 1 cycles after a restart.
    last_input
        Out: index of an input vector's last stream word, while `prepared`.
    waiting
        In, 1: an input vector has entered, at least in part, whose first layer has not run.
    idle
        Out, 1: no vector is in the engine.
    available, filled, clear
        As the activation buffer's.
    left
        In, 1: the last word of a vector's results has left the engine.
    issue
        Out, 1: a chunk starts in this cycle.
    first, last
        Out, 1: it is the first, the last of its tile.
    region, chunk
        Out: where it is in the activation buffer.
    weight
        Out: the address of its weights.
    tile
        Out, `DrainConfig.tile`: the tile that the chunk belongs to.

    Throughput: one chunk a cycle, as far as activations are available and tiles are `DrainConfig.interval` apart.

    """

    FETCH = 2 + LoadableMemory.LATENCY

    layer: Signal
    program: data.View
    restart: Signal
    prepared: Signal
    last_input: Signal
    waiting: Signal
    idle: Signal
    available: data.View
    filled: Signal
    clear: Signal
    left: Signal
    issue: Signal
    first: Signal
    last: Signal
    region: Signal
    chunk: Signal
    weight: Signal
    tile: data.View

    def __init__(
        self,
        *,
        vectors: int,
        layers: int,
        input_words: int,
        tiles: int,
        weight_words: int,
        buffer: BufferConfig,
        drain: DrainConfig,
    ):
        check_range("sequencer", "vectors", vectors, 1, 2)
        check_range("sequencer", "layers", layers, 1, 65535)
        for name, value in (("input words", input_words), ("tiles", tiles)):
            check_range("sequencer", name, value, 1, 65536)
        check_range("sequencer", "weight words", weight_words, 1, 1 << 24)
        self.vectors, self.tiles, self.drain = vectors, tiles, drain
        super().__init__(
            {
                "layer": Out(indices(layers)),
                "program": In(PROGRAM),
                "restart": In(1),
                "prepared": Out(1),
                "last_input": Out(indices(input_words)),
                "waiting": In(1),
                "idle": Out(1),
                "available": In(buffer.counts),
                "filled": In(2 * vectors),
                "clear": Out(2 * vectors),
                "left": In(1),
                "issue": Out(1),
                "first": Out(1),
                "last": Out(1),
                "region": Out(buffer.region),
                "chunk": Out(buffer.chunk),
                "weight": Out(indices(weight_words)),
                "tile": Out(drain.tile),
            }
        )

    def elaborate(self, platform) -> Module:
        """The layer that runs, and what each vector does next."""
        m = Module()
        step = data.StructLayout(
            {
                "last_chunk": self.chunk.shape(),
                "last_tile": indices(self.tiles),
                "last_drain": self.tile.last_word.shape(),
                "relu": 1,
                "final": 1,
            }
        )
        active, vector, running = Signal(), Signal(init=self.vectors - 1), Signal(step)
        tile = Signal(indices(self.tiles))
        apart = Signal(indices(self.drain.interval))  # cycles until the drain can take another tile
        readable, finish, start = Signal(), Signal(), Signal()
        m.d.comb += [
            self.issue.eq(active & readable & (~self.last | (apart == 0))),
            self.first.eq(self.chunk == 0),
            self.last.eq(self.chunk == running.last_chunk),
            self.tile.end.eq(tile == running.last_tile),
            self.tile.relu.eq(running.relu),
            self.tile.final.eq(running.final),
            self.tile.vector.eq(vector),
            self.tile.last_word.eq(Mux(self.tile.end, running.last_drain, self.drain.interval - 1)),
            finish.eq(self.issue & self.last & self.tile.end),
            self.clear.eq(finish << self.region),
        ]
        with m.If(apart != 0):
            m.d.sync += apart.eq(apart - 1)
        with m.If(self.issue):
            m.d.sync += [self.chunk.eq(self.chunk + 1), self.weight.eq(self.weight + 1)]
            with m.If(self.last):
                m.d.sync += [self.chunk.eq(0), tile.eq(tile + 1), apart.eq(self.drain.interval - 1)]
        with m.If(finish):
            m.d.sync += [active.eq(0), tile.eq(0)]
        # Whether `chunk` is among those available, known a cycle ahead.
        available = Array(self.available[region] for region in range(2 * self.vectors))[self.region]
        with m.If(start | self.filled.bit_select(self.region, 1)):
            m.d.sync += readable.eq(1)
        with m.Elif(self.issue & ~self.last):
            m.d.sync += readable.eq(available > self.chunk + 1)

        # By vector: its next layer, the number of that, whether it is the first, is known, and its first weights.
        each = range(self.vectors)
        steps = [Signal(step, name=f"step_{index}") for index in each]
        numbers = Array(Signal(self.layer.shape(), name=f"number_{index}") for index in each)
        initial = Array(Signal(name=f"initial_{index}", init=1) for index in each)
        known = Array(Signal(name=f"known_{index}") for index in each)
        weights = Array(Signal(self.weight.shape(), name=f"weights_{index}") for index in each)
        with m.If(self.issue):
            m.d.sync += weights[vector].eq(self.weight + 1)

        due, busy = Signal(), Signal(range(self.vectors + 1))  # whose results are next; vectors with results to leave
        ready, chosen = Signal(self.vectors), Signal()
        # A region that is being read is cleared before the next layer starts.
        there = [
            self.filled[region] | ((self.available[region] != 0) & ~(active & (self.region == region)))
            for region in range(2 * self.vectors)
        ]
        for index in each:
            input_there = Mux(initial[index], there[self.vectors + index], there[index])
            may_end = (due == index) & (busy != self.vectors)
            m.d.comb += ready[index].eq(known[index] & input_there & (~steps[index].final | may_end))
        if self.vectors > 1:
            m.d.comb += chosen.eq(vector ^ ready.bit_select(~vector, 1))
        m.d.comb += start.eq((~active | finish) & ready.any())
        final = Array(step.final for step in steps)[chosen]
        number = Mux(final, 0, numbers[chosen] + 1)
        with m.If(start):
            m.d.sync += [
                active.eq(1),
                vector.eq(chosen),
                Value.cast(running).eq(Array(step.as_value() for step in steps)[chosen]),
                self.region.eq(Mux(initial[chosen], self.vectors + chosen, chosen)),
                self.weight.eq(Mux(initial[chosen], 0, weights[chosen])),
                self.layer.eq(number),
                numbers[chosen].eq(number),
                initial[chosen].eq(final),
                known[chosen].eq(0),
            ]
            if self.vectors > 1:
                m.d.sync += due.eq(due ^ final)
        m.d.sync += busy.eq(busy + (start & final) - self.left)
        m.d.comb += self.idle.eq(~self.waiting & ~active & Cat(*initial).all() & (busy == 0))

        # An answer of the program is for the vector that asked, the first one for all and for the input.
        restart = self.idle & self.restart
        asked = Signal(self.vectors + 1, init=-1)
        m.d.sync += asked.eq(Mux(restart, -1, Mux(start, 1 << chosen, 0)))
        answered = asked
        for stage in range(LoadableMemory.LATENCY):
            answered = registered(m, Mux(restart, 0, answered), f"answered_{stage}")
        with m.If(restart):
            m.d.sync += [self.layer.eq(0), self.prepared.eq(0)]
        with m.Elif(answered[-1]):
            m.d.sync += [self.last_input.eq(self.program.last_input), self.prepared.eq(1)]
        for index in each:
            with m.If(restart):
                m.d.sync += [numbers[index].eq(0), known[index].eq(0)]
            with m.Elif(answered[index]):
                m.d.sync += [steps[index][name].eq(self.program[name]) for name, _ in step]
                m.d.sync += known[index].eq(1)
        return m
