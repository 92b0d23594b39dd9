# amaranth: UnusedElaboratable=no
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.memory.activation_buffer import ActivationBuffer, BufferConfig
from sim.pysim import Driver, Pauses, never, seeded, trace


def chunks(values: list[int], columns: int, before: list[list[int]]) -> list[list[int]]:
    """Chunks of a vector; the last one's other lanes hold what was there before."""
    filled = [values[start : start + columns] for start in range(0, len(values), columns)]
    return [chunk + left_over[len(chunk) :] for chunk, left_over in zip(filled, before, strict=False)]


class Filling:
    """Vectors enter the regions in turn, each read while it enters; then all regions are read."""

    def __init__(self, config: BufferConfig, vectors: list[list[int]], pauses: Pauses = never):
        self.config = config
        self.contents = [[[0] * config.columns for _ in range(depth)] for depth in config.depths]
        self.whole = [False] * len(config.depths)
        self.written = 0
        self.reads: dict[int, list[int]] = {}  # cycle: what must be read then
        self.cycle = 0
        self.seen: list[dict[str, Any]] = trace(
            ActivationBuffer(config), self._driver(vectors, pauses), "begun", "whole", "written", "chunk"
        )

    def _driver(self, vectors: list[list[int]], pauses: Pauses) -> Driver:
        regions = len(self.config.depths)
        for number, values in enumerate(vectors):
            yield from self._enter(number % regions, values, pauses)
            for index in range(regions):
                for address in range(len(self.contents[index]) if self.whole[index] else 0):
                    yield from self._step({"i.valid": 0}, (index, address))
        for _ in range(ActivationBuffer.LATENCY):
            yield {"i.valid": 0}

    def _enter(self, region: int, values: list[int], pauses: Pauses) -> Driver:
        lanes, columns = self.config.lanes, self.config.columns
        new = chunks(values, columns, self.contents[region])
        words = [values[start : start + lanes] for start in range(0, len(values), lanes)]
        self.contents[region][: len(new)] = new
        index = 0
        while index < len(words):
            inputs: dict[str, Any] = {"i.valid": 0, "into": region}
            full = last = False
            if not pauses(self.cycle):
                last = index == len(words) - 1
                inputs |= {"i.valid": 1, "i.payload": {"data": words[index], "last": last}}
                full = last or (index + 1) * lanes % columns == 0
                index += 1
            # The newest chunk that is complete.
            newest = (region, self.written - 1) if self.written else None
            yield from self._step(inputs, newest, begins=region if full and self.written == 0 else None)
            if full:
                self.whole[region] = last
                self.written = 0 if last else self.written + 1

    def _step(
        self, inputs: dict[str, Any], read: tuple[int, int] | None = None, *, begins: int | None = None
    ) -> Driver:
        if read is not None:
            inputs = inputs | {"region": read[0], "address": read[1]}
            self.reads[self.cycle + ActivationBuffer.LATENCY] = self.contents[read[0]][read[1]]
        self.cycle += 1
        seen = yield inputs
        assert seen["whole"] == sum(whole << region for region, whole in enumerate(self.whole))
        assert seen["written"] == self.written
        assert seen["begun"] == (0 if begins is None else 1 << begins)


@st.composite
def cases(draw: st.DrawFn) -> tuple[BufferConfig, list[list[int]]]:
    lanes = draw(st.integers(1, 3))
    depths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple))
    config = BufferConfig(lanes * draw(st.integers(1, 4)), lanes, depths)
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    most = [config.columns * depth // lanes for depth in depths]
    lengths = [draw(st.integers(1, most[number % len(most)])) for number in range(draw(st.integers(1, 6)))]
    return config, [random.integers(-127, 128, length * lanes).tolist() for length in lengths]


@settings(max_examples=50, deadline=None)
@given(case=cases(), seed=st.integers(0, 99), share=st.sampled_from((0.0, 0.5)))
def test_chunks_can_be_read_the_stated_cycles_after_their_last_word(
    case: tuple[BufferConfig, list[list[int]]], seed: int, share: float
) -> None:
    filling = Filling(*case, seeded(seed, share))
    assert filling.reads
    for cycle, chunk in filling.reads.items():
        assert filling.seen[cycle]["chunk"] == chunk


def test_the_stream_is_always_ready() -> None:
    assert ActivationBuffer(BufferConfig(2, 1, (1,))).i.signature.always_ready
