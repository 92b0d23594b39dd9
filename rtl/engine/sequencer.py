"""The sequencer: walks the program for each vector in flight, layer by layer, tile by tile, chunk by chunk."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import NORM_FIELDS, SCALES, program_fields
from rtl.engine.drain import DrainConfig
from rtl.engine.walk import Walk
from rtl.layouts import indices
from rtl.limits import check_range
from rtl.memory.activation_buffer import BufferConfig
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import registered


def program_layout(drain: DrainConfig, *, norms: bool = False) -> data.StructLayout:
    """A layer of the program, see `golden.formats.program_fields`: of a scaling engine, a norming one, or neither."""
    return data.StructLayout(program_fields(SCALES[3 if norms else 1 if drain.groups else 0]))


class Sequencer(wiring.Component):
    """Gives the array one layer after another, of each vector in flight in turn, as soon as its activations are there.

    Input vectors take turns, too: the first is vector 0's, the next vector 1's. Each has a region of the activation
    buffer for its input and one for what its layers give: region v holds the results of vector v's layers, region
    ``vectors + v`` its input. A layer starts in the cycle after the one in which the array starts its last chunk of
    another layer, or has none, and the layer is ready. It is, `CHOICE` cycle after

    - the first chunk of its input can be read;
    - its entry of the program is there, `FETCH` cycles after the vector's layer before it started;
    - for the final layer: the results of vectors before it, `vectors` back, left in the cycle before, and it has become
      the vector's turn, which it does in the cycle after the start of the final layer of the vector before it.

    If several are ready, the next vector goes before the one whose layer has just run.

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
    norms
        Whether layers have norms.

    Members
    -------
    layer
        Out: address into the program memory.
    program
        In, `program_layout`: that layer, `LoadableMemory.LATENCY` cycles later.
    restart
        In, 1: the program changed; honoured while `idle`.
    prepared
        Out, 1: the program has been read; not in the `FETCH` - 1 cycles after a restart.
    last_input, last_segment, last_inner
        Out: what the first layer's entry says, while `prepared`; the last two in a scaling engine.
    elements, first_gains
        Out, only with `norms`: what the program says of the next layer of each vector in flight, as long as its input
        comes in, and, last, of the first layer, while `prepared`.
    waiting
        In, 1: an input vector has entered, at least in part, whose first layer has not run.
    idle
        Out, 1: no vector is in the engine.
    begun, whole, written
        In: as the activation buffer's.
    clear
        Out, a bit for each region of the activation buffer: in this cycle its last chunk starts for the last time.
    left
        In, 1: the last word of a vector's results has left the engine.
    issue
        Out, 1: a chunk starts in this cycle.
    first, last
        Out, 1: it is the first, the last of its tile, or its pass.
    region, chunk
        Out: where it is in the activation buffer.
    weight
        Out: the address of its weights.
    tile
        Out, `DrainConfig.tile`: the tile that the chunk belongs to; ``factor`` is left out.
    group
        Out: in a scaling engine, the number of the group of inputs that it belongs to.

    Throughput: one chunk a cycle, as far as activations can be read, see `Walk`, and tiles are `DrainConfig.interval`
    apart.

    """

    CHOICE = 1
    """The register that says which vectors' next layers are ready."""
    FETCH = 1 + LoadableMemory.LATENCY + 1
    """Cycles from a layer's start to its vector's next one: the address, the program memory, the layer's register."""

    layer: Signal
    program: data.View
    restart: Signal
    prepared: Signal
    last_input: Signal
    last_segment: Signal
    last_inner: Signal
    elements: data.View
    first_gains: data.View
    waiting: Signal
    idle: Signal
    begun: Signal
    whole: Signal
    written: Signal
    clear: Signal
    left: Signal
    issue: Signal
    first: Signal
    last: Signal
    region: Signal
    chunk: Signal
    weight: Signal
    tile: data.View
    group: Signal

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
        norms: bool = False,
    ):
        check_range("sequencer", "vectors", vectors, 1, 2)
        check_range("sequencer", "layers", layers, 1, 65535)
        for name, value in (("input words", input_words), ("tiles", tiles)):
            check_range("sequencer", name, value, 1, 65536)
        check_range("sequencer", "weight words", weight_words, 1, 1 << 24)
        self.vectors, self.tiles, self.buffer, self.drain, self.norms = vectors, tiles, buffer, drain, norms
        normed = {"elements": NORM_FIELDS["elements"], "first_gains": NORM_FIELDS["first_gain"]} if norms else {}
        super().__init__(
            {
                "layer": Out(indices(layers)),
                "program": In(program_layout(drain, norms=norms)),
                "restart": In(1),
                "prepared": Out(1),
                "last_input": Out(indices(input_words)),
                **({name: Out(buffer.chunk) for name in ("last_segment", "last_inner")} if drain.groups else {}),
                **{name: Out(data.ArrayLayout(bits, vectors + 1)) for name, bits in normed.items()},
                "waiting": In(1),
                "idle": Out(1),
                "begun": In(2 * vectors),
                "whole": In(2 * vectors),
                "written": In(buffer.chunk),
                "clear": Out(2 * vectors),
                "left": In(1),
                "issue": Out(1),
                "first": Out(1),
                "last": Out(1),
                "region": Out(buffer.region),
                "chunk": Out(buffer.chunk),
                "weight": Out(indices(weight_words)),
                "tile": Out(drain.tile),
                "group": Out(indices(drain.groups)),
            }
        )

    def elaborate(self, platform) -> Module:
        """The layer that runs, and what each vector does next."""
        m = Module()
        m.submodules.walk = walk = Walk(tiles=self.tiles, buffer=self.buffer, drain=self.drain)
        step, vector = Walk.layer(self.tiles, self.buffer, self.drain), Signal(init=self.vectors - 1)
        start, active, finish = Signal(), walk.active, walk.finish
        m.d.comb += [
            walk.start.eq(start),
            walk.whole.eq(self.whole.bit_select(self.region, 1)),
            walk.written.eq(self.written),
            Cat(self.issue, self.first, self.last, self.chunk).eq(Cat(walk.issue, walk.first, walk.last, walk.chunk)),
            self.tile.eq(walk.tile),
            self.group.eq(walk.group),
            self.tile.vector.eq(vector),
            self.clear.eq(finish << self.region),
        ]
        # Behind the last word there is none: its address stays until the next layer starts.
        with m.If(self.issue & ~finish):
            m.d.sync += self.weight.eq(self.weight + 1)

        # By vector: its next layer, the number of that, whether it is the first, is read, and its first weights.
        each = range(self.vectors)
        steps = [Signal(step, name=f"step_{index}") for index in each]
        numbers = Array(Signal(self.layer.shape(), name=f"number_{index}") for index in each)
        initial = Array(Signal(name=f"initial_{index}", init=1) for index in each)
        fetched = Array(Signal(name=f"fetched_{index}") for index in each)
        weights = Array(Signal(self.weight.shape(), name=f"weights_{index}") for index in each)
        with m.If(self.issue):
            m.d.sync += weights[vector].eq(self.weight + 1)

        due, busy = Signal(), Signal(range(self.vectors + 1))  # whose results are next; vectors with results to leave
        # Regions whose first chunk is there and whose layer has not started; vectors whose next layer is ready.
        offered, ready, chosen = Signal(2 * self.vectors), Signal(self.vectors), Signal()
        for index in each:
            input_there = Mux(initial[index], offered[self.vectors + index], offered[index])
            may_end = (due == index) & (busy != self.vectors)
            m.d.sync += ready[index].eq(fetched[index] & input_there & (~steps[index].final | may_end))
        # In the cycle after its start, a layer still counts as ready.
        started = registered(m, start, "started")
        usable = [ready[index] & ~(started & (vector == index)) for index in each]
        if self.vectors > 1:
            # The other one goes before the vector whose layer has just run.
            m.d.comb += chosen.eq(Mux(Cat(usable).bit_select(~vector, 1), ~vector, vector))
        m.d.comb += [start.eq((~active | finish) & Cat(usable).any()), walk.step.eq(Array(steps)[chosen])]
        region = Mux(initial[chosen], self.vectors + chosen, chosen)
        m.d.sync += offered.eq((offered | self.begun) & ~(start << region))
        final = Array(step.final for step in steps)[chosen]
        number = Mux(final, 0, numbers[chosen] + 1)
        with m.If(start):
            m.d.sync += [
                vector.eq(chosen),
                self.region.eq(region),
                self.weight.eq(Mux(initial[chosen], 0, weights[chosen])),
                self.layer.eq(number),
                numbers[chosen].eq(number),
                initial[chosen].eq(final),
                fetched[chosen].eq(0),
            ]
            if self.vectors > 1:
                m.d.sync += due.eq(due ^ final)
        m.d.sync += busy.eq(busy + (start & final) - self.left)
        m.d.comb += self.idle.eq(~self.waiting & ~active & Cat(*initial).all() & (busy == 0))

        self._read_program(m, start, chosen, steps, numbers, fetched)
        return m

    def _read_program(
        self,
        m: Module,
        start: Signal,
        chosen: Signal,
        steps: Sequence[data.View],
        numbers: Sequence[Signal],
        fetched: Sequence[Signal],
    ) -> None:
        """Layers come from the program, for the vector whose layer has started, or after a restart for all."""
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
            if self.drain.groups:
                m.d.sync += self.last_segment.eq(self.program.last_segment)
                m.d.sync += self.last_inner.eq(self.program.last_inner)
        for index in range(self.vectors + 1):
            if self.norms:
                with m.If(answered[index]):
                    m.d.sync += self.elements[index].eq(self.program.elements)
                    m.d.sync += self.first_gains[index].eq(self.program.first_gain)
        for index in range(self.vectors):
            with m.If(restart):
                m.d.sync += [numbers[index].eq(0), fetched[index].eq(0)]
            with m.Elif(answered[index]):
                m.d.sync += [steps[index][name].eq(self.program[name]) for name, _ in steps[index].shape()]
                m.d.sync += fetched[index].eq(1)
