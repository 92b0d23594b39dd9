# amaranth: UnusedElaboratable=no
from typing import Any

import pytest
from amaranth.hdl import signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from rtl.engine.intake import Intake
from rtl.memory.activation_buffer import BufferConfig
from rtl.quantiser.config import QuantizerConfig
from sim.pysim import Bench, Driver, Pauses, Transfer, never, steps, trace
from support.networks import PAUSES

LENGTH = 3
"""Words of an input vector."""


def intake(vectors: int) -> Intake:
    quantizer = QuantizerConfig(2, 12, (4,) * (vectors + 1))
    return Intake(
        vectors=vectors, element=unsigned(8), input_words=LENGTH, quantizer=quantizer, buffer=BufferConfig(1, 1, (1, 1))
    )


def word(channel: int, data: list[int], last: bool) -> dict[str, Any]:
    return {"channel": channel, "data": data, "last": last}


class Run:
    """Input vectors and results through an intake; an input is freed some cycles after its last word."""

    def __init__(self, vectors: int, inputs: int, results: Pauses, offering: Pauses, taking: Pauses, kept: int):
        self.component = intake(vectors)
        self.vectors, self.inputs, self.kept, self.pauses = vectors, inputs, kept, results
        self.entered: list[Transfer] = []
        self.given: list[dict[str, Any]] = []
        bench = Bench(self.component)
        words = [[number, number + 1] for number in range(0, 2 * LENGTH * inputs, 2)]
        self.entered = bench.send(self.component.i, words, offering)
        # Results cannot wait, so the quantiser never pauses while there is one.
        self.seen = bench.play(
            self._driver(taking), "waiting", "i.ready", "i.valid", "o.valid", "o.payload", "results.valid"
        )
        bench.run()

    def _driver(self, taking: Pauses) -> Driver:
        freed: dict[int, int] = {}  # cycle: vector
        done, cycle = 0, 0
        while done < self.inputs or freed:
            result = not self.pauses(cycle)
            payload = {"data": [-cycle, cycle], "last": cycle % 3 == 0}
            vector = freed.pop(cycle, None)
            inputs = {
                "open": 1,
                "last_input": LENGTH - 1,
                "freed": 0 if vector is None else 1 << vector,
                "results.valid": result,
                "vector": cycle % self.vectors,
                "o.ready": result or not taking(cycle),
            }
            seen = yield inputs | ({"results.payload": payload} if result else {})
            if seen["o.valid"] and (result or not taking(cycle)):
                self.given.append(seen["o.payload"])
                if result:
                    assert seen["o.payload"] == word(cycle % self.vectors, **payload)
                elif seen["o.payload"]["last"]:
                    freed[cycle + self.kept] = done % self.vectors
                    done += 1
            cycle += 1


@settings(max_examples=40, deadline=None)
@given(
    vectors=st.integers(1, 2),
    inputs=st.integers(1, 5),
    # In some cycles there is no result and the quantiser is ready.
    pauses=st.tuples(PAUSES, PAUSES, PAUSES).filter(
        lambda p: any(p[0](cycle) and not p[2](cycle) for cycle in range(50))
    ),
    kept=st.integers(1, 9),
)
def test_inputs_pass_in_order_between_the_results(
    vectors: int, inputs: int, pauses: tuple[Pauses, Pauses, Pauses], kept: int
) -> None:
    run = Run(vectors, inputs, *pauses, kept)
    passed = [given for given in run.given if given["channel"] == vectors]
    assert [given["data"] for given in passed] == [transfer.payload for transfer in run.entered]
    assert [given["last"] for given in passed] == [0, 0, 1] * inputs


@pytest.mark.parametrize("vectors", [1, 2])
def test_an_input_enters_only_while_its_vectors_place_is_free(vectors: int) -> None:
    run = Run(vectors, 4, lambda cycle: True, never, never, kept=10)
    firsts = [transfer.cycle for transfer in run.entered[::LENGTH]]
    # A place is free in the cycle after `freed`.
    for before, after in zip(firsts, firsts[vectors:], strict=False):
        assert after == before + LENGTH - 1 + 10 + 1
    inside = {cycle for first in firsts for cycle in range(first + 1, first + LENGTH + 10)}
    assert {number for number, cycle in enumerate(run.seen) if cycle["waiting"]} == inside


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"vectors": 0}, "vectors is 0; it must be an integer from 1 to 2"),
        ({"vectors": 3}, "vectors is 3; it must be an integer from 1 to 2"),
        ({"input_words": 65537}, "input words is 65537; it must be an integer from 1 to 65536"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, int], message: str) -> None:
    valid = {"vectors": 1, "input_words": 1}
    with pytest.raises(TritweaveError, match=f"^intake: {message}$"):
        Intake(
            **(valid | parameters),
            element=signed(8),
            quantizer=QuantizerConfig(1, 9, (1, 1)),
            buffer=BufferConfig(1, 1, (1, 1)),
        )


@settings(max_examples=30, deadline=None)
@given(
    chunks=st.integers(1, 7),
    chunk_words=st.integers(1, 3),
    short=st.integers(0, 2),
    segment=st.integers(1, 4),
    side=st.integers(0, 2),
    offering=PAUSES,
    taking=PAUSES,
)
def test_groups_of_inputs_end_with_their_chunks(
    chunks: int, chunk_words: int, short: int, segment: int, side: int, offering: Pauses, taking: Pauses
) -> None:
    inner = max(chunks - side, 1)
    count = max(chunks * chunk_words - min(short, chunk_words - 1), 1)
    quantizer = QuantizerConfig(1, 12, (count, count), "int4-groups", 8)
    buffer = BufferConfig(chunk_words, 1, (chunks, chunks))
    component = Intake(vectors=1, element=unsigned(8), input_words=count, quantizer=quantizer, buffer=buffer)
    bench = Bench(component)
    bench.send(component.i, [[number % 256] for number in range(2 * count)], offering)
    given_words = bench.collect(component.o, 2 * count, taking)
    steady = {"open": 1, "last_input": count - 1, "last_segment": segment - 1, "last_inner": inner - 1, "freed": 1}

    def driver() -> Driver:
        while len(given_words) < 2 * count:
            yield steady

    bench.play(driver())
    bench.run()
    expected = []
    for index in range(count):
        chunk, ends = index // chunk_words, index % chunk_words == chunk_words - 1
        group_ends = ends and chunk < inner and (chunk % segment == segment - 1 or chunk == inner - 1)
        expected.append((bool(group_ends or index == count - 1), chunk >= inner))
    found = [(bool(word.payload["group_last"]), bool(word.payload["wide"])) for word in given_words]
    assert found == expected * 2


def test_results_bring_their_marks() -> None:
    quantizer = QuantizerConfig(1, 12, (4, 4), "int4-groups", 8)
    buffer = BufferConfig(1, 1, (4, 4))
    component = Intake(vectors=1, element=unsigned(8), input_words=1, quantizer=quantizer, buffer=buffer)
    words = [
        {"results.valid": 1, "results.payload": {"data": [5], "last": mark == 3}, "marks": mark} for mark in range(4)
    ]
    seen = trace(component, steps(words), "o.valid", "o.payload")
    assert all(cycle["o.valid"] for cycle in seen)
    assert [cycle["o.payload"]["group_last"] + 2 * cycle["o.payload"]["wide"] for cycle in seen] == [0, 1, 2, 3]
