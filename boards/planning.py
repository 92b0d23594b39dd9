"""What goes on a board: the engine for a network, whether it fits, and its Verilog."""

from dataclasses import replace

from boards.catalogue import Board
from boards.clock import choose_pll
from boards.top import BoardTop
from gen.hosted import hosted_engine, identify
from gen.plan import MODULE, Fold, Plan, plan_network
from gen.verilog import generate
from golden.scheme_network import AnyNetwork
from rtl.spram_memory import SpramMemory

IMAGE_OFFSET = 1 << 17
"""Where an image is in the flash of a board with SPRAM: behind an UP5K's bitstream, which has 104,090 bytes."""

_LINK_LUT4, _LINK_BLOCK_RAMS = 750, 3  # of the host link, as synthesised for `mnist-small` on iCE40


def plan_for(board: Board, network: AnyNetwork, fold: Fold | None = None, packing: str | None = None) -> Plan:
    """The network on the board's engine, of its own fold and packing if nothing is said."""
    plan = plan_network(
        network,
        fold or board.fold,
        packing=packing or board.packing,
        array=board.array,
        vectors=board.vectors,
        spram=board.spram,
    )
    return replace(plan, family=board.device.family)


def misfits(board: Board, plan: Plan) -> list[str]:
    """Why a plan does not fit the board's FPGA, as far as is known before it is built; empty if it does."""
    device, area, config = board.device, plan.area, plan.config
    sprams = SpramMemory.cells(sum(config.transfers["weights"]), config.weight_words) if config.spram else 0
    needs = (
        ("LUT4", area.lut4 + _LINK_LUT4, device.lut4),
        ("block RAMs", area.block_rams + _LINK_BLOCK_RAMS, device.block_rams),
        ("SPRAM", sprams, device.sprams),
    )
    return [f"{need:,} {what} of {has:,}" for what, need, has in needs if need > has]


def board_top(board: Board, plan: Plan) -> BoardTop:
    """The board's FPGA: the engine with its host link, its image built in or, where SPRAM holds it, out of flash."""
    pins = board.pins()
    pll = choose_pll(board.device.family, pins.clock_hz, board.clock_hz, pad=board.pll_pad)
    core = hosted_engine(plan, board.uart, offset=IMAGE_OFFSET if board.spram else None)
    return BoardTop(core, board.clock_hz, pll, pins.inverted)


def board_verilog(board: Board, plan: Plan) -> str:
    """The Verilog of `board_top`: module `gen.plan.MODULE`."""
    input_hz = board.pins().clock_hz
    parameters = {
        "network": plan.network.name + (f", in SPI flash from byte {IMAGE_OFFSET} on" if board.spram else ""),
        "fold": plan.fold,
        "config": f"{identify(plan.config, board.clock_hz).config:08x}",
        "clock": f"{board.clock_hz} Hz from {input_hz} Hz",
        "line": f"{board.baud} baud, 8 data bits, no parity, 1 stop bit",
    }
    return generate(board_top(board, plan), MODULE, parameters)


def board_figures(board: Board) -> dict[str, object]:
    """What a board is, for a JSON file."""
    return {
        "board": board.name,
        "device": board.device.name,
        "clock_mhz": board.clock_hz / 1e6,
        "baud": board.baud,
        "link": board.link,
        "fold": str(board.fold),
        "packing": board.packing,
        "array": board.array,
        "spram": board.spram,
        "block_rams": board.device.block_rams,
        "lut4": board.device.lut4,
    }
