"""A board's display in Verilator, as its demonstration without a host drives it."""

import subprocess
from typing import NamedTuple

from golden.errors import TritweaveError
from sim.drivers import build_driver
from sim.toolchain import environment


class Change(NamedTuple):
    """The display's pins from a cycle on."""

    cycle: int
    display: int


def watch_display(verilog: str, cycles: int, flash: bytes = b"") -> list[Change]:
    """What a display shows, run by `sim/display.cpp`.

    Parameters
    ----------
    verilog
        A design with the ports ``clk``, ``display`` and maybe SPI flash's.
    cycles
        Of the design's clock.
    flash
        Content of the SPI flash.

    """
    command = [build_driver("display", verilog), str(cycles)]
    done = subprocess.run(command, input=flash, capture_output=True, env=environment())
    if done.returncode:
        raise TritweaveError(
            f"the simulation of the display ended with status {done.returncode}: {done.stderr.decode()}"
        )
    return [Change(*map(int, line.split())) for line in done.stdout.splitlines()]
