"""A device in Verilator, at the pins of its serial line."""

from boards.device import Device
from gen.output.hosted import hosted_verilog
from gen.plan.plan import Plan
from golden.link.frames import Identity
from rtl.link.uart import UartConfig
from sim.line import SimulatedLine


class SimulatedDevice(Device):
    """A plan's engine with its link in Verilator, at its pins; its seconds are those of its clock.

    Parameters
    ----------
    plan
        The engine and its network.
    uart
        Clock and rate; few cycles a bit are simulated soonest.
    initialised
        Whether the network is built in.
    timeout, attempts, expected
        As in `Device`.

    """

    line: SimulatedLine

    def __init__(
        self,
        plan: Plan,
        uart: UartConfig | None = None,
        *,
        initialised: bool = False,
        timeout: float = 1.0,
        attempts: int = 5,
        expected: Identity | None = None,
    ):
        uart = uart or UartConfig(clock_hz=8_000_000, baud=1_000_000)
        line = SimulatedLine(hosted_verilog(plan, uart, initialised=initialised), uart)
        super().__init__("the simulated device", line, uart.baud, timeout=timeout, attempts=attempts, expected=expected)
