# amaranth: UnusedElaboratable=no
"""The norms alone: roots bit by bit, and vectors of several channels in the stated cycles."""

from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.layer_norm import LayerNorm
from rtl.engine.norm import Norm
from rtl.engine.norm_config import NormConfig, Norming
from rtl.engine.norm_root import NormRoot
from rtl.memory.loadable import LoadableMemory
from rtl.quantiser.config import QuantizerConfig
from sim.pysim import Driver, trace

SHIFT, WIDTH = 8, 12


def config(lanes: int, depths: tuple[int, ...], elements: int, words: int = 8) -> NormConfig:
    return NormConfig(lanes, WIDTH, depths, elements, Norming(words, SHIFT, 24))


@settings(max_examples=40, deadline=None)
@given(
    vectors=st.lists(st.lists(st.integers(-2047, 2047), min_size=1, max_size=21), min_size=1, max_size=4),
    longest=st.integers(21, 30),
)
def test_the_root_is_the_rounded_one_in_the_stated_cycles(vectors: list[list[int]], longest: int) -> None:
    made = config(1, (longest, longest), longest)

    def driver() -> Driver:
        for values in vectors:
            squares = sum(value * value for value in values)
            yield {"start": 1, "elements": len(values), "total": sum(values), "squares": squares}
            for _ in range(made.root_latency):
                yield {"start": 0}

    seen = trace(NormRoot(made), driver(), "done", "root")
    for index, values in enumerate(vectors):
        cycles = seen[index * (made.root_latency + 1) :][: made.root_latency + 1]
        assert [cycle["done"] for cycle in cycles] == [0] * made.root_latency + [1]
        variance = len(values) * sum(value * value for value in values) - sum(values) ** 2
        assert cycles[-1]["root"] == max(isqrt(variance), 1)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_vectors_leave_normed_in_the_stated_cycles_once_there_is_room(lanes: int) -> None:
    """Two channels a word in turn; the inputs' vector, whose last word is first, waits for a quantiser that is full."""
    draws, words, room = np.random.default_rng(lanes), 3, 60
    norm = LayerNorm.of(draws.normal(size=words * lanes), draws.normal(size=words * lanes))
    made = config(lanes, (words, words), words * lanes)
    values = draws.integers(-2047, 2048, (2, words, lanes))
    pairs = np.stack([norm.gains, norm.biases], axis=1).reshape(words, lanes, 2)
    gains = [[{"gain": int(pair[0]) & 0xFFFF, "bias": int(pair[1]) & 0xFFFF} for pair in word] for word in pairs]
    dut = Norm(made, QuantizerConfig(lanes, 24, (words, words)))
    cycles = room + 3 * (made.output_latency + made.sum_latency + 3 * words)
    found: list[tuple[int, int, list[int], int]] = []

    def driver() -> Driver:
        addresses = [0] * LoadableMemory.LATENCY
        for cycle in range(cycles):
            channel, index = (cycle + 1) % 2, cycle // 2
            inputs = {"elements": [words * lanes] * 2, "first_gains": [0, 0], "o.ready": int(cycle >= room)}
            word = {"channel": channel, "last": index == words - 1, "data": values[channel, min(index, 2)].tolist()}
            inputs |= {"i.valid": int(index < words), "i.payload": word, "gains": gains[min(addresses.pop(0), 2)]}
            now = yield inputs
            addresses.append(now["gain"] if now else 0)

    seen = trace(dut, driver(), "i.ready", "o.valid", "o.payload", "gain")
    for cycle, now in enumerate(seen):
        if now["o.valid"]:
            payload = now["o.payload"]
            found.append((cycle, payload["channel"], payload["data"], payload["last"]))
    expected = [norm.forward(vector.reshape(1, -1), SHIFT).values.reshape(words, lanes) for vector in values]
    first = room + made.output_latency
    second = first + words + made.output_latency
    assert found == [
        (start + index, channel, expected[channel][index].tolist(), int(index == words - 1))
        for start, channel in ((first, 1), (second, 0))
        for index in range(words)
    ]
    reopened = room + made.reopening + words
    assert [now["i.ready"] for now in seen[reopened - 2 : reopened + 2 : 2]] == [0, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Norming(0, 0, 24), "norming: words is 0"),
        (lambda: Norming(1, 63, 24), "norming: shift is 63"),
        (lambda: Norming(1, 0, 8), "norming: result bits is 8"),
        (lambda: NormConfig(1, 25, (1, 1), 5, Norming(1, 0, 24)), "norm: width is 25"),
        (lambda: NormConfig(1, 24, (1, 1), 2048, Norming(1, 0, 24)), "norm: bits of a variance is 70"),
    ],
)
def test_bad_sizes_are_refused(make, message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        make()
