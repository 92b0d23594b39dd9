"""Bitstreams of networks: from a board and a plan to what the FPGA is configured with, and what is known of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from boards.catalogue import Board
from boards.demo import demo_misfits, demo_verilog
from boards.placement import OUTPUTS, Placed, bitstream_folder, bitstream_name, place_board
from boards.planning import board_figures, board_verilog, check_fit, misfits
from gen.output.files import write_files
from gen.output.hosted import identify
from gen.plan.plan import MODULE, Plan
from golden.errors import TritweaveError
from golden.files.image import MemoryImage
from golden.link.format import Command
from golden.link.frames import Frame
from golden.link.payloads import run_payload


@dataclass(frozen=True)
class BoardBuild(Placed):
    """A bitstream of a network.

    Parameters
    ----------
    plan
        What was built.
    demo
        Whether it is the demonstration without a host.

    """

    plan: Plan
    demo: bool = False

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
            "cycles_period": self.plan.cycles.period,
            "images_per_s": self.images_per_s,
            "hosted_images_per_s": None if self.demo else self.hosted_images_per_s,
            **self.place_figures(),
        }


def build_board(
    board: Board, plan: Plan, *, demo: bool = False, seed: int = 1, progress: Callable[[int], None] = lambda _: None
) -> BoardBuild:
    """Build a board's FPGA with a network, see `place_board`.

    Parameters
    ----------
    board, plan
        What to build; the plan is that of `boards.planning.plan_for`.
    demo
        Build the demonstration without a host, `boards.demo`, instead of the engine with its host link.
    seed, progress
        As for `place_board`.

    """
    check_fit(board, plan, demo_misfits(board, plan) if demo else misfits(board, plan))
    write = demo_verilog if demo else board_verilog
    made = place_board(board, lambda: write(board, plan), seed=seed, progress=progress)
    return BoardBuild(**vars(made), plan=plan, demo=demo)


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


def flash_name(board: Board) -> str:
    """What the file for a board's flash is called: the bitstream, with SPRAM another one that holds the image too."""
    return f"{MODULE}.flash" if board.spram else bitstream_name(board)
