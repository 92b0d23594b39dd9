"""A board in Verilator, at the pins of its FPGA; its PLL is replaced by a model."""

from boards.catalogue import Board
from boards.device import Device
from boards.planning import board_verilog
from boards.top import RESET_SECONDS
from gen.output.hosted import identify
from gen.plan.plan import Plan
from sim.line import SimulatedLine


class BoardLine(SimulatedLine):
    """The host's end of a simulated board's serial line; parameters as in `SimulatedLine`.

    The model of the PLL passes the board's clock on, so the simulated time is that of the engine's clock.
    """

    def open(self) -> None:
        """Start the board anew, and wait until its reset is over."""
        super().open()
        self.wait(2 * RESET_SECONDS)


class SimulatedBoard(Device):
    """A board, its network and its host link in Verilator, byte for byte as on its serial line.

    Parameters
    ----------
    board, plan
        As for `boards.build.build_board`.
    verilog
        What is simulated instead of the board's generated Verilog, e.g. its synthesised netlist.
    flash
        Content of the board's SPI flash.
    timeout, attempts
        As in `Device`.

    """

    line: BoardLine

    def __init__(
        self,
        board: Board,
        plan: Plan,
        verilog: str | None = None,
        *,
        flash: bytes = b"",
        timeout: float = 1.0,
        attempts: int = 5,
    ):
        line = BoardLine(verilog or board_verilog(board, plan), board.uart, flash=flash)
        expected = identify(plan.config, board.clock_hz)
        super().__init__(
            f"the simulated {board.name}", line, board.baud, timeout=timeout, attempts=attempts, expected=expected
        )
