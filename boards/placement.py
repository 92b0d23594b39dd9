"""From the Verilog of a board's FPGA to its bitstream: synthesis, placement, routing, packing."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards.catalogue import Board
from boards.pins import port_bits
from gen.builds import build_root, kept_build
from gen.phases import announce
from gen.plan.plan import MODULE
from gen.processes import run_program
from gen.tools import Netlist, Tools, find_tools
from golden.errors import TritweaveError

STEPS = 3
"""Times that `place_board` calls its `progress`: Verilog, synthesis, placement."""

OUTPUTS = ("report.json", *(f"{MODULE}.{ending}" for ending in ("bin", "bit", "flash", "image", "v", "lpf", "pcf")))
"""All that a build may leave."""

_PACKERS = {"ice40": ("icepack", "bin"), "ecp5": ("ecppack", "bit")}


@dataclass(frozen=True)
class Placed:
    """A bitstream.

    Parameters
    ----------
    board
        For which it is.
    seed
        Of the placement.
    tools
        With what it was made.
    bitstream
        The file.
    placed
        nextpnr's report.

    """

    board: Board
    seed: int
    tools: Tools
    bitstream: Path
    placed: dict[str, Any]

    @property
    def utilisation(self) -> dict[str, tuple[int, int]]:
        """For each kind of cell that occurs, how many are used and how many there are."""
        kinds = self.placed["utilization"].items()
        return {kind: (count["used"], count["available"]) for kind, count in kinds if count["used"]}

    @property
    def fmax_mhz(self) -> float:
        """The highest frequency of the slowest clock."""
        return min(clock["achieved"] for clock in self.placed["fmax"].values())

    @property
    def timing_met(self) -> bool:
        """Whether every clock may be as fast as it is."""
        return self.fmax_mhz * 1e6 >= self.board.clock_hz

    def place_figures(self) -> dict[str, object]:
        """What is known of its placement, for a JSON file."""
        return {
            "seed": self.seed,
            "utilisation": {kind: list(counts) for kind, counts in self.utilisation.items()},
            "fmax_mhz": self.fmax_mhz,
            "timing_met": self.timing_met,
            "tools": dict(self.tools.versions),
        }

    def place_rows(self) -> list[tuple[str, str]]:
        """The same for a table."""
        cells = [
            (kind, f"{used:,} of {available:,}, {used / available:.0%}")
            for kind, (used, available) in self.utilisation.items()
        ]
        met = f"{self.board.clock_hz / 1e6:g} MHz, met: up to {self.fmax_mhz:.1f} MHz (seed {self.seed})"
        return [*cells, ("clock", met)]


def place_board(
    board: Board, write_verilog: Callable[[], str], *, seed: int = 1, progress: Callable[[int], None] = lambda _: None
) -> Placed:
    """Synthesise, place, route and pack a board's FPGA, or find what was built of the same.

    Parameters
    ----------
    board
        What to build for.
    write_verilog
        Gives the FPGA's Verilog, module `gen.plan.plan.MODULE`.
    seed
        Of the placement.
    progress
        Called with 1 after each of the `STEPS`.

    Raises
    ------
    TritweaveError
        If a tool is missing or fails, or the clock is not reached.

    """
    tools = find_tools(board.device.family)
    packer = find_packer(tools, board.device.family)
    verilog = write_verilog()
    progress(1)
    netlist = tools.synthesise(board.part, MODULE, verilog)
    progress(1)
    bitstream, placed = _place(board, netlist, packer, seed)
    progress(1)
    made = Placed(board, seed, tools, bitstream, placed)
    if not made.timing_met:
        raise TritweaveError(
            f"{board.name} misses its clock: {made.fmax_mhz:.1f} MHz of {board.clock_hz / 1e6:g} MHz with --seed "
            f"{seed}; try --seed {seed + 1}, or a smaller --fold"
        )
    return made


def find_packer(tools: Tools, family: str) -> str:
    """The program that makes bitstreams, from where nextpnr is."""
    name = _PACKERS[family][0]
    beside = Path(tools.nextpnr)
    yowasp = beside.name.startswith("yowasp-")
    found = shutil.which(f"yowasp-{name}", path=str(beside.parent)) if yowasp else shutil.which(name)
    if found is None:
        package = "icestorm" if family == "ice40" else "prjtrellis"
        raise TritweaveError(f"{name} is not on PATH, where {beside.name} is; it comes with {package}")
    return found


def _place(board: Board, netlist: Netlist, packer: str, seed: int) -> tuple[Path, dict[str, Any]]:
    """The bitstream and nextpnr's report."""
    ice40 = board.device.family == "ice40"
    name = bitstream_name(board)
    found = json.loads((netlist.folder / "netlist.json").read_text())["modules"][MODULE]["ports"]
    ports = [bit for port, detail in found.items() for bit in port_bits(port, len(detail["bits"]))]
    constraints = {f"board.{'pcf' if ice40 else 'lpf'}": board.pins().constraints(board.device.family, ports)}
    # A placement that misses its clock is kept too: that it does is its result.
    options = [*board.part.placement, "--freq", str(board.part.mhz), "--timing-allow-fail", "--seed", str(seed)]
    pack = [packer, f"{MODULE}.config", name, *([] if ice40 else ["--compress"])]

    def make(folder: Path, _: list[Path]) -> None:
        announce("placing and routing")
        # YoWASP's tools see the working directory only.
        copy = Path(shutil.copy(netlist.folder / "netlist.json", folder))
        files = ["--json", copy.name, "--report", "report.json"]
        files += ["--pcf", "board.pcf", "--asc"] if ice40 else ["--lpf", "board.lpf", "--textcfg"]
        command = [netlist.tools.nextpnr, *options, *files, f"{MODULE}.config", "-q", "-l", "nextpnr.log"]
        run_program(command, folder)
        run_program(pack, folder)
        copy.unlink()

    depends = [netlist.folder.name, *options, *pack[1:], *netlist.tools.versions.values()]
    folder = kept_build("boards", f"{board.name}-placed", constraints, depends, make)
    return folder / name, json.loads((folder / "report.json").read_text())


def bitstream_folder(board: Board) -> Path:
    """Where a board's last build is."""
    return build_root() / board.name


def bitstream_name(board: Board) -> str:
    """What a board's bitstream is called."""
    return f"{MODULE}.{_PACKERS[board.device.family][1]}"
