"""Executables of a generated design in Verilator and a driver in C++ from this folder."""

from collections.abc import Sequence
from pathlib import Path

from gen.builds import keep_only
from gen.phases import announce
from gen.plan.plan import MODULE
from sim.builds import kept_build
from sim.cells import cell_models
from sim.toolchain import run, verilator_root

_FLAGS = ("-Wno-fatal", "-Wno-lint", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert")


def build_driver(name: str, verilog: str, flags: Sequence[str] = ()) -> Path:
    """The executable, built or found.

    Parameters
    ----------
    name
        Of the driver: its source is ``NAME.cpp``.
    verilog
        With a top module called `gen.plan.plan.MODULE`.
    flags
        More flags for Verilator.

    """
    driver = Path(__file__).with_name(f"{name}.cpp").read_text("utf-8")
    # The others are Verilator's.
    headers = {
        file.name: file.read_text("utf-8") for file in Path(__file__).parent.glob("*.h") if f'"{file.name}"' in driver
    }
    options = [*_FLAGS, *flags]

    def make(folder: Path, files: list[Path]) -> None:
        announce("compiling")
        sources = [file for file in files if file.suffix != ".h"]
        command = [verilator_root() / "bin" / "verilator_bin", "--cc", "--exe", "--top-module", MODULE]
        run([*command, "--prefix", "Vtop", "-Mdir", folder, "-o", name, *options, *sources], folder)
        run(["make", "-j2", "-f", "Vtop.mk", "OPT_FAST=-O2"], folder)
        keep_only(folder, name)

    sources = {"engine.v": verilog, **cell_models(verilog), **headers, f"{name}.cpp": driver}
    return kept_build(name, sources, options, make) / name
