# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.language.format import levels
from golden.trits import balanced_ternary
from rtl.array.exact import ExactArray
from rtl.array.interface import ArrayConfig
from sim.pysim import Driver, steps, trace

IDLE = {"valid": 0, "triple": 0, "first": 0}


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 6),
    digits=st.integers(1, 5),
    lengths=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    gap=st.integers(0, 2),
    seed=st.integers(0, 2**16),
)
def test_passes_for_each_digit_become_one_sum(
    rows: int, columns: int, digits: int, lengths: list[int], gap: int, seed: int
) -> None:
    array = ExactArray(ArrayConfig(rows, columns, columns * max(lengths) * levels(digits)), digits=True)
    random = np.random.default_rng(seed)
    expected: dict[int, list[int]] = {}

    def driver() -> Driver:
        cycle = 0
        for length in lengths:
            activations = random.integers(-127, 128, (length, columns))
            # Every other tile is of the largest numbers, so that the sums fill their bits.
            numbers = random.integers(-levels(digits), levels(digits) + 1, (length, rows, columns))
            if length % 2:
                numbers = np.broadcast_to(levels(digits) * np.sign(activations)[:, None], numbers.shape)
            planes = balanced_ternary(numbers, digits)[::-1]
            for plane, trits in enumerate(planes):
                for chunk in range(length):
                    first, last = (plane, chunk) == (0, 0), (plane, chunk) == (digits - 1, length - 1)
                    words = {"activations": activations[chunk].tolist(), "weights": codes(trits[chunk])}
                    yield {"valid": 1, "triple": 0, "first": first, "last": last, **words}
                    cycle += 1
                if plane < digits - 1:
                    yield IDLE | {"triple": 1}
                    cycle += 1
            expected[cycle - 1 + array.latency(array.config)] = np.einsum("kc,krc->r", activations, numbers).tolist()
            for _ in range(gap):
                yield IDLE
                cycle += 1
        for _ in range(array.latency(array.config) + 1):
            yield IDLE

    seen = trace(array, driver(), "done", "sums")
    assert {cycle: values["sums"] for cycle, values in enumerate(seen) if values["done"]} == expected


def codes(trits: np.ndarray) -> list[list[dict[str, bool]]]:
    return [[{"nz": trit != 0, "neg": trit != 1} for trit in row] for row in trits.tolist()]


def test_whatever_meets_activations_of_0_adds_0() -> None:
    array = ExactArray(ArrayConfig(1, 3, 3))
    weights = codes(np.array([[-1, 1, -1]]))
    given = [{"valid": 1, "first": 1, "last": 1, "activations": [0, 5, 0], "weights": weights}, {"valid": 0}]
    seen = trace(array, steps([*given, *4 * [{}]]), "done", "sums")
    assert [values["sums"] for values in seen if values["done"]] == [[5]]


@pytest.mark.parametrize(("columns", "latency"), [(1, 2), (2, 3), (5, 5), (16, 6)])
def test_the_latency_grows_with_the_tree(columns: int, latency: int) -> None:
    assert ExactArray.latency(ArrayConfig(1, columns, 1)) == latency
