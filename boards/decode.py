"""A board's FPGA as it is configured: the bitstream, decoded back to Verilog by IceStorm's `icebox_vlog`."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from boards.build import build_board
from boards.catalogue import Board
from boards.netlist import cell_library
from boards.placement import Placed, find_packer
from gen.builds import kept_build
from gen.plan.plan import MODULE, Plan
from gen.processes import run_program
from golden.errors import TritweaveError

DECODER = "icebox_vlog"

_PORTS = ("clk", "rx", "tx")


def decoded_verilog(board: Board, plan: Plan) -> str:
    """Verilog of the bitstream of a network's board, see `decoded`."""
    return decoded(board, lambda: build_board(board, plan))


def decoded(board: Board, build: Callable[[], Placed]) -> str:
    """Verilog of a board's bitstream, models of its cells included; those of PLLs are left to `sim.cells`.

    Raises
    ------
    TritweaveError
        If the FPGA is no iCE40 HX8K, the decoder is missing, or the bitstream cannot be built.

    """
    device = board.device
    if device.name != "ice40-hx8k":
        raise TritweaveError(
            f"bitstreams of {board.name} cannot be decoded: {DECODER} is used for ice40-hx8k only; use --port netlist"
        )
    decoder = shutil.which(DECODER)
    if decoder is None:
        raise TritweaveError(
            f"{DECODER} is not on PATH; it comes with IceStorm, on Debian: apt-get install fpga-icestorm"
        )
    made = build()
    ports = board.pins().ports
    pins = "".join(f"set_io {port} {ports[port].site}\n" for port in _PORTS)
    # The package is the last of nextpnr's options.
    decode = [decoder, "-s", "-d", board.part.placement[-1], "-n", MODULE, "-p", "pins.pcf", "unpacked.asc"]

    def make(folder: Path, _: list[Path]) -> None:
        copy = Path(shutil.copy(made.bitstream, folder))
        run_program([find_packer(made.tools, device.family), "-u", copy.name, "unpacked.asc"], folder)
        (folder / "decoded.v").write_text(run_program(decode, folder))

    folder = kept_build(
        "boards", f"{board.name}-decoded", {"pins.pcf": pins}, [made.bitstream.parent.name, *decode], make
    )
    plain = _with_plain_header((folder / "decoded.v").read_text())
    return f"{cell_library(made.tools, device.family)}\n{plain}"


def _with_plain_header(verilog: str) -> str:
    """The same with the ports' directions behind the header, as is due where they are declared again as wires."""
    found = re.findall(r"^module \S+ \((.*?)\);$", verilog, re.MULTILINE)
    if len(found) != 1:
        raise TritweaveError(f"{DECODER} put out {len(found)} module headers where one is expected; is it IceStorm's?")
    ports = found[0]
    names = ", ".join(port.split()[-1] for port in ports.split(", "))
    directions = "".join(f"{port};\n" for port in ports.split(", "))
    return verilog.replace(f"({ports});", f"({names});\n{directions}", 1)
