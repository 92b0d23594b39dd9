"""One request and its reply over a line that may lose or damage either."""

import secrets
from typing import Protocol

from golden.errors import TritweaveError
from golden.link.format import DONE, REFUSED, VERSION, Command, Refusal
from golden.link.frames import Frame, FrameDamaged

_REASONS = {
    Refusal.LONG: "the payload is longer than it takes; the image or the vector is for another engine",
    Refusal.COMMAND: "it does not know the command; it was built by another version of tritweave: build it anew",
    Refusal.READ_ONLY: "its memories cannot be loaded; build it with writable=True",
    Refusal.NOT_LOADED: "it does not hold the image; load it",
    Refusal.ORDER: "it is not where the image or the text goes on, because it was reset or another host uses it; begin "
    "again",
    Refusal.LENGTH: "the payload's length does not fit; the vector must be as long as the image's input",
    Refusal.RANGE: "its memories have no room for the image or the prompt; plan the model for this engine",
    Refusal.STUCK: "its engine did not answer in time and was reset; the image is not one that this engine runs",
    Refusal.NOT_YET: "the logits are not there; ask for those in front of the token that is to come",
}

# Frames of earlier attempts that may still be on their way, and then some.
_STALE = 16

_SEQUENCES = (1 << 32) - 1


class Refused(TritweaveError):
    """The device understood a request and refused it."""

    def __init__(self, message: str, reason: int):
        super().__init__(message)
        self.reason = reason


class NoReply(FrameDamaged):
    """Nothing more comes from the device."""


class Line(Protocol):
    """Bytes to a device and back. `ConnectionError` says that the line has gone and may be opened again."""

    def open(self) -> None:
        """Begin anew."""
        ...

    def close(self) -> None:
        """End."""
        ...

    def write(self, content: bytes, /) -> None:
        """Send bytes."""
        ...

    def read_frame(self, seconds: float, /) -> bytes:
        """What the device sends up to its next delimiter, or what has come after that time."""
        ...


class Requests:
    """Sends requests until they are answered; a repeated one has a fresh sequence number.

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
        The first sequence number, 1 to 2**32 - 1; without it one that no host has used, as far as chance can tell, so
        that no answer to another host, or to this one's last session, is taken for one of this session's.

    """

    def __init__(self, name: str, line: Line, baud: int, timeout: float, attempts: int, first: int | None = None):
        self.name, self.line, self.timeout, self.attempts = name, line, timeout, attempts
        self._byte_seconds = 10 / baud
        self._sequence = secrets.randbelow(_SEQUENCES) if first is None else first - 1

    def ask(self, command: Command, payload: bytes, reply_bytes: int) -> bytes:
        """The payload of the reply to a request, which has about so many bytes at most."""
        problem = ""
        for attempt in range(self.attempts):
            try:
                return self._attempt(command, payload, reply_bytes, again=attempt > 0)
            except ConnectionError as error:
                problem = str(error)
                self.line.open()
            except FrameDamaged as error:
                problem = str(error)
                # An answer to an older request, taken for one to the last, leaves host and device out of step: each
                # request would come while the device still has the one before, and be damaged by that.
                if attempt > 0 and not isinstance(error, NoReply):
                    self._await_silence(self._seconds(reply_bytes))
        raise TritweaveError(
            f"{self.name} does not answer; {command.name.lower()} was tried {self.attempts} times, the last time: "
            f"{problem}; see that the device is configured and that the rate is its own"
        )

    def _attempt(self, command: Command, payload: bytes, reply_bytes: int, *, again: bool) -> bytes:
        """The reply's payload; `FrameDamaged` says why there is none that can be trusted."""
        self._sequence = self._sequence % _SEQUENCES + 1
        # What was left of the last attempt must not become a part of this one.
        frame = bytes(2 * again) + Frame(self._sequence, command, payload).to_bytes()
        self.line.write(frame)
        seconds = self._seconds(len(frame) + reply_bytes)
        for _ in range(_STALE):
            coded = self.line.read_frame(seconds)
            if not coded.endswith(b"\0"):
                raise NoReply(f"no whole reply came within {seconds:.3g} s, only {len(coded)} bytes")
            if coded == b"\0":
                continue
            reply = Frame.from_bytes(coded[:-1])
            if reply.version != VERSION:
                raise TritweaveError(
                    f"{self.name} speaks version {reply.version} of the protocol; this is {VERSION}: "
                    "build and load its bitstream anew, or use the tritweave that built it"
                )
            if reply.command == REFUSED and len(reply.payload) == 1:
                self._check_refusal(reply, command)
            if (reply.sequence, reply.command) == (self._sequence, command | DONE):
                return reply.payload
        raise FrameDamaged(f"{_STALE} frames came and none was the reply")

    def _seconds(self, count: int) -> float:
        """What the device has for a reply, and so many bytes take."""
        return self.timeout + self._byte_seconds * count

    def _await_silence(self, seconds: float) -> None:
        """Drop what still comes, until nothing has come for a time."""
        for _ in range(_STALE):
            if not self.line.read_frame(seconds):
                return

    def _check_refusal(self, reply: Frame, command: Command) -> None:
        """Raise what a refusal means, unless it is that of an earlier attempt."""
        reason = reply.payload[0]
        if reason in (Refusal.DAMAGED, Refusal.SHORT):
            raise FrameDamaged("the device said that the request was damaged")
        if reply.sequence == self._sequence:
            text = _REASONS.get(Refusal(reason)) if reason in set(Refusal) else None
            raise Refused(f"{self.name} refused {command.name.lower()}: {text or f'reason {reason}'}", reason)
