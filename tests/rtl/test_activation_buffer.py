# amaranth: UnusedElaboratable=no
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.activation_buffer import ActivationBuffer, BufferConfig
from sim.pysim import Driver, Pauses, never, seeded, steps, trace


def chunks(values: list[int], columns: int, before: list[list[int]]) -> list[list[int]]:
    """Chunks of a vector; the last one's other lanes hold what was there before."""
    filled = [values[start : start + columns] for start in range(0, len(values), columns)]
    return [chunk + left_over[len(chunk) :] for chunk, left_over in zip(filled, before, strict=False)]


class Filling:
    """A buffer that takes vectors one after another, each read while it enters and whole once it is in."""

    def __init__(self, config: BufferConfig, vectors: list[list[int]], pauses: Pauses = never):
        self.config = config
        self.contents = [[0] * config.columns for _ in range(config.depth)]
        self.last_transfers: dict[int, int] = {}  # chunk of the vector that enters: cycle of its last word
        self.reads: dict[int, list[int]] = {}  # cycle: what must be read then
        self.cycle = 0
        self.seen: list[dict[str, Any]] = trace(
            ActivationBuffer(config), self._driver(vectors, pauses), "available", "chunk"
        )

    def _driver(self, vectors: list[list[int]], pauses: Pauses) -> Driver:
        for values in vectors:
            self.last_transfers.clear()
            new = chunks(values, self.config.columns, self.contents)
            yield from self._enter(values, new, pauses)
            self.contents[: len(new)] = new
            for address in range(len(new)):
                yield from self._step({"address": address, "i.valid": 0}, new[address])
            yield from self._step({"clear": 1}, None, cleared=True)
        for _ in range(ActivationBuffer.LATENCY):
            yield {"clear": 0}

    def _enter(self, values: list[int], new: list[list[int]], pauses: Pauses) -> Driver:
        lanes, columns = self.config.lanes, self.config.columns
        words = [values[start : start + lanes] for start in range(0, len(values), lanes)]
        index = 0
        while index < len(words) or self.cycle <= max(self.last_transfers.values()) + ActivationBuffer.FILL:
            inputs: dict[str, Any] = {"clear": 0, "i.valid": 0}
            readable = [
                chunk for chunk, cycle in self.last_transfers.items() if cycle + ActivationBuffer.FILL <= self.cycle
            ]
            if readable:
                inputs["address"] = readable[-1]
            transfer = index < len(words) and not pauses(self.cycle)
            if transfer:
                inputs |= {"i.valid": 1, "i.payload": {"data": words[index], "last": index == len(words) - 1}}
                if (index + 1) * lanes % columns == 0 or index == len(words) - 1:
                    self.last_transfers[index * lanes // columns] = self.cycle
                index += 1
            yield from self._step(inputs, new[readable[-1]] if readable else None, len(readable))

    def _step(
        self, inputs: dict[str, Any], chunk: list[int] | None, available: int | None = None, *, cleared: bool = False
    ) -> Driver:
        if chunk is not None:
            self.reads[self.cycle + ActivationBuffer.LATENCY] = chunk
        self.cycle += 1
        seen = yield inputs
        if available is not None:
            assert seen["available"] == available
        if cleared:
            seen = yield {"clear": 0}
            self.cycle += 1
            assert seen["available"] == 0


@st.composite
def cases(draw: st.DrawFn) -> tuple[BufferConfig, list[list[int]]]:
    lanes = draw(st.integers(1, 3))
    config = BufferConfig(lanes * draw(st.integers(1, 4)), lanes, draw(st.integers(1, 4)))
    most = config.columns * config.depth // lanes
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    lengths = draw(st.lists(st.integers(1, most), min_size=1, max_size=5))
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
    assert ActivationBuffer(BufferConfig(2, 1, 1)).i.signature.always_ready


def test_clear_forgets_a_vector_that_is_only_partly_in() -> None:
    word = {"i.valid": 1, "i.payload": {"data": [5], "last": 0}}
    vector = [{"i.valid": 1, "i.payload": {"data": [value], "last": value == 9}} for value in (7, 8, 9)]
    inputs = [word, {"i.valid": 0, "clear": 1}, *({"clear": 0} | step for step in vector), {"i.valid": 0}, {}, {}]
    seen = trace(ActivationBuffer(BufferConfig(3, 1, 2)), steps(inputs), "available", "chunk")
    assert [cycle["available"] for cycle in seen] == [0] * 5 + [1] * 3
    assert seen[-1]["chunk"] == [7, 8, 9]
