# amaranth: UnusedElaboratable=no
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from rtl.engine.drain import DrainConfig
from rtl.engine.scaling import ScaleStep, Scaling
from sim.pysim import Driver, trace

NOISE = np.random.default_rng(3)


class Case(NamedTuple):
    """A step, and the passes of tiles that go through it: their words, one of them in a cycle, None in a gap."""

    step: ScaleStep
    words: list[dict[str, Any] | None]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    lanes, interval, width = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(2, 12))
    rule = draw(st.sampled_from(["int8", "int4-groups"]))
    drain = DrainConfig(lanes * interval, lanes, width, groups=1, factors=rule == "int4-groups")
    mantissa_bits = draw(st.integers(1, 16))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    words: list[dict[str, Any] | None] = [None]
    most = 4
    for _ in range(draw(st.integers(1, 4))):
        passes, last_word = draw(st.integers(1, most)), draw(st.integers(0, interval - 1))
        relu, final, vector = (int(random.integers(2)) for _ in range(3))
        for number in range(passes):
            words += [None] * draw(st.integers(0, 2))
            for word in range(last_word + 1):
                of = {"last_word": last_word, "relu": relu, "final": final, "vector": vector}
                of |= {"opens": number == 0, "closes": number == passes - 1}
                if drain.factors:
                    of["factor"] = int(random.integers(1 << 15))
                halves = 1 << width - 1, 1 << mantissa_bits - 1
                sums, mantissas = (random.integers(-half, half, lanes).tolist() for half in halves)
                last = bool(random.integers(2))
                words.append({"of": of, "sums": sums, "mantissas": mantissas, "last": last, "marks": word % 4})
    bound = most << width + mantissa_bits - 2 + 15 * (rule == "int4-groups")
    accumulator = (2 * bound).bit_length() + 1
    shift = max(accumulator - 24, draw(st.integers(0, 3)))
    scaling = Scaling(1, mantissa_bits, max(accumulator, shift + 2), shift, rule, drain.groups)
    return Case(ScaleStep(scaling, drain), words)


def expected(case: Case) -> list[tuple[int, dict[str, Any]]]:
    """For each result, its cycle and what it shall be."""
    scaling, results, rows = case.step.scaling, [], {}
    place = 0
    for cycle, word in enumerate(case.words):
        if word is None:
            continue
        of = word["of"]
        factor = of.get("factor", 1)
        before = [1 << scaling.shift >> 1] * case.step.drain.lanes if of["opens"] else rows[place]
        products = [factor * a * b for a, b in zip(word["sums"], word["mantissas"], strict=True)]
        rows[place] = [a + b for a, b in zip(before, products, strict=True)]
        if of["closes"]:
            values = [total >> scaling.shift for total in rows[place]]
            if of["relu"]:
                values = [max(value, 0) for value in values]
            result = {"data": values, "last": word["last"], "final": of["final"], "vector": of["vector"]}
            results.append((cycle + scaling.latency, result | {"marks": word["marks"] if scaling.factors else None}))
        place = 0 if place == of["last_word"] else place + 1
    return results


def play(case: Case) -> list[dict[str, Any]]:
    scaling, lanes = case.step.scaling, case.step.drain.lanes
    half = 1 << scaling.mantissa_bits - 1

    def driver() -> Driver:
        sequence = [*case.words, *[None] * 4]
        for cycle, word in enumerate(sequence):
            # Mantissas and marks come a cycle ahead of their word.
            ahead = sequence[cycle + 1] if cycle + 1 < len(sequence) else None
            inputs: dict[str, Any] = {"i.valid": word is not None}
            inputs["mantissas"] = ahead["mantissas"] if ahead else NOISE.integers(-half, half, lanes).tolist()
            if word:
                inputs |= {"i.payload": {"data": word["sums"], "last": word["last"]}, "of": word["of"]}
            if scaling.factors:
                inputs["marks"] = ahead["marks"] if ahead else 0
            yield inputs

    watched = ["o.valid", "o.payload", "result", "vector", *(["o_marks"] if scaling.factors else [])]
    return trace(case.step, driver(), *watched)


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_results_are_the_sums_of_their_passes_a_stated_latency_after_the_last(case: Case) -> None:
    found = [
        (
            cycle,
            {
                "data": seen["o.payload"]["data"],
                "last": bool(seen["o.payload"]["last"]),
                "final": seen["result"],
                "vector": seen["vector"],
                "marks": seen.get("o_marks"),
            },
        )
        for cycle, seen in enumerate(play(case))
        if seen["o.valid"]
    ]
    assert found == expected(case)


def test_results_at_half_a_unit_round_upwards() -> None:
    drain = DrainConfig(1, 1, 8, 1)
    step = ScaleStep(Scaling(1, 4, 14, 2, "int8", 1), drain)
    of = {"last_word": 0, "relu": 0, "final": 0, "vector": 0, "opens": 1, "closes": 1}
    words: list[dict[str, Any] | None] = [
        {"of": of, "sums": [value], "mantissas": [1], "last": False, "marks": 0} for value in range(-6, 7)
    ]
    seen = play(Case(step, [None, *words]))
    values = [cycle["o.payload"]["data"][0] for cycle in seen if cycle["o.valid"]]
    assert values == [-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2]  # -1.5 and -0.5 and 0.5 and 1.5 in quarters


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"longest": 0}, "scaling: longest is 0; it must be an integer from 1 to 65536"),
        ({"mantissa_bits": 17}, "scaling: mantissa bits is 17"),
        ({"accumulator_bits": 63}, "scaling: accumulator bits is 63"),
        ({"shift": 30}, "scaling: shift is 30; it must be an integer from 0 to 29"),
        ({"shift": 5}, "scaling: result bits is 25; it must be an integer from 1 to 24"),
        ({"groups": 257}, "scaling: groups is 257"),
        ({"rule": "int3"}, "scaling: rule is 'int3'; it is one of int8, sign, int4-groups"),
    ],
)
def test_sizes_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    sizes = {"longest": 128, "mantissa_bits": 16, "accumulator_bits": 30, "shift": 8, "rule": "int8", "groups": 4}
    with pytest.raises(TritweaveError, match=f"^{message}"):
        Scaling(**sizes | change)
