"""The sequencer: walks the program, layer by layer, tile by tile, chunk by chunk."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import PROGRAM_FIELDS
from rtl.drain import DrainConfig
from rtl.layouts import indices
from rtl.limits import check_range
from rtl.loadable_memory import LoadableMemory

PROGRAM = data.StructLayout(dict(PROGRAM_FIELDS))
"""A layer of the program, see `golden.formats.PROGRAM_FIELDS`."""


class Sequencer(wiring.Component):
    """Starts every chunk of a network in a fixed order, as soon as its activations are there and its results have room.

    One vector at a time: its input words are let in, its layers run, then the next vector's input is let in while the
    last results are still on their way.

    Parameters
    ----------
    layers
        Entries of the program memory, 1 to 65535.
    input_words, chunks, tiles
        Most stream words of the network's input, most chunks of a layer's input, most tiles of a layer, 1 to 65536.
    weight_words
        Words of the weight memory, 1 to 2**24.
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
    idle
        Out, 1: no vector is in the engine.
    accept
        Out, 1: input words may enter.
    accepted
        In, 1: one did.
    last_input
        Out, 1: the input word is the vector's last.
    available
        In: chunks of the current layer's input that can be read.
    free
        In, 1: the results of the vector before have left; the final layer waits for it.
    issue
        Out, 1: a chunk starts in this cycle.
    first, last
        Out, 1: it is the first, the last of its tile.
    chunk
        Out: its number, the address into the activation buffer.
    weight
        Out: the address of its weights.
    tile
        Out, `DrainConfig.tile`: the tile that the chunk belongs to.
    clear
        Out, 1: the layer's last chunk starts; its activations are not needed again.

    `FETCH` cycles pass before a vector's first input word and before each further layer while the program is read.
    Throughput: one chunk a cycle, as far as activations are available and tiles are `DrainConfig.interval` apart.

    """

    FETCH = LoadableMemory.LATENCY

    layer: Signal
    program: data.View
    restart: Signal
    idle: Signal
    accept: Signal
    accepted: Signal
    last_input: Signal
    available: Signal
    free: Signal
    issue: Signal
    first: Signal
    last: Signal
    chunk: Signal
    weight: Signal
    tile: data.View
    clear: Signal

    def __init__(
        self, *, layers: int, input_words: int, chunks: int, tiles: int, weight_words: int, drain: DrainConfig
    ):
        check_range("sequencer", "layers", layers, 1, 65535)
        for name, value in (("input words", input_words), ("chunks", chunks), ("tiles", tiles)):
            check_range("sequencer", name, value, 1, 65536)
        check_range("sequencer", "weight words", weight_words, 1, 1 << 24)
        self.input_words, self.tiles, self.drain = input_words, tiles, drain
        super().__init__(
            {
                "layer": Out(indices(layers)),
                "program": In(PROGRAM),
                "restart": In(1),
                "idle": Out(1),
                "accept": Out(1),
                "accepted": In(1),
                "last_input": Out(1),
                "available": In(range(chunks + 1)),
                "free": In(1),
                "issue": Out(1),
                "first": Out(1),
                "last": Out(1),
                "chunk": Out(indices(chunks)),
                "weight": Out(indices(weight_words)),
                "tile": Out(drain.tile),
                "clear": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """Counters of input words, tiles and chunks, and a state machine of four states."""
        m = Module()
        fetched = Signal(range(self.FETCH))
        entered = Signal(indices(self.input_words))
        tile = Signal(indices(self.tiles))
        apart = Signal(indices(self.drain.interval))  # cycles until the drain can take another tile
        whole = self.tile.end & self.last

        m.d.comb += [
            self.first.eq(self.chunk == 0),
            self.last.eq(self.chunk == self.program.last_chunk),
            self.tile.end.eq(tile == self.program.last_tile),
            self.tile.relu.eq(self.program.relu),
            self.tile.final.eq(self.program.final),
            self.tile.last_word.eq(Mux(self.tile.end, self.program.last_drain, self.drain.interval - 1)),
            self.clear.eq(self.issue & whole),
            self.last_input.eq(entered == self.program.last_input),
        ]
        with m.If(apart != 0):
            m.d.sync += apart.eq(apart - 1)
        with m.If(self.issue):
            m.d.sync += [self.chunk.eq(self.chunk + 1), self.weight.eq(self.weight + 1)]
            with m.If(self.last):
                m.d.sync += [self.chunk.eq(0), tile.eq(tile + 1), apart.eq(self.drain.interval - 1)]
            with m.If(whole):
                m.d.sync += [tile.eq(0), self.layer.eq(self.layer + 1)]
                with m.If(self.tile.final):
                    m.d.sync += [self.layer.eq(0), self.weight.eq(0)]

        with m.FSM():
            with m.State("FETCH INPUT"):
                m.d.sync += fetched.eq(fetched + 1)
                with m.If(fetched == self.FETCH - 1):
                    m.d.sync += [fetched.eq(0), entered.eq(0)]
                    m.next = "INPUT"
                m.d.comb += self.idle.eq(self.free)
                with m.If(self.idle & self.restart):
                    m.d.sync += fetched.eq(0)
                    m.next = "FETCH INPUT"
            with m.State("INPUT"):
                m.d.comb += [self.accept.eq(1), self.idle.eq((entered == 0) & self.free)]
                with m.If(self.accepted):
                    m.d.sync += entered.eq(entered + 1)
                    with m.If(self.last_input):
                        m.next = "RUN"
                with m.Elif(self.idle & self.restart):
                    m.next = "FETCH INPUT"
            with m.State("RUN"):
                m.d.comb += self.issue.eq(
                    (self.chunk < self.available)
                    & (~self.last | (apart == 0))
                    & (~self.tile.final | (tile != 0) | ~self.first | self.free)
                )
                with m.If(self.clear):
                    m.next = "FETCH LAYER"
                    with m.If(self.tile.final):
                        m.next = "FETCH INPUT"
            with m.State("FETCH LAYER"):
                m.d.sync += fetched.eq(fetched + 1)
                with m.If(fetched == self.FETCH - 1):
                    m.d.sync += fetched.eq(0)
                    m.next = "RUN"
        return m
