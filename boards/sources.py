"""A board's Verilog and constraints, for those who build the bitstream with other tools or other commands."""

from boards.catalogue import Board
from boards.demo import demo_misfits, demo_verilog
from boards.pins import port_bits
from boards.planning import board_verilog, check_fit, misfits
from gen.plan.plan import MODULE, Plan
from gen.verilog import listed_ports


def board_sources(board: Board, plan: Plan, *, demo: bool = False) -> dict[str, tuple[bytes, str]]:
    """What a board's bitstream is made from.

    Parameters
    ----------
    board, plan
        As for `boards.build.build_board`.
    demo
        The demonstration without a host instead of the engine with its host link.

    Returns
    -------
    File name to content, and what it is: Verilog, constraints with the commands that take them, and the memory image.

    """
    check_fit(board, plan, demo_misfits(board, plan) if demo else misfits(board, plan))
    verilog = demo_verilog(board, plan) if demo else board_verilog(board, plan)
    return verilog_sources(board, verilog) | {f"{MODULE}.image": (plan.image.to_bytes(), "memory image")}


def verilog_sources(board: Board, verilog: str) -> dict[str, tuple[bytes, str]]:
    """The same of any Verilog of a board's FPGA."""
    ports = [bit for port in listed_ports(verilog) for bit in port_bits(port.name, port.width)]
    family, part = board.device.family, board.part
    suffix, result = ("pcf", "--asc") if family == "ice40" else ("lpf", "--textcfg")
    options = " ".join([*part.placement, "--freq", str(part.mhz)])
    constraints = (
        f"# yosys -p 'read_verilog {MODULE}.v; {part.synthesis} -top {MODULE} -json {MODULE}.json'\n"
        f"# nextpnr-{family} {options} --json {MODULE}.json --{suffix} {MODULE}.{suffix} {result} {MODULE}.config\n"
    ) + board.pins().constraints(family, ports)
    return {
        f"{MODULE}.v": (verilog.encode(), "Verilog of the board's FPGA, top module first"),
        f"{MODULE}.{suffix}": (constraints.encode(), "constraints: pins and clock"),
    }
