"""The sequencer: walks the program for each token and gives its steps to the units."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import delayed
from rtl.transformer.config import DecoderConfig
from rtl.transformer.kinds import Unit, Wait
from rtl.transformer.steps import Steps

UNITS = tuple(unit.name.lower() for unit in Unit)
"""Names of the units' ports."""


class Sequencer(wiring.Component):
    """Takes a token, and gives the steps of all blocks and, if a choice is wanted, of the head.

    The program has the steps of one block and behind them those of the head. A step is given when its unit takes it and
    what it waits for has come.

    Parameters
    ----------
    config
        The decoder.
    entries
        Entries of the program, 1 to 65536.

    Members
    -------
    token
        In, stream of `token_layout`: the next token of the sequence; ``first`` begins one, ``sample`` asks for a
        choice. Ready while nothing is at work.
    embedding
        Out, stream of the token alone: offered in the cycle in which it is taken from `token`, always taken.
    array, elements, quantiser, scalars
        Out, streams of the units' steps.
    busy
        In, a bit for each `Wait`: steps that wait for it wait on.
    others
        In, 1: something else that a token waits for has: reading of the embedding, or choosing.
    reading
        In, 1: the embedding is still being read.
    address
        Out: the entry of the program to read.
    entry
        In, `Steps.entry`: that entry, `LoadableMemory.LATENCY` cycles later.
    place
        Out, `Steps.place`: of the token at hand.
    begin
        Out, 1: a token is taken in this cycle.
    idle
        Out, 1: nothing is at work.

    Latency: `FETCH` cycles from a step's being taken to the next one's being offered, and from a token's being taken to
    the first one's; `REST` cycles from the last unit's last work to `idle`.

    """

    FETCH = LoadableMemory.LATENCY + 1
    """The address, and the program's memory."""
    REST = 1
    """The register of `idle`."""

    token: stream.Interface
    embedding: stream.Interface
    array: stream.Interface
    elements: stream.Interface
    quantiser: stream.Interface
    scalars: stream.Interface
    busy: Signal
    others: Signal
    reading: Signal
    address: Signal
    entry: data.View
    place: data.View
    begin: Signal
    idle: Signal

    def __init__(self, config: DecoderConfig, entries: int):
        self.config, self.steps = config, Steps(config)
        ports: dict[str, Any] = {
            name: Out(stream.Signature(self.steps.of(unit))) for name, unit in zip(UNITS, Unit, strict=True)
        }
        super().__init__(
            ports
            | {
                "token": In(stream.Signature(self.token_layout(config))),
                "embedding": Out(stream.Signature(indices(config.shape.vocabulary), always_ready=True)),
                "busy": In(len(Wait)),
                "others": In(1),
                "reading": In(1),
                "address": Out(indices(entries)),
                "entry": In(self.steps.entry),
                "place": Out(self.steps.place),
                "begin": Out(1),
                "idle": Out(1, init=1),
            }
        )

    @staticmethod
    def token_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of a token, and what is to be done with it."""
        return data.StructLayout({"token": indices(config.shape.vocabulary), "first": 1, "sample": 1})

    def elaborate(self, platform) -> Module:
        """Fetch, wait, give; and what a token's beginning and end change."""
        m = Module()
        walking, sample = Signal(), Signal()
        block = Signal(indices(self.config.shape.blocks))
        in_head, given = Signal(), Signal()
        m.d.comb += [
            self.token.ready.eq(self.idle),
            self.begin.eq(self.token.valid & self.idle),
            self.embedding.valid.eq(self.begin),
            self.embedding.payload.eq(self.token.payload.token),
        ]
        offered = self._offered(m, walking, given)
        self._steps(m, offered, block, given)
        end = given & self.entry.last
        last_block = block == self.config.shape.blocks - 1
        with m.If(self.begin):
            m.d.sync += [self.idle.eq(0), walking.eq(1), sample.eq(self.token.payload.sample)]
        with m.Elif(~walking & ~self.busy.any() & ~self.others):
            m.d.sync += self.idle.eq(1)
        with m.If(given):
            m.d.sync += self.address.eq(Mux(end & ~in_head & ~last_block, 0, self.address + 1))
        with m.If(end):
            m.d.sync += block.eq(block + 1)
            with m.If(in_head | last_block):
                m.d.sync += [in_head.eq(~in_head & sample), block.eq(0)]
                with m.If(in_head | ~sample):
                    m.d.sync += [walking.eq(0), self.address.eq(0)]
        self._advance(m)
        return m

    def _offered(self, m: Module, walking: Signal, given: Signal) -> Value:
        """Whether the entry that has been read may be given, as far as the program's memory is concerned."""
        fetching = delayed(m, self.begin | given, self.FETCH - 1, "fetching")
        fetched = Signal()
        with m.If(fetching):
            m.d.sync += fetched.eq(1)
        with m.Elif(given):
            m.d.sync += fetched.eq(0)
        return walking & fetched & ~self.reading

    def _steps(self, m: Module, offered: Value, block: Signal, given: Signal) -> None:
        """The entry to its unit."""
        heads = self.config.shape.key_heads
        first = Signal(self.steps.region)  # of the block's regions
        with m.If(given & self.entry.last):
            m.d.sync += first.eq(first + heads)
        with m.If(self.begin):
            m.d.sync += first.eq(0)
        free = ~(self.entry.waits & self.busy).any()
        region, rewind = Signal(self.steps.region), Signal()
        m.d.comb += [region.eq(first + self.entry.region), rewind.eq(self.entry.rewind & (block == 0))]
        taken = []
        for name, unit in zip(UNITS, Unit, strict=True):
            port = getattr(self, name)
            stored = self.steps.stored(unit)
            step = stored(self.entry.step[: stored.size])
            m.d.comb += port.valid.eq(offered & free & (self.entry.unit == unit))
            for field, _ in self.steps.of(unit):
                value = {"region": region, "rewind": rewind}.get(field)
                m.d.comb += port.payload[field].eq(step[field] if value is None else value)
            taken.append(port.valid & port.ready)
        m.d.comb += given.eq(Cat(taken).any())

    def _advance(self, m: Module) -> None:
        """The place of a token, counted instead of divided."""
        place, start = self.place, self.token.payload.first
        pairs = (("row", "tile", self.config.rows), ("column", "chunk", self.config.columns))
        with m.If(self.begin):
            m.d.sync += place.position.eq(Mux(start, 0, place.position + 1))
            for inner, outer, count in pairs:
                full = place[inner] == count - 1
                m.d.sync += place[inner].eq(Mux(start | full, 0, place[inner] + 1))
                m.d.sync += place[outer].eq(Mux(start, 0, place[outer] + full))
