"""Bitstreams: from a board and a network to the file that the FPGA is configured with, and what is known of it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from boards.catalogue import Board
from boards.demo import demo_misfits, demo_verilog
from boards.pins import port_bits
from boards.planning import board_figures, board_verilog, check_fit, misfits
from gen.builds import build_root, kept_build
from gen.output.files import write_files
from gen.output.hosted import identify
from gen.phases import announce
from gen.plan.plan import MODULE, Plan
from gen.processes import run_program
from gen.tools import Netlist, Tools, find_tools
from golden.errors import TritweaveError
from golden.files.image import MemoryImage
from golden.link.format import Command
from golden.link.frames import Frame
from golden.link.payloads import run_payload

STEPS = 3
"""Times that `build_board` calls its `progress`: Verilog, synthesis, placement."""

OUTPUTS = ("report.json", *(f"{MODULE}.{ending}" for ending in ("bin", "bit", "flash", "image", "v", "lpf", "pcf")))
"""All that a build may leave."""

_PACKERS = {"ice40": ("icepack", "bin"), "ecp5": ("ecppack", "bit")}


@dataclass(frozen=True)
class BoardBuild:
    """A bitstream.

    Parameters
    ----------
    board, plan
        What was built.
    seed
        Of the placement.
    tools
        With what.
    bitstream
        The file.
    placed
        nextpnr's report.
    demo
        Whether it is the demonstration without a host.

    """

    board: Board
    plan: Plan
    seed: int
    tools: Tools
    bitstream: Path
    placed: dict[str, Any]
    demo: bool = False

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

    @property
    def images_per_s(self) -> float:
        """Vectors a second in the engine, one after another."""
        return self.board.clock_hz / self.plan.cycles.period

    @cached_property
    def hosted_images_per_s(self) -> float:
        """Vectors a second over the line: request, run and reply follow each other."""
        config, layers = self.plan.config, self.plan.network.layers
        request = Frame(1, Command.RUN, run_payload(0, bytes(layers[0].inputs), config.lanes)).to_bytes()
        reply = Frame(1, Command.RUN, bytes(4 * config.lanes * config.result_words)).to_bytes()
        line = 10 * (len(request) + len(reply)) / self.board.baud
        return 1 / (line + self.plan.cycles.latency / self.board.clock_hz)

    def figures(self) -> dict[str, object]:
        """Everything, for a JSON file."""
        return {
            **board_figures(self.board),
            "model": self.plan.network.name,
            "demo": self.demo,
            "fold": str(self.plan.fold),
            "packing": self.plan.config.packing,
            "config": f"{identify(self.plan.config, self.board.clock_hz).config:08x}",
            "seed": self.seed,
            "utilisation": {kind: list(counts) for kind, counts in self.utilisation.items()},
            "fmax_mhz": self.fmax_mhz,
            "timing_met": self.timing_met,
            "cycles_period": self.plan.cycles.period,
            "images_per_s": self.images_per_s,
            "hosted_images_per_s": None if self.demo else self.hosted_images_per_s,
            "tools": dict(self.tools.versions),
        }


def build_board(
    board: Board, plan: Plan, *, demo: bool = False, seed: int = 1, progress: Callable[[int], None] = lambda _: None
) -> BoardBuild:
    """Synthesise, place, route and pack a board's FPGA, or find what was built of the same.

    Parameters
    ----------
    board, plan
        What to build; the plan is that of `boards.planning.plan_for`.
    demo
        Build the demonstration without a host, `boards.demo`, instead of the engine with its host link.
    seed
        Of the placement.
    progress
        Called with 1 after each of the `STEPS`.

    Raises
    ------
    TritweaveError
        If the plan does not fit, a tool is missing or fails, or the engine's clock is not reached.

    """
    check_fit(board, plan, demo_misfits(board, plan) if demo else misfits(board, plan))
    tools = find_tools(board.device.family)
    packer = find_packer(tools, board.device.family)
    verilog = demo_verilog(board, plan) if demo else board_verilog(board, plan)
    progress(1)
    netlist = tools.synthesise(board.part, MODULE, verilog)
    progress(1)
    bitstream, placed = _place(board, netlist, packer, seed)
    progress(1)
    made = BoardBuild(board, plan, seed, tools, bitstream, placed, demo)
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


def write_build(made: BoardBuild, folder: Path | None = None) -> dict[Path, str]:
    """Write a build's files and leave no older ones, by default in `bitstream_folder`; each with what it is."""
    folder = folder or bitstream_folder(made.board)
    bitstream = made.bitstream.read_bytes()
    contents = {
        made.bitstream.name: (bitstream, "bitstream"),
        "report.json": ((json.dumps(made.figures(), indent=2) + "\n").encode(), "everything that is known of it"),
    }
    if not made.demo:
        contents[f"{MODULE}.image"] = (made.plan.image.to_bytes(), "memory image, for the host link")
    if made.board.spram:
        content = flash_content(made.board, bitstream, made.plan.image)
        contents[flash_name(made.board)] = (content, "bitstream and memory image, for the flash")
    return write_files(folder, contents, OUTPUTS)


def flash_content(board: Board, bitstream: bytes, image: MemoryImage) -> bytes:
    """What the flash of a board with SPRAM holds: the bitstream, nothing, and the image at `Board.image_offset`."""
    offset = board.image_offset
    if offset is None or len(bitstream) > offset:
        raise TritweaveError(
            f"{board.name}: its bitstream has {len(bitstream):,} bytes, its image_offset is {offset}; "
            "the image lies behind the bitstream"
        )
    return bitstream.ljust(offset, b"\xff") + image.to_bytes()


def bitstream_folder(board: Board) -> Path:
    """Where a board's last build is."""
    return build_root() / board.name


def bitstream_name(board: Board) -> str:
    """What a board's bitstream is called."""
    return f"{MODULE}.{_PACKERS[board.device.family][1]}"


def flash_name(board: Board) -> str:
    """What the file for a board's flash is called: the bitstream, with SPRAM another one that holds the image too."""
    return f"{MODULE}.flash" if board.spram else bitstream_name(board)
