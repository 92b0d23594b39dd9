"""Synthesis, placement and routing: where the tools are, which versions, and builds of them that are kept.

Yosys and nextpnr come from one source: native if both are on PATH, otherwise both from YoWASP's packages. Mixed, they
disagree about cells.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from inspect import getsource
from pathlib import Path
from typing import Any, NamedTuple

from gen import netlist as changes
from gen.builds import kept_build
from gen.netlist import fold_multiplier_registers, fold_output_registers, open_chain_ends
from gen.phases import announce
from gen.processes import run_program
from golden.errors import TritweaveError


class Part(NamedTuple):
    """A device as the tools name it."""

    family: str
    device: str
    """Its name in `gen.plan.devices`."""
    synthesis: str
    """Yosys's command, with the options that measured smallest."""
    placement: tuple[str, ...]
    """nextpnr's options for the device and its package."""
    logic_cell: str
    """The placed cell that holds one LUT4."""
    block_ram: str
    """The placed cell of a block RAM."""
    mhz: int
    """The clock that placement aims at."""
    engine_mhz: int
    """The clock that a whole engine is meant to reach."""


_ECP5 = "synth_ecp5 -nowidelut -no-rw-check"
_ANY_PIN = ("--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained")
PARTS = {
    part.device: part
    for part in (
        Part("ecp5", "ecp5-12f", _ECP5, ("--12k", *_ANY_PIN), "TRELLIS_COMB", "DP16KD", 300, 100),
        Part("ecp5", "ecp5-25f", _ECP5, ("--25k", *_ANY_PIN), "TRELLIS_COMB", "DP16KD", 300, 100),
        Part("ecp5", "ecp5-45f", _ECP5, ("--45k", *_ANY_PIN), "TRELLIS_COMB", "DP16KD", 300, 100),
        Part("ecp5", "ecp5-85f", _ECP5, ("--85k", *_ANY_PIN), "TRELLIS_COMB", "DP16KD", 300, 100),
        Part(
            "ice40",
            "ice40-hx8k",
            "synth_ice40",
            ("--hx8k", "--package", "ct256"),
            "ICESTORM_LC",
            "ICESTORM_RAM",
            200,
            60,
        ),
        Part(
            "ice40",
            "ice40-up5k",
            "synth_ice40 -dsp",
            ("--up5k", "--package", "sg48"),
            "ICESTORM_LC",
            "ICESTORM_RAM",
            80,
            24,
        ),
    )
}
"""Parts by their devices. ``-nowidelut``: wide multiplexers cost the packings' decoders two thirds more LUT4. ``-dsp``:
without it, Yosys makes the scale step's products of LUT4 where there are multipliers."""

DEFAULT_PARTS = {"ecp5": "ecp5-45f", "ice40": "ice40-hx8k"}
"""The device that stands for a family."""


def part_named(family: str | None, device: str | None = None) -> Part:
    """The part of a device, which must be of the family if one is given; of `DEFAULT_PARTS` without a device."""
    if family not in (None, *DEFAULT_PARTS):
        raise TritweaveError(f"family {family!r} is not known; the families are {', '.join(DEFAULT_PARTS)}")
    part = PARTS.get(device or DEFAULT_PARTS[family or "ecp5"])
    if part is None or part.family != (family or part.family):
        known = ", ".join(name for name, one in PARTS.items() if family in (None, one.family))
        where = f" in family {family}" if family else ""
        raise TritweaveError(f"device {device!r} is not known{where}; the devices are {known}")
    return part


@dataclass(frozen=True)
class Tools:
    """The tools of one family and one source.

    Parameters
    ----------
    yosys, nextpnr
        Paths of the programs.
    versions
        Program's name to what it prints of its version.

    """

    yosys: str
    nextpnr: str
    versions: Mapping[str, str]

    def synthesise(self, part: Part, name: str, verilog: str) -> "Netlist":
        """The netlist of a Verilog module called `name`; on ECP5 as `gen.netlist` changes it."""
        script = (
            f"read_verilog design.v; {part.synthesis} -top {name} -json netlist.json; "
            "tee -q -o statistics.json stat -json"
        )
        # Yosys prints nothing more once ABC has run unless its output goes to a file of its own.
        command = [self.yosys, "-q", "-l", "yosys.log", "-p", script]

        def make(folder: Path, _: list[Path]) -> None:
            announce("synthesising")
            run_program(command, folder)
            if part.family == "ecp5":
                file = folder / "netlist.json"
                netlist = json.loads(file.read_text())
                open_chain_ends(netlist)
                fold_output_registers(netlist)
                fold_multiplier_registers(netlist)
                file.write_text(json.dumps(netlist))

        depends = [script, getsource(changes), *self.versions.values()]
        folder = kept_build("bench", f"{name}-{part.family}", {"design.v": verilog}, depends, make)
        return Netlist(self, part, name, folder)


@dataclass(frozen=True)
class Netlist:
    """A synthesised design, in the folder of its build."""

    tools: Tools
    part: Part
    name: str
    folder: Path

    @property
    def cells(self) -> dict[str, int]:
        """Cells by type."""
        return json.loads((self.folder / "statistics.json").read_text())["design"]["num_cells_by_type"]

    def verilog(self) -> str:
        """The netlist as Verilog: one module, made of the family's cells."""
        script = "read_json netlist.json; delete t:$scopeinfo; write_verilog -noattr netlist.v"
        command = [self.tools.yosys, "-q", "-l", "yosys.log", "-p", script]

        def make(folder: Path, _: list[Path]) -> None:
            netlist = Path(shutil.copy(self.folder / "netlist.json", folder))
            run_program(command, folder)
            netlist.unlink()

        depends = [self.folder.name, script, *self.tools.versions.values()]
        folder = kept_build("bench", f"{self.name}-{self.part.family}-verilog", {}, depends, make)
        # What `open_chain_ends` opened would be an output that drives a constant.
        return (folder / "netlist.v").read_text().replace(".COUT(1'hx)", ".COUT()")

    def place(self, seed: int) -> dict[str, Any]:
        """Place and route; nextpnr's report: ``utilization`` by cell type, ``fmax`` by clock."""
        options = [*self.part.placement, "--freq", str(self.part.mhz), "--timing-allow-fail", "--seed", str(seed)]
        files = ["--json", "netlist.json", "--report", "report.json"]
        command = [self.tools.nextpnr, *options, *files, "-q", "-l", "nextpnr.log"]

        def make(folder: Path, _: list[Path]) -> None:
            # YoWASP's tools see the working directory only.
            announce("placing and routing")
            netlist = Path(shutil.copy(self.folder / "netlist.json", folder))
            run_program(command, folder)
            netlist.unlink()

        depends = [self.folder.name, *options, *self.tools.versions.values()]
        folder = kept_build("bench", f"{self.name}-{self.part.device}-placed", {}, depends, make)
        return json.loads((folder / "report.json").read_text())

    def fmax_mhz(self, seed: int) -> float:
        """The highest frequency of the slowest clock, as nextpnr states it after routing."""
        return min(clock["achieved"] for clock in self.place(seed)["fmax"].values())

    def slowest_path(self, seed: int) -> str:
        """The registers at both ends of the path that sets `fmax_mhz`, as they are called after synthesis."""
        clocked = (path for path in self.place(seed)["critical_paths"] if "<async>" not in (path["from"], path["to"]))
        path = max((path["path"] for path in clocked), key=lambda steps: sum(step["delay"] for step in steps))
        steps = [step for step in path if step["type"] != "clk-skew"]
        start, end = (
            re.split("_(?:SB|TRELLIS)_", cell)[0] for cell in (steps[0]["from"]["cell"], steps[-1]["to"]["cell"])
        )
        delay, levels = sum(step["delay"] for step in path), sum(step["type"] == "logic" for step in path)
        return f"{start} -> {end}, {levels} cells, {delay:.1f} ns"


def find_tools(family: str) -> Tools:
    """The tools for a family, native or YoWASP's; an error says how to install them."""
    native = ("yosys", f"nextpnr-{family}")
    packages = tuple(f"yowasp-{name}" for name in native)
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for names, path in ((native, None), (packages, beside)):
        found = [shutil.which(name, path=path) for name in names]
        if all(found):
            yosys, nextpnr = (str(program) for program in found)
            return Tools(yosys, nextpnr, dict(zip(names, (_version(yosys), _version(nextpnr)), strict=True)))
    raise TritweaveError(
        f"synthesis for {family} needs {' and '.join(native)} on PATH, or: pip install {' '.join(packages)}"
    )


@cache
def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    text = done.stdout + done.stderr
    found = re.search(r"Yosys [^ ()]+|nextpnr-[0-9][^ ()]*", text)
    return found[0] if found else text.strip()
