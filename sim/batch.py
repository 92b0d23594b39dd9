"""Fast runs: thousands of vectors through a generated engine in Verilator, without a testbench language in between."""

import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen.plan.plan import Plan
from gen.plan.timeline import Times
from golden.errors import TritweaveError
from golden.files.disk import check_writable
from sim.drivers import build_driver
from sim.ports import lane_values, port_bytes
from sim.toolchain import environment, trace_flags

Progress = Callable[[int], None]
"""Called with the number of vectors done since the last call."""


@dataclass(frozen=True, eq=False)
class BatchRun:
    """What came out of the engine, and when.

    Parameters
    ----------
    logits
        int32, shape (n, outputs).
    entered, left
        Cycle in which each vector's first input word entered and its last result word left, shape (n,); cycles are
        counted from the start of the process that simulated the vector.
    parts
        Vectors that each process simulated, in order.

    """

    logits: NDArray[np.int32]
    entered: NDArray[np.uint64]
    left: NDArray[np.uint64]
    parts: tuple[int, ...]

    @property
    def cycles(self) -> int:
        """Cycles in all: for each process, from its first input word to its last result word, both included."""
        ends = np.cumsum(self.parts)
        return sum(
            int(self.left[end - 1] - self.entered[end - count]) + 1 for end, count in zip(ends, self.parts, strict=True)
        )

    @property
    def times(self) -> list[Times]:
        """When each vector entered and left, counted from the first input word of its process."""
        starts = np.cumsum((0, *self.parts[:-1]))
        firsts = np.repeat(self.entered[starts], self.parts)
        return [
            Times(*pair) for pair in zip((self.entered - firsts).tolist(), (self.left - firsts).tolist(), strict=True)
        ]


def build_batch(verilog: str, *, waves: Path | None = None) -> Path:
    """The executable that streams vectors through this Verilog, built or found; `waves` as for `run_batch`."""
    return build_driver("batch", verilog, trace_flags(waves) if waves else [])


def run_batch(
    plan: Plan,
    vectors: NDArray[np.integer[Any]],
    *,
    alone: bool = False,
    loaded: bool = False,
    workers: int = 2,
    waves: Path | None = None,
    progress: Progress = lambda count: None,
) -> BatchRun:
    """Simulate the plan's engine on vectors, results taken at once.

    Parameters
    ----------
    plan
        The engine and its network.
    vectors
        Of the network's input type, shape (n, inputs), n at least 1.
    alone
        Whether each vector is offered only once the one before has left; otherwise there is no gap between them.
    loaded
        Whether the memories start empty and the image comes in through the load port; otherwise it is built in.
        SPRAM is always loaded.
    workers
        Processes, 1 to 64; the vectors are divided among them.
    waves
        A trace to write, ``.fst`` or ``.vcd``; one process then simulates everything.
    progress
        Called as vectors are done.

    """
    plan.network.check_batch(vectors)
    loaded = loaded or plan.config.spram
    if not 1 <= workers <= 64:
        raise TritweaveError(f"the number of workers is {workers}; it must be from 1 to 64")
    if waves:
        # Verilator says nothing if it cannot write its trace.
        check_writable(waves)
        waves.parent.mkdir(parents=True, exist_ok=True)
    executable = build_batch(plan.verilog(initialised=not loaded), waves=waves)
    parts = np.array_split(vectors, 1 if waves else min(workers, len(vectors)))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(parts)) as pool:
        load = Path(folder) / "load"
        transfers = [(load.memory, load.address, load.last, load.data) for load in plan.image.loads()] if loaded else []
        load.write_bytes(np.array(transfers, "<u4").tobytes())
        running: list[subprocess.Popen[str]] = []
        jobs = [
            pool.submit(
                _simulate, executable, plan, part, Path(folder) / str(index), alone, load, waves, progress, running
            )
            for index, part in enumerate(parts)
        ]
        try:
            results = [job.result() for job in jobs]
        except BaseException:
            for process in running:
                process.kill()
            raise
    logits, entered, left = (np.concatenate(column) for column in zip(*results, strict=True))
    return BatchRun(logits, entered, left, tuple(len(part) for part in parts))


def _simulate(
    executable: Path,
    plan: Plan,
    vectors: NDArray[np.integer[Any]],
    stem: Path,
    alone: bool,
    load: Path,
    waves: Path | None,
    progress: Progress,
    running: list[subprocess.Popen[str]],
) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.uint64]]:
    """One process: write its input, follow its progress, read its output."""
    lanes, width = plan.config.lanes, plan.config.result_width
    padded = np.pad(vectors, ((0, 0), (0, -vectors.shape[1] % lanes)))
    source, result = stem.with_suffix(".in"), stem.with_suffix(".out")
    source.write_bytes(padded.tobytes())
    outputs = plan.network.layers[-1].outputs
    words = -(-outputs // lanes)
    command: list[str | Path] = [executable, source, result, str(padded.shape[1] // lanes), str(words), str(lanes)]
    command += ["alone" if alone else "stream", load if load.stat().st_size else "-", *([waves] if waves else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        running.append(process)
        assert process.stdout is not None
        _report(process.stdout, progress)
    if process.returncode:
        raise TritweaveError(f"the simulation ended with status {process.returncode} before all results were there")
    word_bytes = port_bytes(lanes * width)
    records = np.frombuffer(result.read_bytes(), np.uint8).reshape(len(vectors), words * word_bytes + 16)
    values = lane_values(records[:, :-16].reshape(len(vectors), words, word_bytes), lanes, width)
    times = np.ascontiguousarray(records[:, -16:]).view("<u8")
    return values.reshape(len(vectors), -1)[:, :outputs].astype(np.int32), times[:, 0], times[:, 1]


def _report(lines: Iterable[str], progress: Progress) -> None:
    """Turn the running count of a process into steps."""
    done = 0
    for line in lines:
        progress(int(line) - done)
        done = int(line)
