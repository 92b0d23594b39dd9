"""A line to a device, and what any device with the host link is asked in the same way."""

from types import TracebackType
from typing import Self

from boards.requests import Line, Requests
from golden.errors import TritweaveError
from golden.link.format import IDENTITY_FIELDS, STATE_FIELDS, Command
from golden.link.frames import Counters, State
from golden.link.language_format import LANGUAGE_FIELDS

# As long as any reply that tells of the device itself.
REPLY_BYTES = 64

_KINDS = {
    sum(IDENTITY_FIELDS.values()): "an engine for networks; talk to it with: tritweave infer",
    sum(LANGUAGE_FIELDS.values()): "a language model; talk to it with: tritweave talk",
}


class Connection:
    """A device with the host link (`golden.link.format`), at the other end of any line; a context manager.

    A request that is lost or damaged, or whose reply is, is repeated under a fresh sequence number; a line that has
    gone is opened again. What does not help is one error that says what happened last.

    Parameters
    ----------
    name
        What errors call the device.
    line
        The way to it.
    baud
        The line's rate, by which the time of long frames is known.
    timeout
        Seconds that the device has for a reply, beside the time that the frames take.
    attempts
        Times that a request is sent at most.
    first
        The first sequence number, see `boards.requests.Requests`.

    """

    def __init__(
        self, name: str, line: Line, baud: int, *, timeout: float = 1.0, attempts: int = 5, first: int | None = None
    ):
        self.name, self.line, self.attempts = name, line, attempts
        self._requests = Requests(name, line, baud, timeout, attempts, first)
        self._reply_bytes = REPLY_BYTES

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Open the line and see what is at its end."""
        self.line.open()
        try:
            self.meet()
        except BaseException:
            self.close()
            raise

    def meet(self) -> None:
        """See that the device is the expected one."""

    def close(self) -> None:
        """Close the line."""
        self.line.close()

    def ask_identity(self, size: int) -> tuple[bytes, State]:
        """What the device says it is, in so many bytes, and what it has in its memories; an error if it is no such."""
        content = self.request(Command.IDENTIFY)
        split = len(content) - sum(STATE_FIELDS.values())
        if split != size and split in _KINDS:
            raise TritweaveError(f"{self.name} has {_KINDS[split]}")
        return content[:size], State.from_bytes(content[size:])

    def counters(self) -> Counters:
        """What the device has counted."""
        return Counters.from_bytes(self.request(Command.COUNTERS))

    def request(self, command: Command, payload: bytes = b"") -> bytes:
        """Send a request until there is an answer to it; the reply's payload."""
        return self._requests.ask(command, payload, self._reply_bytes)
