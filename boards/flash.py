"""Configuring a board: the program that does it, into the FPGA's RAM or into the board's flash memory."""

import shutil
import subprocess
from pathlib import Path

from boards.build import flash_name
from boards.catalogue import Board
from boards.placement import bitstream_folder, bitstream_name
from golden.errors import TritweaveError

_SOURCES = {
    "openFPGALoader": "install your system's package openfpgaloader, or see https://trabucayre.github.io/openFPGALoader",
    "iceprog": "install your system's package fpga-icestorm, or see https://github.com/YosysHQ/icestorm",
    "dfu-util": "install your system's package dfu-util, or see https://dfu-util.sourceforge.net",
    "icesprog": "see https://github.com/wuxx/icesugar",
}
"""Where the programs come from."""


def flash_command(board: Board, bitstream: Path | None = None, *, ram: bool = False) -> list[str]:
    """The command that configures a board.

    Parameters
    ----------
    board
        The board, connected.
    bitstream
        The file; its last build if none is given.
    ram
        Whether it goes into the FPGA's RAM, until power is off, instead of into flash.

    """
    ways = board.ram if ram else board.flash
    if not ways:
        where, other = ("RAM", "without --ram") if ram else ("flash", "with --ram")
        raise TritweaveError(f"{board.name} is not configured through its {where} here; flash it {other}")
    file = bitstream or bitstream_folder(board) / (bitstream_name(board) if ram else flash_name(board))
    if not file.is_file():
        raise TritweaveError(f"there is no bitstream {file}; build one with: tritweave build {board.name} MODEL")
    for program, *arguments in ways:
        if found := shutil.which(program):
            return [found, *arguments, str(file)]
    programs = [program for program, *_ in ways]
    raise TritweaveError(
        f"{board.name} needs {' or '.join(programs)}, not found on PATH; "
        f"{', or '.join(_SOURCES[program] for program in programs)}"
    )


def flash_board(board: Board, bitstream: Path | None = None, *, ram: bool = False) -> None:
    """Configure a board, see `flash_command`; the program's own output stays on the terminal."""
    command = flash_command(board, bitstream, ram=ram)
    status = subprocess.run(command).returncode
    if status:
        raise TritweaveError(
            f"{Path(command[0]).name} failed with status {status}; see that {board.name} is connected, that you may "
            f"use its USB device, and what the program said: {' '.join(command)}"
        )
