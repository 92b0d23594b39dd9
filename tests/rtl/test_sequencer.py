# amaranth: UnusedElaboratable=no
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import PAUSES

from golden.errors import TritiumError
from golden.formats import PROGRAM_FIELDS
from golden.image import LayerProgram
from rtl.drain import DrainConfig
from rtl.loadable_memory import LoadableMemory
from rtl.sequencer import Sequencer
from sim.pysim import Driver, Pauses, never, steps, trace

FIELDS = ("weight", "chunk", "first", "last", "tile", "clear")
WATCHED = tuple(f"sequencer.{name}" for name in ("idle", "accept", "last_input", "issue", *FIELDS))


class Start(NamedTuple):
    """A chunk that starts: its layer and its tile, and what the sequencer says of it."""

    layer: int
    tile: int
    says: dict[str, Any]


def starts(program: list[LayerProgram], drain: DrainConfig) -> Iterator[Start]:
    """One vector's chunks in order."""
    weight = 0
    for index, layer in enumerate(program):
        for tile in range(layer.last_tile + 1):
            for chunk in range(layer.last_chunk + 1):
                last, end = chunk == layer.last_chunk, tile == layer.last_tile
                words = layer.last_drain if end else drain.interval - 1
                told = {"last_word": words, "relu": layer.relu, "final": layer.final, "end": end}
                values = (weight, chunk, chunk == 0, last, told, last and end)
                yield Start(index, tile, {f"sequencer.{name}": v for name, v in zip(FIELDS, values, strict=True)})
                weight += 1


def word_of(layer: LayerProgram) -> int:
    """A layer's word of the program memory."""
    word, shift = 0, 0
    for name, width in PROGRAM_FIELDS.items():
        word |= int(getattr(layer, name)) << shift
        shift += width
    return word


class Surroundings(wiring.Component):
    """A sequencer and its program; an input word that is offered enters where it may."""

    offer: Signal

    def __init__(self, program: list[LayerProgram], drain: DrainConfig):
        self.memory = LoadableMemory((32, 32), len(program), [word_of(layer) for layer in program])
        self.sequencer = Sequencer(
            layers=len(program),
            input_words=program[0].last_input + 1,
            chunks=max(layer.last_chunk for layer in program) + 1,
            tiles=max(layer.last_tile for layer in program) + 1,
            weight_words=sum(1 for _ in starts(program, drain)),
            drain=drain,
        )
        super().__init__({"offer": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory, m.submodules.sequencer = self.memory, self.sequencer
        m.d.comb += [
            self.memory.address.eq(self.sequencer.layer),
            Value.cast(self.sequencer.program).eq(self.memory.data),
            self.sequencer.accepted.eq(self.offer & self.sequencer.accept),
        ]
        return m


def follow(
    program: list[LayerProgram], drain: DrainConfig, vectors: int, offering: Pauses, filling: Pauses, leaving: Pauses
) -> Driver:
    """The golden sequencer beside the real one: in every cycle both let words in and start chunks alike."""
    soonest, next_tile, entered, available = Sequencer.FETCH, 0, 0, 0
    left: list[Start] = []  # chunks of the vector that is in
    for cycle in count():
        if not left and not vectors:
            return
        offer, free = not offering(cycle), not leaving(cycle)
        seen = yield {"offer": offer, "sequencer.available": available, "sequencer.free": free}
        accept = not left and cycle >= soonest
        assert seen["sequencer.accept"] == accept, cycle
        assert seen["sequencer.idle"] == (not left and entered == 0 and free), cycle
        now = left[0] if left and cycle >= soonest else None
        if now:
            opens_final = program[now.layer].final and now.tile == 0 and now.says["sequencer.first"]
            too_early = now.says["sequencer.last"] and cycle < next_tile
            if now.says["sequencer.chunk"] >= available or too_early or (opens_final and not free):
                now = None
        assert seen["sequencer.issue"] == (now is not None), cycle
        if accept and offer:
            assert seen["sequencer.last_input"] == (entered == program[0].last_input), cycle
            entered += 1
            if seen["sequencer.last_input"]:
                left, entered, soonest, vectors = list(starts(program, drain)), 0, cycle + 1, vectors - 1
        if left and available <= program[left[0].layer].last_chunk and not filling(cycle):
            available += 1
        if now:
            assert seen == seen | now.says, cycle
            left.pop(0)
            if now.says["sequencer.last"]:
                next_tile = cycle + drain.interval
            if now.says["sequencer.clear"]:
                soonest, available = cycle + 1 + Sequencer.FETCH, 0
        else:
            assert not seen["sequencer.clear"], cycle


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[LayerProgram], DrainConfig]:
    lanes = draw(st.integers(1, 2))
    drain = DrainConfig(lanes * draw(st.integers(1, 5)), lanes, 12)
    index = st.integers(0, 3)
    layers = draw(st.integers(1, 3))
    return [
        LayerProgram(
            last_input=draw(index),
            last_chunk=draw(index),
            last_tile=draw(index),
            last_drain=draw(st.integers(0, drain.interval - 1)),
            relu=draw(st.booleans()),
            final=layer == layers - 1,
        )
        for layer in range(layers)
    ], drain


@settings(max_examples=60, deadline=None)
@given(case=programs(), vectors=st.integers(1, 3), pauses=st.tuples(PAUSES, PAUSES, PAUSES))
def test_every_chunk_starts_in_the_first_cycle_that_it_may(
    case: tuple[list[LayerProgram], DrainConfig], vectors: int, pauses: tuple[Pauses, Pauses, Pauses]
) -> None:
    seen = trace(Surroundings(*case), follow(*case, vectors, *pauses), *WATCHED)
    assert sum(cycle["sequencer.clear"] for cycle in seen) == vectors * len(case[0])


@pytest.mark.parametrize(("chunks", "interval"), [(1, 4), (3, 4), (4, 4), (6, 4), (5, 1)])
def test_tiles_are_as_close_as_chunks_and_drain_allow(chunks: int, interval: int) -> None:
    program = [LayerProgram(0, chunks - 1, 4, 0, relu=False, final=True)]
    drain = DrainConfig(interval, 1, 12)
    driver = follow(program, drain, 1, never, never, never)
    seen = trace(Surroundings(program, drain), driver, *WATCHED)
    ends = [number for number, cycle in enumerate(seen) if cycle["sequencer.issue"] and cycle["sequencer.last"]]
    assert np.diff(ends).tolist() == [max(chunks, interval)] * 4


def test_a_restart_fetches_the_program_anew_but_only_while_idle() -> None:
    program = [LayerProgram(2, 0, 0, 0, relu=False, final=True)]

    def driver() -> Driver:
        yield {"sequencer.free": 1}
        yield from steps([{}] * 5)
        yield {"sequencer.restart": 1}
        yield from steps([{"sequencer.restart": 0}] * 5)
        yield {"offer": 1}
        yield from steps([{"offer": 0, "sequencer.restart": 1}] * 5)

    seen = trace(Surroundings(program, DrainConfig(1, 1, 12)), driver(), "sequencer.accept", "sequencer.idle")
    fetch = Sequencer.FETCH
    accept = [*[0] * fetch, *[1] * (7 - fetch), *[0] * fetch, *[1] * (11 - fetch)]
    assert [cycle["sequencer.accept"] for cycle in seen] == accept
    assert [cycle["sequencer.idle"] for cycle in seen] == [*[1] * 13, *[0] * 5]


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("layers", 0, "layers is 0; it must be an integer from 1 to 65535"),
        ("layers", 65536, "layers is 65536; it must be an integer from 1 to 65535"),
        ("input_words", 0, "input words is 0; it must be an integer from 1 to 65536"),
        ("chunks", 65537, "chunks is 65537; it must be an integer from 1 to 65536"),
        ("tiles", 0, "tiles is 0; it must be an integer from 1 to 65536"),
        ("weight_words", (1 << 24) + 1, "weight words is 16777217; it must be an integer from 1 to 16777216"),
    ],
)
def test_bad_parameters_are_refused(parameter: str, value: int, message: str) -> None:
    sizes = {"layers": 1, "input_words": 1, "chunks": 1, "tiles": 1, "weight_words": 1} | {parameter: value}
    with pytest.raises(TritiumError, match=f"^sequencer: {message}$"):
        Sequencer(**sizes, drain=DrainConfig(1, 1, 8))
