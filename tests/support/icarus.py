"""Icarus for the tests: engines as files, and runs of their testbenches in both language modes."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from gen.output.files import engine_files, write_files
from gen.plan.plan import MODULE, Plan
from sim.verilog_testbench import bench_files

MODES = ("2005", "2012")
icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="iverilog is not on PATH; on Debian: apt-get install iverilog"
)


def write_engine(plan: Plan, folder: Path, *, loaded: bool = False, name: str = MODULE, vectors: int = 4) -> list[str]:
    """Write an engine and its testbench; the names of its Verilog files."""
    files = engine_files(plan, initialised=not loaded, name=name)
    files |= bench_files(plan, name, files[f"{name}.v"][0].decode(), loaded=loaded, vectors=vectors)
    write_files(folder, files)
    return [file for file in files if file.endswith(".v")]


def run_icarus(folder: Path, files: Sequence[str], tops: Sequence[str], mode: str = "2012", **parameters: int) -> str:
    """What the testbenches `tops` print, their parameters set; warnings of the compiler are errors."""
    roots = [option for top in tops for option in ("-s", top)]
    settings = [f"-P{tops[0]}.{name}={value}" for name, value in parameters.items()]
    command = ["iverilog", f"-g{mode}", *roots, *settings, "-o", "run.vvp", *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return subprocess.run(["vvp", "-N", "run.vvp"], cwd=folder, capture_output=True, text=True).stdout
