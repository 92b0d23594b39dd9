# amaranth: UnusedElaboratable=no
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.activations import ranges
from golden.errors import TritweaveError
from golden.formats import GROUPED, RULES
from rtl.layouts import levels
from rtl.quantiser.config import QuantizerConfig
from rtl.quantiser.multiplying import MultiplyingDivider
from rtl.quantiser.quantiser import Quantizer
from rtl.quantiser.restoring import RestoringDivider
from sim.pysim import Driver, Pauses, trace
from support.networks import PAUSES
from support.quantisers import Vector, check_factors, golden, quantised, random_vectors, whole, words_of

KINDS: dict[str, dict[str, Any]] = {rule: {"rule": rule} for rule in RULES} | {
    "multiplying": {"divider": "multiplying"}
}
"""What a quantiser can be."""


class Case(NamedTuple):
    """Vectors by channel, and the words of all in the order in which they enter."""

    config: QuantizerConfig
    vectors: list[list[Vector]]
    words: list[dict[str, Any]]


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    depths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple))
    groups = draw(st.integers(1, 5)) if kind in GROUPED else 1
    width = draw(st.integers(9 if kind == "multiplying" else 2, 24))
    config = QuantizerConfig(draw(st.integers(1, 5)), width, depths, groups=groups, **KINDS[kind])
    seed = draw(st.integers(0, 2**16))
    vectors = [
        random_vectors(config, draw(st.lists(st.integers(1, depth), min_size=1, max_size=5)), seed + channel)
        for channel, depth in enumerate(depths)
    ]
    # A channel's words stay in order; between the channels any order will do.
    waiting = [words_of(config, of_channel, channel) for channel, of_channel in enumerate(vectors)]
    order = draw(st.permutations([channel for channel, words in enumerate(waiting) for _ in words]))
    return Case(config, vectors, [waiting[channel].pop(0) for channel in order])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), offering=PAUSES, taking=PAUSES)
def test_vectors_are_golden_whoever_pauses(kind: str, data: st.DataObject, offering: Pauses, taking: Pauses) -> None:
    config, vectors, words = data.draw(cases(kind))
    run = quantised(config, words, offering, taking)
    out = [transfer.payload for transfer in run.left]
    for channel, of_channel in enumerate(vectors):
        assert [word for word in out if word["channel"] == channel] == golden(config, of_channel, channel)
    # Every vector leaves in one piece.
    assert all(before["last"] or before["channel"] == after["channel"] for before, after in pairwise(out))
    if config.grouped:
        check_factors(run, config, vectors)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(lanes=st.integers(1, 6), words=st.integers(1, 6), depth=st.integers(0, 3), seed=st.integers(0, 2**16))
def test_latency_and_throughput_are_as_stated(kind: str, lanes: int, words: int, depth: int, seed: int) -> None:
    groups = 4 if kind in GROUPED else 1
    config = QuantizerConfig(lanes, 12, (words + depth,), groups=groups, **KINDS[kind])
    (vector,) = vectors = random_vectors(config, [words], seed)
    run = quantised(config, words_of(config, vectors))
    assert [word.cycle for word in run.taken] == list(range(words))
    assert [word.cycle for word in run.left] == list(range(words - 1 + config.latency, 2 * words - 1 + config.latency))
    tree = max(levels(lanes), 2)
    assert (
        config.latency
        == {
            "int8": 4 + tree + RestoringDivider.latency(11),
            "sign": 6,
            "binary": 6,
            "int4-groups": 4 + tree + RestoringDivider.latency(11),
            "int8-groups": 4 + tree + RestoringDivider.latency(11),
            "multiplying": 4 + tree + 24 + MultiplyingDivider.latency(11),
        }[kind]
    )
    if config.grouped:
        firsts = [run.left[start].cycle for start, _ in ranges(vector.ends)]
        assert [factor.cycle for factor in run.factors] == [cycle - config.division_latency + 1 for cycle in firsts]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5])
def test_the_stated_cycles_pass_between_vectors(lanes: int, kind: str) -> None:
    words = 3
    config = QuantizerConfig(lanes, 9, (words,), **KINDS[kind])
    run = quantised(config, words_of(config, random_vectors(config, [words] * 4, 1)))
    apart = words - 1 + config.handover_latency + config.REOPENING
    tree = max(levels(lanes), 2)
    latencies = {"int8": 2 + tree, "sign": 4, "binary": 4, "multiplying": 23 + tree} | dict.fromkeys(GROUPED, 2 + tree)
    assert config.handover_latency == latencies[kind]
    assert [word.cycle for word in run.taken[::words]] == [index * apart for index in range(4)]


@pytest.mark.parametrize("kind", KINDS)
def test_channels_enter_while_another_is_closed_and_the_lowest_is_chosen_first(kind: str) -> None:
    lengths = {3: 9, 2: 2, 1: 2, 0: 3}  # the first one still leaves when the others are whole
    config = QuantizerConfig(1, 9, (3, 2, 2, 9), **KINDS[kind])
    vectors = random_vectors(config, list(lengths.values()), 4)
    words = [
        word for channel, vector in zip(lengths, vectors, strict=True) for word in words_of(config, [vector], channel)
    ]
    run = quantised(config, words)
    assert [word.cycle for word in run.taken] == list(range(sum(lengths.values())))
    ends = dict(zip(lengths, accumulate(lengths.values()), strict=True))
    known = {channel: end - 1 + config.choice_latency for channel, end in ends.items()}
    handover, free = -1, 0
    expected = []
    while known:
        chosen = max(min(known.values()), handover + 1)
        channel = min(channel for channel, since in known.items() if since <= chosen)
        del known[channel]
        handover = max(chosen + 1 + config.preparation_latency, free)
        free = handover + lengths[channel]
        expected += [(channel, handover + config.output_latency + index) for index in range(lengths[channel])]
    assert [(word.payload["channel"], word.cycle) for word in run.left] == expected
    # Without preparation, vectors follow one another without a pause.
    assert kind == "multiplying" or expected[-1][1] == expected[0][1] + sum(lengths.values()) - 1
    assert list(dict(expected)) == ([3, 0, 1, 2] if kind == "multiplying" else [3, 2, 0, 1])


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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rule": "int3"}, "rule is 'int3'; it is one of int8, sign, int4-groups, int8-groups, binary"),
        ({"rule": "int4-groups", "groups": 257}, "groups is 257; it must be an integer from 1 to 256"),
        ({"rule": "int4-groups", "groups": 0}, "groups is 0; it must be an integer from 1 to 256"),
        ({"rule": "sign", "groups": 2}, "groups is 2; it must be an integer from 1 to 1"),
        ({"divider": "table"}, "divider is 'table'; it is one of restoring, multiplying"),
        (
            {"rule": "int4-groups", "divider": "multiplying"},
            "rule int4-groups and divider multiplying; groups need the restoring one",
        ),
    ],
)
def test_bad_rules_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^quantiser: {message}$"):
        QuantizerConfig(1, 8, (3,), **parameters)
