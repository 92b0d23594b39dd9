"""Images on a board: sent over the link, and every logit compared with the model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boards.catalogue import Board
from boards.decode import decoded_verilog
from boards.device import Device
from boards.netlist import netlist_verilog
from boards.planning import board_verilog
from boards.serial_device import SerialDevice
from boards.simulated_board import SimulatedBoard
from gen.output.hosted import identify
from gen.plan.plan import Plan

SIMULATED = "sim"
"""The port that stands for the board in Verilator."""
NETLIST = "netlist"
"""The port that stands for the board's synthesised netlist in Verilator."""
BITSTREAM = "bitstream"
"""The port that stands for the board's bitstream, decoded back to Verilog (iCE40 HX8K)."""

SIMULATIONS: dict[str, Callable[[Board, Plan], str]] = {
    SIMULATED: board_verilog,
    NETLIST: netlist_verilog,
    BITSTREAM: decoded_verilog,
}
"""The Verilog that runs in Verilator for each port that is no serial port."""


@dataclass(frozen=True, eq=False)
class Inference:
    """What a board answered.

    Parameters
    ----------
    logits
        int32, shape (n, outputs).
    expected
        The model's.
    cycles
        Of the last image in the device, the link's pace included.

    """

    logits: NDArray[np.int32]
    expected: NDArray[np.int32]
    cycles: int

    @property
    def answers(self) -> NDArray[np.intp]:
        """The place of each image's largest logit."""
        return self.logits.argmax(axis=1)

    @property
    def equal(self) -> NDArray[np.bool_]:
        """For each image, whether all logits are the model's."""
        return (self.logits == self.expected).all(axis=1)


def open_device(board: Board, plan: Plan, port: str) -> Device:
    """The board on a serial port, or in Verilator if the port is one of `SIMULATIONS`."""
    if port in SIMULATIONS:
        return SimulatedBoard(board, plan, SIMULATIONS[port](board, plan))
    return SerialDevice(port, board.baud, expected=identify(plan.config, board.clock_hz))


def infer(
    board: Board,
    plan: Plan,
    vectors: NDArray[np.integer[Any]],
    port: str,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Inference:
    """Send vectors to a board, one after another.

    Parameters
    ----------
    board, plan
        What the board was built from, as for `boards.build.build_board`.
    vectors
        Shape (n, inputs).
    port
        A serial port, or one of `SIMULATIONS`.
    progress
        Called with 1 after each vector.

    """
    outputs = plan.network.layers[-1].outputs
    logits = np.zeros((len(vectors), outputs), np.int32)
    with open_device(board, plan, port) as device:
        device.load(plan.image)
        for row, vector in zip(logits, vectors, strict=True):
            row[:] = device.run(plan.image, vector[np.newaxis], outputs)[0]
            progress(1)
        cycles = device.counters().cycles
    return Inference(logits, plan.network.forward(vectors).logits, cycles)
