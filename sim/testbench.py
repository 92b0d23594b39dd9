"""Testbenches: runs a cocotb module on the generated Verilog of any component."""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from amaranth.lib import wiring
from cocotb_tools.runner import get_runner

from gen.builds import keep_only
from gen.verilog import generate
from golden.errors import TritweaveError
from sim.builds import build_root, kept_build
from sim.cells import cell_models
from sim.toolchain import environment, trace_flags

DEFAULT_SEED = 20250701
"""The seed of a run that is given none."""

_SEED, _SETTINGS = "TRITWEAVE_SEED", "TRITWEAVE_SETTINGS"
_FLAGS = ("-Wno-fatal", "-Wno-lint")
# The time of a small bench goes into the compiler and into Python, hardly any into the model.
_OPTIMISATION = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"


class BenchFailure(AssertionError):
    """A testbench found a fault; the message names the tests, what they found, the seed and the log."""


def seed_from_environment() -> int:
    """The seed in the environment variable ``TRITWEAVE_SEED``, `DEFAULT_SEED` if there is none."""
    text = os.environ.get(_SEED, str(DEFAULT_SEED))
    if not (text.isascii() and text.isdigit()):
        raise TritweaveError(f"{_SEED} is {text!r}; it must be a whole number")
    return int(text)


def settings() -> dict[str, Any]:
    """What `run_testbench` was given as settings; for the test bodies."""
    return json.loads(os.environ.get(_SETTINGS, "{}"))


def run_testbench(
    component: wiring.Component,
    name: str,
    parameters: Mapping[str, object],
    *,
    module: str,
    testcase: str | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    waves: Path | None = None,
) -> Path:
    """Simulate the component's Verilog under a cocotb module.

    Parameters
    ----------
    component
        The design; its ports are named as in `gen.verilog.Ports`.
    name
        Of the Verilog module, which is the testbench's ``dut``.
    parameters
        What the Verilog's header lists.
    module
        Importable name of the module with the cocotb tests.
    testcase
        The test to run; without one, all of the module.
    seed
        Where all randomness comes from, 0 or more; `seed_from_environment` if not given. It is printed.
    settings
        JSON values for the test bodies, which get them from `settings`.
    waves
        A trace of all signals to write, ``.fst`` or ``.vcd``; the design is then built with tracing.

    Returns
    -------
    The run's own folder below `build/testbench`, with ``results.xml`` and ``simulation.log``.

    Errors
    ------
    `BenchFailure` if a test fails, if none runs, or if the simulator ends before its results are written;
    `TritweaveError` if the design does not build.

    """
    seed = seed_from_environment() if seed is None else seed
    build = _build(generate(component, name, parameters), name, waves)
    parent = build_root() / "testbench"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=f"{name}-{testcase or module.rpartition('.')[2]}-"))
    print(f"{module} on {name}: {_SEED}={seed}, log in {folder}")
    if waves:
        waves.parent.mkdir(parents=True, exist_ok=True)
    results = folder / "results.xml"
    variables = {**_tools(waves), _SETTINGS: json.dumps(dict(settings or {}))}
    # The runner raises or exits, by circumstance; what counts is in the results.
    with _environment(variables), suppress(RuntimeError, SystemExit):
        get_runner("verilator").test(
            test_module=module,
            hdl_toplevel=name,
            hdl_toplevel_lang="verilog",
            test_filter=None if testcase is None else rf"\.{re.escape(testcase)}$",
            seed=seed,
            build_dir=build,
            test_dir=folder,
            results_xml=str(results),
            log_file=folder / "simulation.log",
            waves=waves is not None,
            test_args=["--trace-file", str(waves.absolute())] if waves else [],
        )
    if problems := _problems(results):
        raise BenchFailure("\n".join([*problems, f"repeat it with {_SEED}={seed}; log: {folder / 'simulation.log'}"]))
    return folder


def _build(verilog: str, name: str, waves: Path | None) -> Path:
    """The folder with the simulation's executable, built or found."""
    flags = [*_FLAGS, *(trace_flags(waves) if waves else [])]
    depends = [*flags, _OPTIMISATION, f"cocotb {version('cocotb')}"]

    def make(folder: Path, sources: list[Path], top: str = name) -> None:
        variables = _tools(waves)
        variables["MAKEFLAGS"] += f" {_OPTIMISATION}"
        log = folder / "build.log"
        try:
            with _environment(variables):
                get_runner("verilator").build(
                    sources=sources,
                    hdl_toplevel=top,
                    build_dir=folder,
                    build_args=flags,
                    waves=waves is not None,
                    log_file=log,
                )
        except RuntimeError as error:
            tail = "\n".join(log.read_text().splitlines()[-20:])
            raise TritweaveError(f"the testbench of {top} does not build:\n{tail}") from error

    def make_runtime(folder: Path, sources: list[Path]) -> None:
        make(folder, sources, "nothing")
        keep_only(folder, "verilated*.o")

    def make_design(folder: Path, sources: list[Path]) -> None:
        # Verilator's own code is most of a small build and the same in all of them; make takes it as up to date only
        # if it is newer than the makefile, which is still to come.
        for compiled in runtime.glob("*.o"):
            later = time.time() + 3600
            os.utime(shutil.copy(compiled, folder), (later, later))
        make(folder, sources)
        keep_only(folder, name, f"{name}.v", "build.log")

    runtime = kept_build("testbench-runtime", {"nothing.v": "module nothing; endmodule\n"}, depends, make_runtime)
    return kept_build(f"testbench-{name}", {f"{name}.v": verilog} | cell_models(verilog), depends, make_design)


def _tools(waves: Path | None) -> dict[str, str]:
    """What the runner must find in the environment; its own switch for waves would overrule ours."""
    tools = {name: environment()[name] for name in ("VERILATOR_ROOT", "PATH", "MAKEFLAGS")}
    return tools | {"WAVES": str(int(waves is not None))}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Hold environment variables, because the runner takes them from this process only, and put them back."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _problems(results: Path) -> list[str]:
    """What is wrong according to a results file, one line or more a test; nothing if all is well."""
    if not results.is_file():
        return ["the simulation ended before its results were written"]
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    if not any(case.find("skipped") is None for case in cases):
        return ["no test ran"]
    return [
        f"{case.get('classname')}.{case.get('name')}: {fault.get('type', fault.tag)}: {fault.get('message', '')}"
        for case in cases
        for fault in case
        if fault.tag in ("failure", "error")
    ]
