"""A simulated device at the pins of its serial line, in its own time."""

import struct
import subprocess
from pathlib import Path

from rtl.link.uart import UartConfig
from sim.drivers import build_driver
from sim.toolchain import environment


class SimulatedLine:
    """The host's end of a serial line whose other end is a design in Verilator, run by `sim/line.cpp`.

    Time passes only while something is awaited, and is counted in the design's clock. `ConnectionError` says that the
    simulation is not open, or has ended.

    Parameters
    ----------
    verilog
        A design with the ports ``clk``, ``rx`` and ``tx``, and ``rst`` and SPI flash's if it likes; its module is
        called `gen.plan.plan.MODULE`.
    uart
        Its clock and rate.
    skew
        How much longer the host's bits are than they should be, e.g. 0.01 for 1 %.
    flash
        Content of the SPI flash of a design that has its pins.

    """

    def __init__(self, verilog: str, uart: UartConfig, *, skew: float = 0.0, flash: bytes = b""):
        self.uart, self.flash_content = uart, flash
        self._command: list[str | Path] = [build_driver("line", verilog), str(uart.clock_hz / uart.baud * (1 + skew))]
        self._process: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Start the device anew, as after power-up."""
        self.close()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        )
        self._request("m", len(self.flash_content), self.flash_content)

    def close(self) -> None:
        """End the simulation."""
        if self._process:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def write(self, content: bytes, *, stop: bool = True) -> None:
        """Put bytes on the line behind those that are still waiting; without `stop` their stop bits are missing."""
        self._request("w" if stop else "b", len(content), content)

    def read_frame(self, seconds: float) -> bytes:
        """What the device sends up to its next delimiter, or what has come when that much of its time has passed."""
        self._request("r", self._cycles(seconds))
        return self._answer(*struct.unpack("<I", self._answer(4)))

    def wait(self, seconds: float) -> None:
        """Let the device's time pass."""
        self._request("s", self._cycles(seconds))

    def flush(self) -> None:
        """Let time pass until every byte is on the line."""
        self._request("f", 0)

    def reset(self, cycles: int = 1) -> None:
        """Hold the device's reset."""
        self._request("x", cycles)

    @property
    def cycles(self) -> int:
        """Cycles since the device was started."""
        self._request("c", 0)
        return struct.unpack("<Q", self._answer(8))[0]

    def _cycles(self, seconds: float) -> int:
        return min(int(seconds * self.uart.clock_hz), 0xFFFFFFFF)

    def _request(self, letter: str, count: int, content: bytes = b"") -> None:
        if not self._process or not self._process.stdin:
            raise ConnectionError("the simulated device is not open")
        try:
            self._process.stdin.write(struct.pack("<cI", letter.encode(), count) + content)
            self._process.stdin.flush()
        except OSError as error:
            raise ConnectionError("the simulation of the device has ended") from error

    def _answer(self, count: int) -> bytes:
        assert self._process
        assert self._process.stdout
        content = self._process.stdout.read(count)
        if len(content) != count:
            raise ConnectionError("the simulation of the device has ended")
        return content
