"""A device on a serial port."""

import errno
from typing import Any

from boards.device import Device
from golden.errors import TritweaveError
from golden.link.frames import Identity

try:
    from termios import error as _TerminalError
except ImportError:  # not on Windows
    _TerminalError = OSError

_WRITE_SECONDS = 10.0  # nothing holds bytes back but a port that has gone


class SerialLine:
    """The host's end of a serial line, on pyserial.

    Parameters
    ----------
    port
        Its name, e.g. ``/dev/ttyUSB1`` or ``COM3``.
    baud
        Bits a second, as the device was built for.

    """

    def __init__(self, port: str, baud: int):
        self.port, self.baud = port, baud
        self._serial: Any = None

    def open(self) -> None:
        """Take the port for this process alone; what has come in before is dropped."""
        try:
            from serial import Serial
        except ImportError as error:
            raise TritweaveError(
                "serial ports need pyserial; install it with: pip install 'tritweave[host]'"
            ) from error
        self.close()
        try:
            self._serial = Serial(self.port, self.baud, exclusive=True, write_timeout=_WRITE_SECONDS)
            self._serial.reset_input_buffer()
        except (OSError, ValueError, _TerminalError) as error:
            raise TritweaveError(self._trouble(error)) from error

    def close(self) -> None:
        """Give the port back."""
        if self._serial:
            self._serial.close()
        self._serial = None

    def write(self, content: bytes) -> None:
        """Send bytes; `ConnectionError` if the port has gone."""
        self._do(lambda serial: serial.write(content))

    def read_frame(self, seconds: float) -> bytes:
        """What the device sends up to its next delimiter, or what has come after that time."""

        def read(serial: Any) -> bytes:
            serial.timeout = seconds
            return serial.read_until(b"\0")

        return self._do(read)

    def _do(self, action: Any) -> Any:
        if not self._serial:
            raise ConnectionError(f"port {self.port} is not open")
        try:
            return action(self._serial)
        except (OSError, _TerminalError) as error:
            raise ConnectionError(f"port {self.port} has gone: {error}") from error

    def _trouble(self, error: Exception) -> str:
        """Why the port does not open, and what to do."""
        code = getattr(error, "errno", None)
        if code in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
            return f"port {self.port} is busy; close the program that has it"
        if code in (errno.EACCES, errno.EPERM) or isinstance(error, PermissionError):
            return (
                f"port {self.port} may not be used; join its group (on Debian: adduser $USER dialout) and log in again"
            )
        if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in str(error):
            from serial.tools.list_ports import comports

            found = ", ".join(sorted(port.device for port in comports())) or "none"
            return f"port {self.port} does not exist; ports found: {found}"
        return f"port {self.port} does not open: {error}"


class SerialDevice(Device):
    """A device on a serial port; parameters as in `SerialLine` and `Device`."""

    def __init__(
        self, port: str, baud: int, *, timeout: float = 1.0, attempts: int = 5, expected: Identity | None = None
    ):
        line = SerialLine(port, baud)
        super().__init__(f"the device on {port}", line, baud, timeout=timeout, attempts=attempts, expected=expected)
