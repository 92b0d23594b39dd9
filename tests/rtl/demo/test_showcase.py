# amaranth: UnusedElaboratable=no
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from rtl.demo.showcase import Showcase
from sim.pysim import Bench, Driver, Pauses
from support.networks import PAUSES, as_words

WIDTH = 7


class Run:
    """A showcase with a stand-in for an engine, which gives the results of each input."""

    def __init__(
        self,
        inputs: np.ndarray,
        results: np.ndarray,
        expected: list[int],
        lanes: int,
        bits: int,
        pauses: tuple[Pauses, Pauses],
        rounds: int,
    ):
        length = -(-inputs.shape[1] // lanes)
        words = as_words(inputs, lanes)
        vectors = [words[start : start + length] for start in range(0, len(words), length)]
        element = signed(8) if inputs.dtype == np.int8 else unsigned(8)
        outputs = results.shape[1]
        component = Showcase(vectors, expected, element=element, bits=bits, outputs=outputs, width=WIDTH)
        bench = Bench(component)
        given = as_words(results, lanes)
        each = len(given) // len(results)
        payloads = [{"data": word, "last": index % each == each - 1} for index, word in enumerate(given * rounds)]
        runs = rounds * len(inputs)
        # A result comes once its input is in.
        sent = bench.collect(component.i, runs * length, pauses[0])
        bench.send(component.o, payloads, lambda cycle: len(sent) < (len(given_words) // each + 1) * length)
        given_words: list[Any] = []
        self.answers: list[int] = []
        self.wrong: list[int] = []

        def driver() -> Driver:
            for _ in range(runs):
                seen = yield {"begin": 1}
                while True:
                    seen = yield {"begin": 0}
                    if seen["o.valid"] and seen["o.ready"]:
                        given_words.append(seen["o.payload"])
                    if seen["shown"]:
                        break
                self.answers.append(seen["answer"])
                self.wrong.append(seen["wrong"])

        bench.play(driver(), "shown", "answer", "wrong", "o.valid", "o.ready", "o.payload")
        bench.run()
        self.sent = [transfer.payload for transfer in sent]
        self.words = words * rounds


@settings(max_examples=20, deadline=None)
@given(
    count=st.integers(1, 3),
    size=st.integers(1, 7),
    outputs=st.integers(1, 7),
    lanes=st.integers(1, 3),
    bits=st.integers(1, 8),
    is_signed=st.booleans(),
    pauses=st.tuples(PAUSES, PAUSES),
    seed=st.integers(0, 2**16),
)
def test_answers_are_the_first_largest_results_of_inputs_cut_to_their_bits(
    count: int,
    size: int,
    outputs: int,
    lanes: int,
    bits: int,
    is_signed: bool,
    pauses: tuple[Pauses, Pauses],
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    dtype = np.int8 if is_signed else np.uint8
    limits = np.iinfo(dtype)
    inputs = random.integers(limits.min, limits.max + 1, (count, size)).astype(dtype)
    results = random.integers(-3, 3, (count, outputs))
    answers = results.argmax(axis=1).tolist()
    run = Run(inputs, results, answers, lanes, bits, pauses, 2)
    assert run.answers == answers * 2
    assert not any(run.wrong)
    cut = (np.array(run.words) >> 8 - bits << 8 - bits).tolist()
    assert run.sent == cut


def test_an_answer_that_is_not_the_expected_one_is_remembered() -> None:
    inputs, results = np.zeros((3, 2), np.uint8), np.array([[1, 2], [2, 1], [1, 2]])
    run = Run(inputs, results, [1, 1, 1], 1, 8, (lambda cycle: False, lambda cycle: False), 2)
    assert run.answers == [1, 0, 1] * 2
    assert run.wrong == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("inputs", "expected", "bits", "message"),
    [
        ([[[1]], [[1], [2]]], [0, 0], 8, "2 inputs of 2 shapes and 2 answers"),
        ([[[1]]], [0, 0], 8, "1 inputs of 1 shapes and 2 answers"),
        ([], [], 8, "0 inputs of 0 shapes and 0 answers"),
        ([[[1]]], [0], 9, "bits is 9; it must be an integer from 1 to 8"),
    ],
)
def test_bad_parameters_are_refused(inputs: Any, expected: list[int], bits: int, message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^showcase: {message}"):
        Showcase(inputs, expected, element=unsigned(8), bits=bits, outputs=2, width=WIDTH)
