# amaranth: UnusedElaboratable=no
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import PAUSES

from golden.activations import activations_integer, ranges
from golden.errors import TritiumError
from golden.formats import RULES
from golden.quantise import quantise_activations
from rtl.divider import RoundingDivider
from rtl.group_factors import GroupFactors
from rtl.layouts import levels
from rtl.quantizer import Quantizer
from rtl.quantizer_config import QuantizerConfig
from sim.pysim import Bench, Driver, Pauses, Transfer, never, seeded, trace


class Vector(NamedTuple):
    """Words of a vector; of each group the index behind its last word, and whether it becomes int8."""

    words: list[list[int]]
    ends: tuple[int, ...]
    wide: tuple[bool, ...]


class Run(NamedTuple):
    """Transfers in and out; the factors, and when each word out was first offered."""

    taken: list[Transfer]
    left: list[Transfer]
    factors: list[Transfer]
    offered: list[int]


def whole(*words: list[int], wide: bool = True) -> Vector:
    """A vector that is one group."""
    return Vector(list(words), (len(words),), (wide,))


def words_of(config: QuantizerConfig, vectors: list[Vector], channel: int = 0) -> list[dict[str, Any]]:
    """Vectors of one channel on their way in, word by word."""
    words = []
    for vector in vectors:
        for index, word in enumerate(vector.words):
            words.append({"channel": channel, "data": word, "last": index == len(vector.words) - 1})
            if config.grouped:
                group = sum(end <= index for end in vector.ends)
                words[-1] |= {"group_last": index + 1 in vector.ends, "wide": vector.wide[group]}
    return words


def quantised(
    config: QuantizerConfig, words: list[dict[str, Any]], offering: Pauses = never, taking: Pauses = never
) -> Run:
    """Send words and take as many."""
    quantizer = Quantizer(config)
    bench = Bench(quantizer, limit=3000)
    taken, left = bench.send(quantizer.i, words, offering), bench.collect(quantizer.o, len(words), taking)

    def watch() -> Driver:
        while len(left) < len(words):
            yield {}

    seen = bench.play(watch(), "o.valid", "o.ready", *(("factor",) if config.grouped else ()))
    bench.run()
    factors = [
        Transfer(cycle, {name: value for name, value in now["factor"].items() if name != "valid"})
        for cycle, now in enumerate(seen)
        if config.grouped and now["factor"]["valid"]
    ]
    before = [{"o.valid": 0, "o.ready": 0}, *seen]
    return Run(
        taken,
        left,
        factors,
        [
            cycle
            for cycle, (then, now) in enumerate(pairwise(before))
            if now["o.valid"] and (then["o.ready"] or not then["o.valid"])
        ],
    )


def model(rule: str, vector: Vector) -> tuple[list[list[int]], list[int]]:
    """The words of a vector and the factors of its groups."""
    words = np.array(vector.words)
    flat, lanes = words.reshape(1, -1), words.shape[1]
    ends = tuple(end * lanes for end in vector.ends)
    if rule == "int4-groups" and vector.wide != (*[False] * (len(ends) - 1), True):
        # An int8 group of one zero at the end is worth nothing, and every other group becomes int4.
        values, factors, _ = activations_integer(np.pad(flat, ((0, 0), (0, 1))), rule, (*ends, flat.size + 1))
        values, factors = values[:, :-1], factors[:, :-1]
        for (start, end), wide in zip(ranges(ends), vector.wide, strict=True):
            if wide:
                values[:, start:end] = quantise_activations(flat[:, start:end])[0]
    else:
        values, factors, _ = activations_integer(flat, rule, ends)
    return [list(map(int, word)) for word in values.reshape(words.shape)], list(map(int, factors[0]))


def golden(config: QuantizerConfig, vectors: list[Vector], channel: int = 0) -> list[dict[str, object]]:
    """The words that come out of the model."""
    expected = []
    for vector in vectors:
        words, _ = model(config.rule, vector)
        last = len(words) - 1
        expected += [{"data": word, "last": index == last, "channel": channel} for index, word in enumerate(words)]
    return expected


def random_vectors(config: QuantizerConfig, lengths: list[int], seed: int) -> list[Vector]:
    """Vectors of that many words; groups of small and of large values."""
    random = np.random.default_rng(seed)
    largest = (1 << config.width - 1) - 1
    vectors = []
    for length in lengths:
        cuts = random.choice(length - 1, random.integers(min(config.groups, length)), replace=False) + 1
        ends = (*sorted(cuts.tolist()), length)
        limits = [int(random.choice([0, 1, 2, min(5, largest), largest >> config.width // 2, largest])) for _ in ends]
        words = [
            random.integers(-limit, limit, (end - start, config.lanes), endpoint=True).clip(-largest, largest)
            for (start, end), limit in zip(ranges(ends), limits, strict=True)
        ]
        likely = [False] * (len(ends) - 1) + [True]
        wide = likely if random.random() < 0.5 else (random.random(len(ends)) < 0.5).tolist()
        vectors.append(Vector(np.concatenate(words).tolist(), ends, tuple(wide)))
    return vectors


class Case(NamedTuple):
    """Vectors by channel, and the words of all in the order in which they enter."""

    config: QuantizerConfig
    vectors: list[list[Vector]]
    words: list[dict[str, Any]]


@st.composite
def cases(draw: st.DrawFn, rule: str) -> Case:
    depths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple))
    groups = draw(st.integers(1, 5)) if rule == "int4-groups" else 1
    config = QuantizerConfig(draw(st.integers(1, 5)), draw(st.integers(2, 24)), depths, rule, groups)
    seed = draw(st.integers(0, 2**16))
    vectors = [
        random_vectors(config, draw(st.lists(st.integers(1, depth), min_size=1, max_size=5)), seed + channel)
        for channel, depth in enumerate(depths)
    ]
    # A channel's words stay in order; between the channels any order will do.
    waiting = [words_of(config, of_channel, channel) for channel, of_channel in enumerate(vectors)]
    order = draw(st.permutations([channel for channel, words in enumerate(waiting) for _ in words]))
    return Case(config, vectors, [waiting[channel].pop(0) for channel in order])


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), offering=PAUSES, taking=PAUSES)
def test_vectors_are_golden_whoever_pauses(rule: str, data: st.DataObject, offering: Pauses, taking: Pauses) -> None:
    config, vectors, words = data.draw(cases(rule))
    run = quantised(config, words, offering, taking)
    out = [transfer.payload for transfer in run.left]
    for channel, of_channel in enumerate(vectors):
        assert [word for word in out if word["channel"] == channel] == golden(config, of_channel, channel)
    # Every vector leaves in one piece.
    assert all(before["last"] or before["channel"] == after["channel"] for before, after in pairwise(out))
    if config.grouped:
        check_factors(run, config, vectors)


def check_factors(run: Run, config: QuantizerConfig, vectors: list[list[Vector]]) -> None:
    """Every group's factor comes once, in the order in which they leave, after its vector and before its words."""
    entered = [[word.cycle for word in run.taken if word.payload["channel"] == c] for c in range(len(config.depths))]
    waiting = [list(of_channel) for of_channel in vectors]
    factors, place = list(run.factors), 0
    while place < len(run.left):
        channel = run.left[place].payload["channel"]
        vector = waiting[channel].pop(0)
        for group, value in enumerate(model(config.rule, vector)[1]):
            factor = factors.pop(0)
            assert factor.payload == {"channel": channel, "group": group, "value": value}
            assert entered[channel][len(vector.words) - 1] + config.closing + 2 <= factor.cycle
            assert factor.cycle <= run.offered[place + (0, *vector.ends)[group]] - RoundingDivider.LATENCY + 1
        place += len(vector.words)
        del entered[channel][: len(vector.words)]
    assert not factors


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=15, deadline=None)
@given(lanes=st.integers(1, 6), words=st.integers(1, 6), depth=st.integers(0, 3), seed=st.integers(0, 2**16))
def test_latency_and_throughput_are_as_stated(rule: str, lanes: int, words: int, depth: int, seed: int) -> None:
    config = QuantizerConfig(lanes, 12, (words + depth,), rule, 4 if rule == "int4-groups" else 1)
    (vector,) = vectors = random_vectors(config, [words], seed)
    run = quantised(config, words_of(config, vectors))
    assert [word.cycle for word in run.taken] == list(range(words))
    assert [word.cycle for word in run.left] == list(range(words - 1 + config.latency, 2 * words - 1 + config.latency))
    tree = max(levels(lanes), 2)
    assert (
        config.latency
        == {
            "int8": 2 + tree + RoundingDivider.LATENCY,
            "sign": 4,
            "int4-groups": 3 + tree + RoundingDivider.LATENCY,
        }[rule]
    )
    if config.grouped:
        firsts = [run.left[start].cycle for start, _ in ranges(vector.ends)]
        assert [factor.cycle for factor in run.factors] == [cycle - RoundingDivider.LATENCY + 1 for cycle in firsts]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5])
def test_the_stated_cycles_pass_between_vectors(lanes: int, rule: str) -> None:
    words = 3
    config = QuantizerConfig(lanes, 9, (words,), rule)
    run = quantised(config, words_of(config, random_vectors(config, [words] * 4, 1)))
    apart = words + config.closing
    tree = max(levels(lanes), 2)
    assert config.closing == {"int8": 1 + tree, "sign": 3, "int4-groups": 2 + tree}[rule]
    assert [word.cycle for word in run.taken[::words]] == [index * apart for index in range(4)]


@pytest.mark.parametrize("rule", RULES)
def test_a_channel_enters_while_another_is_closed_and_the_lowest_leaves_first(rule: str) -> None:
    lengths = [6, 2, 3]  # the first one still leaves when the other two are whole
    config = QuantizerConfig(1, 9, (3, 2, 6), rule)
    vectors = random_vectors(config, lengths, 4)
    words = [
        word for channel, vector in zip((2, 1, 0), vectors, strict=True) for word in words_of(config, [vector], channel)
    ]
    run = quantised(config, words)
    assert [word.cycle for word in run.taken] == list(range(sum(lengths)))
    first = lengths[0] - 1 + config.latency
    # Vectors follow one another without a pause.
    assert [(word.payload["channel"], word.cycle) for word in run.left] == [
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
    vectors = [whole([largest, -largest, 0]), whole([0, 0, 0]), whole([1, -1, 1]), whole([0, 0, -largest])]
    config = QuantizerConfig(3, width, (2,))
    out = quantised(config, words_of(config, vectors)).left
    assert [word.payload["data"] for word in out] == [[127, -127, 0], [0, 0, 0], [127, -127, 127], [0, 0, -127]]


@pytest.mark.parametrize("width", [2, 32, 63])
def test_zero_has_the_sign_of_one(width: int) -> None:
    largest = (1 << width - 1) - 1
    config = QuantizerConfig(3, width, (2,), "sign")
    out = quantised(config, words_of(config, [whole([0, -1, 1], [largest, -largest, 0])])).left
    assert [word.payload["data"] for word in out] == [[1, -1, 1], [1, -1, 1]]


TIES = [140, 9, 27, 45, 63, 81, 99, 117, 135, 136]
"""70·a / (9·140) is 7.8, and then 0.5 to 7.5, and more."""


@pytest.mark.parametrize(
    ("vector", "values", "factors"),
    [
        (whole(TIES, wide=False), [[7, 0, 2, 2, 4, 4, 6, 6, 7, 7]], [140 << 7]),
        (whole([-a for a in TIES], wide=False), [[-8, 0, -2, -2, -4, -4, -6, -6, -8, -8]], [140 << 7]),
        (whole([254, 1, 3, 5, -5, 251, -253, 0, 2, 64]), [[127, 0, 2, 2, -2, 126, -126, 0, 1, 32]], [254 << 7]),
        (whole([0] * 10, [0] * 10, wide=False), [[0] * 10, [0] * 10], [1 << 14]),
        (
            Vector([[1] * 10, [-2] * 10, [0] * 10, [-3] * 10], (1, 2, 3, 4), (False, False, True, True)),
            [[7] * 10, [-8] * 10, [0] * 10, [-127] * 10],
            [1 << 13, 1 << 14, 1 << 13, 3 << 13],
        ),
        (
            Vector(
                [[-(2**61)] * 10, [2**46 - 1] * 10, [2**47 + 1] * 10, [2**61 + 2**47 - 1] * 10],
                (1, 2, 3, 4),
                (False,) * 4,
            ),
            [[-8] * 10, [7] * 10, [7] * 10, [7] * 10],
            [1 << 14, 0, 1, 1 << 14],
        ),
        (
            Vector([[2**62 - 1] * 5 + [1 - 2**62] * 5, [2**62 - 1] * 5 + [1 - 2**62] * 5], (1, 2), (False, True)),
            [[7] * 5 + [-8] * 5, [127] * 5 + [-127] * 5],
            [32767, 32767],
        ),
    ],
    ids=["ties", "negative ties", "wide ties", "zeros", "one word a group", "cut factors", "largest"],
)
@pytest.mark.parametrize("groups", [4, 256])
def test_known_groups(vector: Vector, values: list[list[int]], factors: list[int], groups: int) -> None:
    config = QuantizerConfig(10, 63, (4, 4), "int4-groups", groups)
    run = quantised(config, words_of(config, [vector, vector], 1))
    assert [word.payload["data"] for word in run.left] == values * 2
    assert [factor.payload["value"] for factor in run.factors] == factors * 2
    assert [factor.payload["group"] for factor in run.factors] == [*range(len(factors))] * 2
    assert {factor.payload["channel"] for factor in run.factors} == {1}


@pytest.mark.parametrize("taking", [never, seeded(5, 0.5)], ids=["never", "often"])
def test_a_short_vector_s_groups_do_not_overwrite_those_of_the_one_that_leaves(taking: Pauses) -> None:
    config = QuantizerConfig(1, 12, (40,), "int4-groups", 8)
    long = Vector([[100 * (1 + index // 5)] for index in range(40)], tuple(range(5, 41, 5)), (False,) * 8)
    short = Vector([[1000 + index] for index in range(8)], tuple(range(1, 9)), (True,) * 8)
    run = quantised(config, words_of(config, [long, short, long, short]), taking=taking)
    assert run.taken[47].cycle < run.left[39].cycle  # all of it is in while the long one leaves
    assert [word.payload for word in run.left] == golden(config, [long, short, long, short])
    check_factors(run, config, [[long, short, long, short]])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rule": "int3"}, "rule is 'int3'; it is one of int8, sign, int4-groups"),
        ({"rule": "int4-groups", "groups": 257}, "groups is 257; it must be an integer from 1 to 256"),
        ({"rule": "int4-groups", "groups": 0}, "groups is 0; it must be an integer from 1 to 256"),
        ({"rule": "sign", "groups": 2}, "groups is 2; it must be an integer from 1 to 1"),
    ],
)
def test_bad_rules_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(TritiumError, match=f"^quantiser: {message}$"):
        QuantizerConfig(1, 8, (3,), **parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((0, 1, 1), "width is 0; it must be an integer from 1 to 62"),
        ((63, 1, 1), "width is 63; it must be an integer from 1 to 62"),
        ((1, 0, 1), "groups is 0; it must be an integer from 1 to 256"),
        ((1, 257, 1), "groups is 257; it must be an integer from 1 to 256"),
        ((1, 1, 0), "number of channels is 0; it must be an integer from 1 to 16"),
        ((1, 1, 17), "number of channels is 17; it must be an integer from 1 to 16"),
    ],
)
def test_bad_groups_are_refused(parameters: tuple[int, int, int], message: str) -> None:
    with pytest.raises(TritiumError, match=f"^GroupFactors: {message}$"):
        GroupFactors(*parameters)
