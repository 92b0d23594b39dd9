from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from gen.plan.plan import Fold, Plan, plan_network
from golden.errors import TritweaveError
from golden.network import Layer, Network
from sim.batch import BatchRun, run_batch
from sim.toolchain import trace_flags
from sim.wave_plot import plot_waves, read_runs

VECTORS = 37


@pytest.fixture(scope="module")
def plan() -> Plan:
    random = np.random.default_rng(20)
    sizes = (19, 11, 7)
    layers = tuple(
        Layer(random.integers(-1, 2, (outputs, inputs)).astype(np.int8), 0.5, index == 0)
        for index, (inputs, outputs) in enumerate(pairwise(sizes))
    )
    return plan_network(Network("batch", layers), Fold(6, 4, 2), packing="5t8b")


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.random.default_rng(21).integers(0, 256, (VECTORS, 19)).astype(np.uint8)


def check(plan: Plan, vectors: np.ndarray, run: BatchRun) -> None:
    np.testing.assert_array_equal(run.logits, plan.network.forward(vectors).logits)
    assert run.times == list(chain(*(plan.cycles.times(part) for part in run.parts)))
    assert run.cycles == sum(plan.cycles.total(part) for part in run.parts)


@pytest.mark.parametrize(("loaded", "workers"), [(False, 1), (False, 3), (True, 2)])
def test_every_logit_and_cycle_is_as_predicted(plan: Plan, vectors: np.ndarray, loaded: bool, workers: int) -> None:
    steps: list[int] = []
    run = run_batch(plan, vectors, loaded=loaded, workers=workers, progress=steps.append)
    check(plan, vectors, run)
    assert len(run.parts) == workers
    assert sum(steps) == VECTORS


def test_a_vector_alone_takes_its_latency(plan: Plan, vectors: np.ndarray) -> None:
    run = run_batch(plan, vectors, alone=True, workers=1)
    np.testing.assert_array_equal(run.logits, plan.network.forward(vectors).logits)
    assert run.times == plan.cycles.alone(VECTORS)
    assert set(run.left - run.entered + 1) == {plan.cycles.latency}


@pytest.mark.parametrize(
    ("array", "fold", "loaded"),
    [("ecp5", Fold(6, 4, 2), True), ("ecp5", Fold(3, 9, 1), False), ("ice40", Fold(3, 9, 1), False)],
    ids=str,
)
def test_other_arrays_give_the_same(plan: Plan, vectors: np.ndarray, array: str, fold: Fold, loaded: bool) -> None:
    other = plan_network(plan.network, fold, packing="3t5b", array=array)
    check(other, vectors, run_batch(other, vectors, loaded=loaded))


def fst_or_skip() -> None:
    try:
        trace_flags(Path("x.fst"))
    except TritweaveError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("kind", ["vcd", "fst"])
def test_a_trace_is_written_where_it_was_asked_for(plan: Plan, vectors: np.ndarray, tmp_path: Path, kind: str) -> None:
    if kind == "fst":
        fst_or_skip()
    waves = tmp_path / f"run.{kind}"
    check(plan, vectors[:2], run_batch(plan, vectors[:2], waves=waves))
    assert waves.stat().st_size > 1000
    assert [path.name for path in tmp_path.iterdir()] == [waves.name]
    if kind == "vcd":
        runs = {row: sum(length for _, length, _ in found) for row, found in read_runs(waves).items()}
        config = plan.config
        words = {"input words": config.input_words, "result words": config.result_words}
        chunks = sum(tiles * chunks for tiles, chunks in plan.tiling)
        assert {row: runs[row] for row in words} == {row: 2 * count for row, count in words.items()}
        assert runs["chunks issued"] == 2 * chunks
        assert runs["quantiser takes"] == runs["quantiser gives"] > runs["input words"]
        plot_waves(waves, tmp_path / "run.png")
        assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_another_kind_of_trace_is_refused(plan: Plan, vectors: np.ndarray) -> None:
    with pytest.raises(TritweaveError, match=r"run\.txt; its name must end in \.fst or \.vcd"):
        run_batch(plan, vectors, waves=Path("run.txt"))


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((2, 18), np.uint8, r"\(2, 18\).*\(n, 19\)"),
        ((0, 19), np.uint8, r"\(0, 19\)"),
        ((2, 19), np.int8, "int8.*takes uint8"),
    ],
)
def test_vectors_that_do_not_fit_are_named(plan: Plan, shape: tuple[int, int], dtype: type, message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        run_batch(plan, np.zeros(shape, dtype))


def test_the_number_of_workers_has_limits(plan: Plan, vectors: np.ndarray) -> None:
    with pytest.raises(TritweaveError, match="workers is 0; it must be from 1 to 64"):
        run_batch(plan, vectors, workers=0)


def test_a_trace_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.vcd"
    other.write_text("$scope module top $end\n$var wire 1 ! clk $end\n$upscope $end\n$enddefinitions $end\n#0\n1!\n")
    with pytest.raises(TritweaveError, match=r"other\.vcd has no signals buffer\.region, .*; is it the trace"):
        read_runs(other)
