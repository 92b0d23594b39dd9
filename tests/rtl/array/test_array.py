# amaranth: UnusedElaboratable=no
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gen.verilog import generate
from rtl.array.ecp5 import Ecp5Array
from rtl.array.exact import ExactArray
from rtl.array.exact_ecp5 import ExactEcp5Array
from rtl.array.ice40 import Ice40Array
from rtl.array.interface import ArrayConfig, MacArray
from rtl.array.portable import PortableArray
from sim.pysim import Driver, trace

# Those without vendor cells, which this simulator does not know; tests/tb holds all of them to the same.
IMPLEMENTATIONS = pytest.mark.parametrize("implementation", [PortableArray, ExactArray])


class Tile(NamedTuple):
    """A tile: activations of shape (chunks, columns), weights of shape (chunks, rows, columns)."""

    activations: NDArray[np.int64]
    weights: NDArray[np.int64]
    gaps: list[int]
    """Cycles without a chunk before each chunk."""


def tiles(config: ArrayConfig, lengths: list[int], gaps: list[int], seed: int) -> list[Tile]:
    """Random tiles of so many chunks."""
    random = np.random.default_rng(seed)
    made = []
    for length in lengths:
        activations = random.integers(-127, 128, (length, config.columns))
        weights = random.integers(-1, 2, (length, config.rows, config.columns))
        made.append(Tile(activations, weights, [gaps[index % len(gaps)] for index in range(length)]))
    return made


def play(array: MacArray, given_tiles: list[Tile]) -> tuple[dict[int, list[int]], list[int]]:
    """Sums by the cycle of their `done`, and the cycle of each tile's last chunk."""
    ends: list[int] = []

    def driver() -> Driver:
        cycle = 0
        noise = np.random.default_rng(0)
        for tile in given_tiles:
            for chunk, (activations, weights, gap) in enumerate(zip(*tile, strict=True)):
                for _ in range(gap):
                    cycle += 1
                    first, last = noise.integers(0, 2, 2).tolist()
                    yield {"valid": 0, "first": first, "last": last}
                first, last = chunk == 0, chunk == len(tile.gaps) - 1
                ends.extend([cycle] * last)
                cycle += 1
                yield {
                    "valid": 1,
                    "first": first,
                    "last": last,
                    "activations": activations.tolist(),
                    "weights": [[as_trit(trit) for trit in row] for row in weights.tolist()],
                }
        for _ in range(type(array).latency(array.config) + 3):
            yield {"valid": 0}

    seen = trace(array, driver(), "done", "sums")
    return {cycle: values["sums"] for cycle, values in enumerate(seen) if values["done"]}, ends


def as_trit(trit: int) -> dict[str, Any]:
    """The struct of a trit; the sign of a zero is 1, which must mean nothing."""
    return {"nz": trit != 0, "neg": trit != 1}


def true_sums(array: MacArray, tile: Tile, sums: list[int]) -> list[int]:
    """Corrected sums, modulo the accumulators' width."""
    plus, minus = ((tile.weights == trit).sum(axis=(0, 2)) for trit in (1, -1))
    corrections = array.correction.plus * plus + array.correction.minus * minus
    half = 1 << array.config.accumulator_width - 1
    return [(value + int(extra) + half) % (2 * half) - half for value, extra in zip(sums, corrections, strict=True)]


def products(tile: Tile) -> list[int]:
    return np.einsum("kc,krc->r", tile.activations, tile.weights).tolist()


@IMPLEMENTATIONS
@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 9),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    gaps=st.lists(st.integers(0, 3), min_size=1, max_size=5),
    seed=st.integers(0, 2**16),
)
def test_corrected_sums_are_the_dot_products_a_stated_latency_later(
    implementation: type[MacArray], rows: int, columns: int, lengths: list[int], gaps: list[int], seed: int
) -> None:
    config = ArrayConfig(rows, columns, columns * max(lengths))
    array = implementation(config)
    given_tiles = tiles(config, lengths, gaps, seed)
    done, ends = play(array, given_tiles)
    assert list(done) == [end + implementation.latency(config) for end in ends]
    for tile, sums in zip(given_tiles, done.values(), strict=True):
        assert true_sums(array, tile, sums) == products(tile)


@IMPLEMENTATIONS
def test_tiles_of_one_chunk_follow_each_other_every_cycle(implementation: type[MacArray]) -> None:
    config = ArrayConfig(3, 5, 5)
    array = implementation(config)
    given_tiles = tiles(config, [1] * 12, [0], 3)
    done, _ = play(array, given_tiles)
    latency = implementation.latency(config)
    assert list(done) == list(range(latency, latency + 12))
    assert [true_sums(array, *pair) for pair in zip(given_tiles, done.values(), strict=True)] == [
        products(tile) for tile in given_tiles
    ]


@IMPLEMENTATIONS
@pytest.mark.parametrize("columns", [1, 3, 4])
@pytest.mark.parametrize("activation", [-127, 127])
@pytest.mark.parametrize("trit", [-1, 1])
def test_the_largest_sums_of_either_sign_fit(
    implementation: type[MacArray], columns: int, activation: int, trit: int
) -> None:
    chunks = 5
    config = ArrayConfig(2, columns, columns * chunks)
    array = implementation(config)
    tile = Tile(np.full((chunks, columns), activation), np.full((chunks, 2, columns), trit), [0] * chunks)
    (sums,) = play(array, [tile])[0].values()
    assert true_sums(array, tile, sums) == [activation * trit * columns * chunks] * 2


@pytest.mark.parametrize(("columns", "latency"), [(1, 2), (2, 3), (3, 4), (4, 4), (5, 5), (16, 6), (1024, 12)])
def test_the_portable_latency_grows_with_the_tree(columns: int, latency: int) -> None:
    assert PortableArray.latency(ArrayConfig(1, columns, 1)) == latency


@pytest.mark.parametrize(("columns", "latency"), [(1, 3), (3, 5), (4, 6), (5, 7), (8, 7), (16, 8), (1024, 14)])
def test_the_ecp5_latency_grows_with_a_span_and_then_with_the_tree(columns: int, latency: int) -> None:
    assert Ecp5Array.latency(ArrayConfig(1, columns, 1)) == latency


@pytest.mark.parametrize(("columns", "latency"), [(1, 4), (4, 4), (5, 5), (8, 5), (9, 6), (16, 6), (1024, 12)])
def test_the_ice40_latency_grows_with_the_tree(columns: int, latency: int) -> None:
    assert Ice40Array.latency(ArrayConfig(1, columns, 1)) == latency


@pytest.mark.parametrize("config", [ArrayConfig(1, 1, 1), ArrayConfig(2, 11, 784), ArrayConfig(5, 16, 65536)], ids=str)
def test_the_ecp5_array_has_the_cells_that_are_counted_beforehand(config: ArrayConfig) -> None:
    assert 2 * generate(Ecp5Array(config), "array", {}).count("CCU2C #") == Ecp5Array.half_cells(config)


@pytest.mark.parametrize("config", [ArrayConfig(1, 1, 1), ArrayConfig(2, 11, 784), ArrayConfig(5, 16, 65536)], ids=str)
def test_the_exact_ecp5_array_has_the_cells_that_are_counted_beforehand(config: ArrayConfig) -> None:
    array = ExactEcp5Array(config, digits=True)
    assert 2 * generate(array, "array", {}).count("CCU2C #") == ExactEcp5Array.half_cells(config)


@pytest.mark.parametrize(("inputs", "width"), [(1, 8), (2, 9), (16, 12), (784, 18), (65536, 24)])
def test_the_accumulators_are_just_wide_enough(inputs: int, width: int) -> None:
    assert ArrayConfig(1, 1, inputs).accumulator_width == width
    assert -(1 << width - 1) <= -127 * inputs < -(1 << width - 2)
