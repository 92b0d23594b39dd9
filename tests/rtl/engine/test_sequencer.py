# amaranth: UnusedElaboratable=no
from itertools import count, product
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.files.image import LayerProgram
from golden.formats import PROGRAM_FIELDS, SEGMENT_FIELDS
from rtl.engine.drain import DrainConfig
from rtl.engine.sequencer import Sequencer
from rtl.memory.activation_buffer import BufferConfig
from rtl.memory.loadable import LoadableMemory
from sim.pysim import Driver, Pauses, never, steps, trace
from support.networks import PAUSES

FIELDS = ("region", "weight", "chunk", "first", "last", "group", "tile")
WATCHED = tuple(f"sequencer.{name}" for name in ("idle", "prepared", "last_input", "issue", "clear", *FIELDS))


class Layer(NamedTuple):
    """A layer as the sequencer shall run it: its chunks, and what it says of each but for the vector."""

    final: bool
    chunks: int
    says: list[dict[str, Any]]


def passes_of(layer: LayerProgram, drain: DrainConfig) -> list[tuple[int, range]]:
    """What the array takes for each tile: groups of the input, and their chunks."""
    if not drain.groups:
        return [(0, range(layer.last_chunk + 1))]
    passes, group = [], 0
    for begin in range(0, layer.last_inner + 1, layer.last_segment + 1):
        segment = range(begin, min(begin + layer.last_segment, layer.last_inner) + 1)
        passes += [(group, segment)] * (layer.last_plane + 1)
        group += 1
    if layer.last_inner < layer.last_chunk:
        passes += [(group, range(layer.last_inner + 1, layer.last_chunk + 1))] * (layer.last_side_plane + 1)
    return passes


def layers_of(program: list[LayerProgram], drain: DrainConfig) -> list[Layer]:
    """The layers of a program."""
    layers, weight = [], 0
    for layer in program:
        says = []
        passes = passes_of(layer, drain)
        for tile, (number, (group, chunks)) in product(range(layer.last_tile + 1), enumerate(passes)):
            closes = number == len(passes) - 1
            words = layer.last_drain if tile == layer.last_tile else drain.interval - 1
            told = {"last_word": words, "relu": layer.relu, "final": layer.final}
            told["end"] = closes and tile == layer.last_tile
            if drain.groups:
                told |= {"opens": number == 0, "closes": closes}
            for chunk in chunks:
                first, last = chunk == chunks[0], chunk == chunks[-1]
                says.append(
                    {"weight": weight, "chunk": chunk, "first": first, "last": last, "group": group, "tile": told}
                )
                weight += 1
        layers.append(Layer(layer.final, layer.last_chunk + 1, says))
    return layers


def word_of(layer: LayerProgram, drain: DrainConfig) -> int:
    """A layer's word of the program memory."""
    word, shift = 0, 0
    for name, width in (PROGRAM_FIELDS | SEGMENT_FIELDS if drain.groups else PROGRAM_FIELDS).items():
        word |= int(getattr(layer, name)) << shift
        shift += width
    return word


class Surroundings(wiring.Component):
    """A sequencer and its program."""

    def __init__(self, program: list[LayerProgram], drain: DrainConfig, vectors: int):
        self.memory = LoadableMemory(
            (32,) * (4 if drain.groups else 2), len(program), [word_of(layer, drain) for layer in program]
        )
        hidden = max((layer.last_chunk for layer in program[1:]), default=0) + 1
        regions = (*[hidden] * vectors, *[program[0].last_chunk + 1] * vectors)
        self.sequencer = Sequencer(
            vectors=vectors,
            layers=len(program),
            input_words=program[0].last_input + 1,
            tiles=max(layer.last_tile for layer in program) + 1,
            weight_words=sum(len(layer.says) for layer in layers_of(program, drain)),
            buffer=BufferConfig(1, 1, regions),
            drain=drain,
        )
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory, m.submodules.sequencer = self.memory, self.sequencer
        m.d.comb += [
            self.memory.address.eq(self.sequencer.layer),
            Value.cast(self.sequencer.program).eq(self.memory.data),
        ]
        return m


class Golden:
    """The rules of the sequencer, cycle by cycle, beside the real one; `runs` tells which layer ran of which vector."""

    def __init__(self, program: list[LayerProgram], drain: DrainConfig, vectors: int):
        self.layers, self.drain, self.vectors = layers_of(program, drain), drain, vectors
        # By region: chunks that can be read, whether all of them, and since when the first one can.
        self.available, self.whole, self.since = [0] * 2 * vectors, [False] * 2 * vectors, [0] * 2 * vectors
        self.next = [0] * vectors
        self.known = [Sequencer.FETCH - 1] * vectors
        self.left: list[dict[str, Any]] = []  # chunks of the layer that runs
        self.readable = 0  # of that layer, in this cycle
        self.vector, self.region, self.due, self.busy, self.next_tile = vectors - 1, 0, 0, 0, 0
        self.changed = 0  # the cycle from which on what decides whose final layer may start is as it is
        self.entering: int | None = None  # the region whose vector is on its way
        self.begun = 0  # inputs of which a chunk has come
        self.runs: list[tuple[int, int]] = []

    def follow(self, inputs: int, filling: list[Pauses], leaving: Pauses) -> Driver:
        """Run so many input vectors; activations come and results leave where nothing pauses."""
        results = 0  # vectors whose last chunk has started and whose results have not left
        for cycle in count():
            if self.begun == inputs and not (self.busy or self.left or any(self.next) or any(self.available)):
                return
            issue = self._issues(cycle)
            finish = issue and len(self.left) == 1
            filled = self._filled(cycle, inputs, filling)
            begins = filled is not None and not self.available[filled]
            waiting = any(self.available[self.vectors :])
            left = results > 0 and not leaving(cycle)
            seen = yield {
                "sequencer.begun": begins << (filled or 0),
                "sequencer.whole": sum(bit << region for region, bit in enumerate(self.whole)),
                "sequencer.written": 0 if self.entering is None else self.available[self.entering],
                "sequencer.waiting": waiting,
                "sequencer.left": left,
            }
            idle = not waiting and not self.left and not any(self.next) and not self.busy
            assert seen["sequencer.idle"] == idle, cycle
            assert seen["sequencer.issue"] == issue, cycle
            assert seen["sequencer.clear"] == finish << self.region, cycle
            if issue:
                tile = self.left[0]["tile"] | {"vector": self.vector}
                said = self.left[0] | {"region": self.region, "tile": tile}
                assert {name: seen[f"sequencer.{name}"] for name in FIELDS} == said, cycle
            ready = [self._ready(vector, cycle) for vector in range(self.vectors)]
            # What the cycle leaves behind. What can be read now, the next cycle's chunk may be.
            self.readable = self.available[self.region]
            if filled is not None:
                self._fill(filled, cycle)
            if left:
                self.changed = cycle + 1 if self.busy == self.vectors else self.changed
                self.busy, results = self.busy - 1, results - 1
            if issue and self.left.pop(0)["last"]:
                self.next_tile = cycle + self.drain.interval
            if finish:
                self.available[self.region], self.whole[self.region] = 0, False
                results += not self.next[self.vector]
            if not self.left and any(ready):
                other = (self.vector + 1) % self.vectors
                self._start(other if ready[other] else self.vector, cycle)

    def _issues(self, cycle: int) -> bool:
        if not self.left:
            return False
        chunk = self.left[0]
        return chunk["chunk"] < self.readable and (not chunk["last"] or cycle >= self.next_tile)

    def _filled(self, cycle: int, inputs: int, filling: list[Pauses]) -> int | None:
        """The region into which a chunk comes: one vector after another is on its way, each in one piece."""
        regions = range(len(filling)) if self.entering is None else [self.entering]
        coming = [region for region in regions if not filling[region](cycle) and self._misses(region, inputs)]
        return coming[0] if coming else None

    def _fill(self, region: int, cycle: int) -> None:
        if not self.available[region]:
            self.since[region] = cycle + 1
            self.begun += region >= self.vectors
        self.available[region] += 1
        self.whole[region] = self.available[region] == self._size(region)
        self.entering = None if self.whole[region] else region

    def _size(self, region: int) -> int:
        """Chunks of the vector that is in a region, or on its way into it."""
        vector = region % self.vectors
        running = bool(self.left) and region == self.region
        layer = 0 if region >= self.vectors else self.runs_layer(vector) if running else self.next[vector]
        return self.layers[layer].chunks

    def _misses(self, region: int, inputs: int) -> bool:
        """Whether a chunk can come into a region: the first of a vector whose turn it is, or a further one."""
        vector, layer = region % self.vectors, self.next[region % self.vectors]
        if self.available[region]:
            return self.available[region] < self._size(region)
        if region >= self.vectors:
            return self.begun < inputs and vector == self.begun % self.vectors
        return layer > 0 and not (self.left and self.vector == vector)

    def runs_layer(self, vector: int) -> int:
        """The layer of a vector that ran last, or runs."""
        return [layer for index, layer in self.runs if index == vector][-1]

    def _ready(self, vector: int, cycle: int) -> bool:
        layer = self.next[vector]
        region = vector if layer else self.vectors + vector
        if not self.available[region] or (self.left and region == self.region):
            return False
        since = max(self.known[vector], self.since[region])
        if self.layers[layer].final:
            if self.due != vector or self.busy == self.vectors:
                return False
            since = max(since, self.changed)
        return cycle >= since + Sequencer.CHOICE

    def _start(self, vector: int, cycle: int) -> None:
        layer = self.next[vector]
        self.runs.append((vector, layer))
        self.left = list(self.layers[layer].says)
        self.vector, self.region = vector, vector if layer else self.vectors + vector
        self.readable = self.available[self.region]
        self.known[vector] = cycle + Sequencer.FETCH
        self.next[vector] = 0 if self.layers[layer].final else layer + 1
        if self.layers[layer].final:
            self.busy, self.due, self.changed = self.busy + 1, (self.due + 1) % self.vectors, cycle + 1


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[LayerProgram], DrainConfig]:
    lanes, groups = draw(st.integers(1, 2)), draw(st.sampled_from([0, 5]))
    drain = DrainConfig(lanes * draw(st.integers(1, 5)), lanes, 12, groups)
    index = st.integers(0, 3)
    layers = draw(st.integers(1, 3))
    program = []
    for layer in range(layers):
        last_chunk = draw(index)
        segments = (st.integers(0, last_chunk), st.integers(0, last_chunk), st.integers(0, 2), st.integers(0, 2))
        program.append(
            LayerProgram(
                draw(index),
                last_chunk,
                draw(index),
                draw(st.integers(0, drain.interval - 1)),
                draw(st.booleans()),
                layer == layers - 1,
                *(draw(field) for field in (segments if groups else ())),
            )
        )
    return program, drain


@settings(max_examples=60, deadline=None)
@given(
    case=programs(),
    vectors=st.integers(1, 2),
    inputs=st.integers(1, 5),
    filling=st.lists(PAUSES, min_size=4, max_size=4),
    leaving=PAUSES,
)
def test_every_chunk_starts_in_the_first_cycle_that_it_may(
    case: tuple[list[LayerProgram], DrainConfig], vectors: int, inputs: int, filling: list[Pauses], leaving: Pauses
) -> None:
    golden = Golden(*case, vectors)
    driver = golden.follow(inputs, filling[: 2 * vectors], leaving)
    seen = trace(Surroundings(*case, vectors), driver, *WATCHED)
    assert sum(cycle["sequencer.clear"] > 0 for cycle in seen) == len(golden.runs) == inputs * len(case[0])
    finals = [vector for vector, layer in golden.runs if case[0][layer].final]
    assert finals == [number % vectors for number in range(inputs)]


def test_two_vectors_take_turns_and_leave_no_gap() -> None:
    program = [LayerProgram(0, 2, 1, 0, relu=False, final=final) for final in (False, False, True)]
    golden = Golden(program, DrainConfig(1, 1, 12), 2)
    seen = trace(Surroundings(program, golden.drain, 2), golden.follow(4, [never] * 4, never), *WATCHED)
    issues = [number for number, cycle in enumerate(seen) if cycle["sequencer.issue"]]
    assert issues == list(range(issues[0], issues[0] + 4 * 3 * 6))
    assert golden.runs[:6] == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(("chunks", "interval"), [(1, 4), (3, 4), (4, 4), (6, 4), (5, 1)])
def test_tiles_are_as_close_as_chunks_and_drain_allow(chunks: int, interval: int) -> None:
    program = [LayerProgram(0, chunks - 1, 4, 0, relu=False, final=True)]
    drain = DrainConfig(interval, 1, 12)
    seen = trace(Surroundings(program, drain, 1), Golden(program, drain, 1).follow(1, [never] * 2, never), *WATCHED)
    ends = [number for number, cycle in enumerate(seen) if cycle["sequencer.issue"] and cycle["sequencer.last"]]
    assert np.diff(ends).tolist() == [max(chunks, interval)] * 4


def test_a_restart_reads_the_program_anew_but_only_while_idle() -> None:
    program = [LayerProgram(2, 0, 0, 0, relu=False, final=True)]

    def driver() -> Driver:
        yield from steps([{}] * 6)
        yield {"sequencer.restart": 1}
        yield from steps([{"sequencer.restart": 0}] * 6)
        yield from steps([{"sequencer.waiting": 1, "sequencer.restart": 1}] * 5)

    seen = trace(Surroundings(program, DrainConfig(1, 1, 12), 2), driver(), *WATCHED[:3])
    unread = Sequencer.FETCH - 1
    prepared = [*[0] * unread, *[1] * (7 - unread), *[0] * unread, *[1] * (11 - unread)]
    assert [cycle["sequencer.prepared"] for cycle in seen] == prepared
    assert [cycle["sequencer.idle"] for cycle in seen] == [*[1] * 13, *[0] * 5]
    assert {cycle["sequencer.last_input"] for cycle in seen if cycle["sequencer.prepared"]} == {2}


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("layers", 0, "layers is 0; it must be an integer from 1 to 65535"),
        ("layers", 65536, "layers is 65536; it must be an integer from 1 to 65535"),
        ("input_words", 0, "input words is 0; it must be an integer from 1 to 65536"),
        ("vectors", 3, "vectors is 3; it must be an integer from 1 to 2"),
        ("tiles", 0, "tiles is 0; it must be an integer from 1 to 65536"),
        ("weight_words", (1 << 24) + 1, "weight words is 16777217; it must be an integer from 1 to 16777216"),
    ],
)
def test_bad_parameters_are_refused(parameter: str, value: int, message: str) -> None:
    sizes: dict[str, Any] = {"vectors": 1, "layers": 1, "input_words": 1, "tiles": 1, "weight_words": 1} | {
        parameter: value
    }
    with pytest.raises(TritweaveError, match=f"^sequencer: {message}$"):
        Sequencer(**sizes, buffer=BufferConfig(1, 1, (1, 1)), drain=DrainConfig(1, 1, 8))
