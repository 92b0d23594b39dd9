# amaranth: UnusedElaboratable=no
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import PAUSES

from golden.quantise import quantise_activations
from rtl.divider import RoundingDivider
from rtl.layouts import levels
from rtl.quantizer import Quantizer, QuantizerConfig
from sim.pysim import Bench, Driver, Pauses, Transfer, never, trace

Vector = list[list[int]]
"""Words of a vector."""


class Word(NamedTuple):
    """A word on its way in."""

    channel: int
    data: list[int]
    last: bool


def words_of(vectors: list[Vector], channel: int = 0) -> list[Word]:
    """Vectors of one channel, word by word."""
    return [Word(channel, word, index == len(vector) - 1) for vector in vectors for index, word in enumerate(vector)]


def quantised(
    config: QuantizerConfig, words: list[Word], offering: Pauses = never, taking: Pauses = never
) -> tuple[list[Transfer], list[Transfer]]:
    """Transfers in and out."""
    quantizer = Quantizer(config)
    bench = Bench(quantizer, limit=3000)
    payloads = [word._asdict() for word in words]
    transfers = bench.send(quantizer.i, payloads, offering), bench.collect(quantizer.o, len(words), taking)
    bench.run()
    return transfers


def golden(vectors: list[Vector], channel: int = 0) -> list[dict[str, object]]:
    """The words that come out of the model."""
    expected = []
    for vector in vectors:
        values = quantise_activations(np.array(vector).reshape(1, -1))[0].reshape(len(vector), -1).tolist()
        last = len(values) - 1
        expected += [{"data": word, "last": index == last, "channel": channel} for index, word in enumerate(values)]
    return expected


def random_vectors(config: QuantizerConfig, lengths: list[int], seed: int) -> list[Vector]:
    """Vectors of that many words, of small and of large values."""
    random = np.random.default_rng(seed)
    largest = (1 << config.width - 1) - 1
    limits = [int(random.choice([0, 1, 2, min(5, largest), largest])) for _ in lengths]
    return [
        random.integers(-limit, limit, (length, config.lanes), endpoint=True).clip(-largest, largest).tolist()
        for limit, length in zip(limits, lengths, strict=True)
    ]


class Case(NamedTuple):
    """Vectors by channel, and the words of all in the order in which they enter."""

    config: QuantizerConfig
    vectors: list[list[Vector]]
    words: list[Word]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    depths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple))
    config = QuantizerConfig(draw(st.integers(1, 5)), draw(st.integers(2, 24)), depths)
    seed = draw(st.integers(0, 2**16))
    vectors = [
        random_vectors(config, draw(st.lists(st.integers(1, depth), min_size=1, max_size=5)), seed + channel)
        for channel, depth in enumerate(depths)
    ]
    # A channel's words stay in order; between the channels any order will do.
    waiting = [words_of(of_channel, channel) for channel, of_channel in enumerate(vectors)]
    order = draw(st.permutations([channel for channel, words in enumerate(waiting) for _ in words]))
    return Case(config, vectors, [waiting[channel].pop(0) for channel in order])


@settings(max_examples=60, deadline=None)
@given(case=cases(), offering=PAUSES, taking=PAUSES)
def test_vectors_are_golden_whoever_pauses(case: Case, offering: Pauses, taking: Pauses) -> None:
    _, transfers = quantised(case.config, case.words, offering, taking)
    out = [transfer.payload for transfer in transfers]
    for channel, vectors in enumerate(case.vectors):
        assert [word for word in out if word["channel"] == channel] == golden(vectors, channel)
    # Every vector leaves in one piece.
    assert all(before["last"] or before["channel"] == after["channel"] for before, after in pairwise(out))


@settings(max_examples=30, deadline=None)
@given(lanes=st.integers(1, 6), words=st.integers(1, 6), depth=st.integers(0, 3), seed=st.integers(0, 2**16))
def test_latency_and_throughput_are_as_stated(lanes: int, words: int, depth: int, seed: int) -> None:
    config = QuantizerConfig(lanes, 12, (words + depth,))
    _, out = transfers = quantised(config, words_of(random_vectors(config, [words], seed)))
    entered, left = ([word.cycle for word in side] for side in transfers)
    assert entered == list(range(words))
    assert left == list(range(words - 1 + config.latency, 2 * words - 1 + config.latency))
    assert config.latency == 2 + max(levels(lanes), 2) + RoundingDivider.LATENCY
    assert len(out) == words


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5])
def test_the_stated_cycles_pass_between_vectors(lanes: int) -> None:
    words = 3
    config = QuantizerConfig(lanes, 9, (words,))
    taken, _ = quantised(config, words_of(random_vectors(config, [words] * 4, 1)))
    apart = words + config.closing
    assert config.closing == 1 + max(levels(lanes), 2)
    assert [word.cycle for word in taken[::words]] == [index * apart for index in range(4)]


def test_a_channel_enters_while_another_is_closed_and_the_lowest_leaves_first() -> None:
    lengths = [6, 2, 3]  # the first one still leaves when the other two are whole
    config = QuantizerConfig(1, 9, (3, 2, 6))
    vectors = random_vectors(config, lengths, 4)
    words = [word for channel, vector in zip((2, 1, 0), vectors, strict=True) for word in words_of([vector], channel)]
    taken, left = quantised(config, words)
    assert [word.cycle for word in taken] == list(range(sum(lengths)))
    first = lengths[0] - 1 + config.latency
    assert [(word.payload["channel"], word.cycle) for word in left] == [
        *((2, first + index) for index in range(6)),
        *((0, first + 6 + index) for index in range(3)),
        *((1, first + 9 + index) for index in range(2)),
    ]


def test_a_vector_longer_than_its_channel_never_completes() -> None:
    depth = 3

    def driver() -> Driver:
        for _ in range(60):
            yield {"i.valid": 1, "i.payload": {"data": [7], "last": 0, "channel": 0}, "o.ready": 1}

    seen = trace(Quantizer(QuantizerConfig(1, 8, (depth,))), driver(), "i.ready", "o.valid")
    assert [cycle["i.ready"] for cycle in seen] == [1] * depth + [0] * (60 - depth)
    assert not any(cycle["o.valid"] for cycle in seen)


@pytest.mark.parametrize("width", [2, 3, 32, 56])
def test_the_largest_values_of_either_sign_are_127(width: int) -> None:
    largest = (1 << width - 1) - 1
    vectors = [[[largest, -largest, 0]], [[0, 0, 0]], [[1, -1, 1]], [[0, 0, -largest]]]
    _, out = quantised(QuantizerConfig(3, width, (2,)), words_of(vectors))
    assert [word.payload["data"] for word in out] == [[127, -127, 0], [0, 0, 0], [127, -127, 127], [0, 0, -127]]
