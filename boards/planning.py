"""What goes on a board: the engine for a network, whether it fits, and its Verilog."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from amaranth.lib import wiring

from boards.catalogue import Board
from boards.clock import choose_pll
from boards.top import BoardTop
from gen.output.hosted import hosted_engine, identify
from gen.plan.fit import LINK_LUT4, fit, link_memories
from gen.plan.fit import lacks as plan_lacks
from gen.plan.plan import MODULE, Fold, Plan, plan_network
from gen.verilog import generate
from golden.errors import TritweaveError
from golden.formats import PACKINGS
from golden.network import Network
from golden.schemes.network import AnyNetwork

_LOADER_LUT4 = 350  # of the flash loader, the same


def plan_for(board: Board, network: AnyNetwork, fold: Fold | None = None, packing: str | None = None) -> Plan:
    """The network on the board's engine, of its own fold and packing if nothing is said."""
    if isinstance(network, Network) and network.normed:
        raise TritweaveError(f"boards run networks without norms, and {network.name} has some; it can be simulated")
    if not isinstance(network, Network):
        raise TritweaveError(
            f"boards run networks of one scale a layer, and {network.name} has more; "
            "it can be simulated, and its Verilog generated"
        )
    plan = plan_network(
        network,
        fold or board.fold,
        packing=packing or board.packing,
        array=board.array,
        vectors=board.vectors,
        multipliers=board.device.multipliers,
        spram=board.spram,
    )
    return replace(plan, family=board.device.family)


def misfits(board: Board, plan: Plan) -> list[str]:
    """Why a plan with the host link does not fit the board's FPGA, see `lacks`."""
    return lacks(board, plan, LINK_LUT4, link_memories(plan))


def lacks(board: Board, plan: Plan, lut4: int, memories: Sequence[tuple[int, int]]) -> list[str]:
    """What a board's FPGA has too little of, as far as is known before it is built.

    Parameters
    ----------
    board, plan
        What is built.
    lut4, memories
        Of what is beside the engine and the flash loader; memories are (words, bits a word).

    """
    return plan_lacks(plan, board.device, lut4 + _LOADER_LUT4 * board.spram, memories)


def fitting_fold(board: Board, plan: Plan) -> str:
    """The options with which a network fits a board with the host link, if there are any, for a plan that does not."""
    assert isinstance(plan.network, Network)
    for packing in dict.fromkeys((plan.config.packing, *PACKINGS)):
        try:
            found = fit(
                plan.network,
                board.device,
                packing=packing,
                array=board.array,
                vectors=board.vectors,
                spram=board.spram,
                lut4=LINK_LUT4 + _LOADER_LUT4 * board.spram,
            )
        except TritweaveError:
            continue
        return f"--fold {found.fold} --packing {packing} fits"
    return "no fold and no packing fits"


def check_fit(board: Board, plan: Plan, reasons: Sequence[str]) -> None:
    """Raise if there are reasons why a plan does not fit a board's FPGA, see `lacks`."""
    if reasons:
        raise TritweaveError(
            f"{plan.network.name} does not fit {board.name} at {plan.fold}, {plan.config.packing}: it needs "
            f"{', '.join(reasons)}; {fitting_fold(board, plan)}"
        )


def board_verilog(board: Board, plan: Plan) -> str:
    """The Verilog of the board's FPGA, the engine with its host link: module `gen.plan.plan.MODULE`."""
    core = hosted_engine(plan, board.uart, offset=board.image_offset)
    return top_verilog(board, plan, core, {"line": f"{board.baud} baud, 8 data bits, no parity, 1 stop bit"})


def top_verilog(board: Board, plan: Plan, core: wiring.Component, details: Mapping[str, object]) -> str:
    """The Verilog of the board's FPGA with a core, see `BoardTop`, that has the image built in or out of flash.

    Parameters
    ----------
    board, plan
        What is built.
    core
        With the plan's engine.
    details
        What the header says of the core.

    """
    parameters = {
        "network": plan.network.name + (f", in SPI flash from byte {board.image_offset} on" if board.spram else ""),
        "fold": plan.fold,
        "config": f"{identify(plan.config, board.clock_hz).config:08x}",
    }
    return core_verilog(board, core, parameters, details)


def core_verilog(
    board: Board, core: wiring.Component, parameters: Mapping[str, object], details: Mapping[str, object]
) -> str:
    """The Verilog of the board's FPGA with any core, see `BoardTop`; the header lists parameters, clock and details."""
    pins = board.pins()
    pll = choose_pll(board.device.family, pins.clock_hz, board.clock_hz, pad=board.pll_pad)
    clock = {"clock": f"{board.clock_hz} Hz from {pins.clock_hz} Hz"}
    return generate(BoardTop(core, board.clock_hz, pll, pins.inverted), MODULE, {**parameters, **clock, **details})


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
