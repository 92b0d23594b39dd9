"""Talking to a device with the host link: the same on a serial port and in simulation."""

from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.image import MemoryImage
from golden.link.format import DONE, IDENTITY_FIELDS, REFUSED, VERSION, Command, Refusal
from golden.link.frames import (
    Counters,
    Frame,
    FrameDamaged,
    Identity,
    State,
    finish_payload,
    image_number,
    load_payloads,
    run_payload,
)

_REASONS = {
    Refusal.LONG: "the payload is longer than it takes; the image or the vector is for another engine",
    Refusal.COMMAND: "it does not know the command; it was built by another version of tritweave",
    Refusal.READ_ONLY: "its memories cannot be loaded; build it with writable=True",
    Refusal.NOT_LOADED: "it does not hold the image; load it",
    Refusal.LENGTH: "the payload's length does not fit; the vector must be as long as the image's input",
    Refusal.ORDER: "it was reset, or another host used it, while the image was loaded; load it again",
    Refusal.RANGE: "its memories have no room for the image",
    Refusal.STUCK: "its engine did not answer in time and was reset; the image is not one that this engine runs",
}


# Frames of earlier attempts that may still be on their way, and then some.
_STALE = 16

# As long as any reply that tells of the device itself.
_REPLY_BYTES = 64


class Refused(TritweaveError):
    """The device understood a request and refused it."""

    def __init__(self, message: str, reason: int):
        super().__init__(message)
        self.reason = reason


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


class Device:
    """A device with the host link (`golden.link.format`), at the other end of any line.

    A request that is lost or damaged, or whose reply is, is repeated under a fresh sequence number; a line that has
    gone is opened again; an image that the device has lost is loaded again. What does not help is one error that
    says what happened last.

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
    expected
        The configuration that the device must have, if it is known.

    """

    def __init__(
        self,
        name: str,
        line: Line,
        baud: int,
        *,
        timeout: float = 1.0,
        attempts: int = 5,
        expected: Identity | None = None,
    ):
        self.name, self.line, self.timeout, self.attempts, self.expected = name, line, timeout, attempts, expected
        self._byte_seconds = 10 / baud
        self._sequence = 0
        self._input = np.dtype(np.uint8)
        self._image: MemoryImage | None = None
        self._reply_bytes = _REPLY_BYTES

    def __enter__(self) -> "Device":
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Open the line and see that the device is the expected one."""
        self.line.open()
        try:
            identity = self.identify()[0]
            if self.expected and (differences := identity.differences(self.expected)):
                raise TritweaveError(
                    f"{self.name} is another engine, config {identity.config:08x} instead of "
                    f"{self.expected.config:08x}: it has {', '.join(differences)}"
                )
            self._input = np.dtype(np.int8 if identity.input_signed else np.uint8)
            self._reply_bytes = max(_REPLY_BYTES, 4 * (identity.max_outputs + identity.lanes))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the line."""
        self.line.close()

    def identify(self) -> tuple[Identity, State]:
        """What the device is, and what it has in its memories."""
        content = self.request(Command.IDENTIFY)
        split = sum(IDENTITY_FIELDS.values())
        return Identity.from_bytes(content[:split]), State.from_bytes(content[split:])

    def counters(self) -> Counters:
        """What the device has counted."""
        return Counters.from_bytes(self.request(Command.COUNTERS))

    def load(self, image: MemoryImage) -> None:
        """Load an image, unless the device holds it already; nothing is sent if it is not for this engine."""
        identity, state = self.identify()
        if not (state.loaded and state.image == image_number(image)):
            identity.check_image(image)
            self._load(image, identity.payload)
        self._image = image

    def run(self, image: MemoryImage, vectors: NDArray[np.integer[Any]], outputs: int) -> NDArray[np.int32]:
        """Results of input vectors on an image that the device holds.

        Parameters
        ----------
        image
            The image; one that was loaded with `load` is loaded again if the device has lost it.
        vectors
            uint8 or int8, as the engine takes, shape (n, inputs).
        outputs
            Results of the network.

        Returns
        -------
        Shape (n, outputs).

        """
        if vectors.dtype != self._input or vectors.ndim != 2:
            raise TritweaveError(
                f"the vectors have dtype {vectors.dtype}, shape {vectors.shape}; "
                f"{self.name} takes {self._input}, (n, inputs)"
            )
        number, lanes = image_number(image), image.geometry.lanes
        words = image.program[0].last_input + 1
        if -(-vectors.shape[1] // lanes) != words:
            raise TritweaveError(f"the vectors have {vectors.shape[1]} values; the image takes up to {words * lanes}")
        results = np.zeros((len(vectors), outputs), np.int32)
        for result, vector in zip(results, vectors, strict=True):
            payload = run_payload(number, vector.tobytes(), lanes)
            try:
                reply = self.request(Command.RUN, payload)
            except Refused as error:
                if error.reason != Refusal.NOT_LOADED or self._image is not image:
                    raise
                self.load(image)
                reply = self.request(Command.RUN, payload)
            values = np.frombuffer(reply, "<i4")
            if len(values) < outputs:
                raise TritweaveError(f"{self.name} gave {len(values)} results; the network has {outputs}")
            result[:] = values[:outputs]
        return results

    def request(self, command: Command, payload: bytes = b"") -> bytes:
        """Send a request until there is an answer to it; the reply's payload."""
        problem = ""
        for attempt in range(self.attempts):
            try:
                reply = self._attempt(command, payload, again=attempt > 0)
            except (ConnectionError, FrameDamaged) as error:
                problem = str(error)
                if isinstance(error, ConnectionError):
                    self.line.open()
            else:
                return reply.payload
        raise TritweaveError(
            f"{self.name} does not answer; {command.name.lower()} was tried {self.attempts} times, the last time: "
            f"{problem}; see that the device is configured and that the rate is its own"
        )

    def _attempt(self, command: Command, payload: bytes, *, again: bool) -> Frame:
        """One request and its reply; `FrameDamaged` says why there is none that can be trusted."""
        self._sequence = self._sequence % 255 + 1
        # What was left of the last attempt must not become a part of this one.
        frame = bytes(2 * again) + Frame(self._sequence, command, payload).to_bytes()
        self.line.write(frame)
        seconds = self.timeout + self._byte_seconds * (len(frame) + self._reply_bytes)
        for _ in range(_STALE):
            coded = self.line.read_frame(seconds)
            if not coded.endswith(b"\0"):
                raise FrameDamaged(f"no whole reply came within {seconds:.3g} s, only {len(coded)} bytes")
            if coded == b"\0":
                continue
            reply = Frame.from_bytes(coded[:-1])
            if reply.version != VERSION:
                raise TritweaveError(f"{self.name} speaks version {reply.version} of the protocol; this is {VERSION}")
            if reply.command == REFUSED and len(reply.payload) == 1:
                self._check_refusal(reply, command)
            if (reply.sequence, reply.command) == (self._sequence, command | DONE):
                return reply
        raise FrameDamaged(f"{_STALE} frames came and none was the reply")

    def _check_refusal(self, reply: Frame, command: Command) -> None:
        """Raise what a refusal means, unless it is that of an earlier attempt."""
        reason = reply.payload[0]
        if reason in (Refusal.DAMAGED, Refusal.SHORT):
            raise FrameDamaged("the device said that the request was damaged")
        if reply.sequence == self._sequence:
            text = _REASONS.get(Refusal(reason)) if reason in set(Refusal) else None
            raise Refused(f"{self.name} refused {command.name.lower()}: {text or f'reason {reason}'}", reason)

    def _load(self, image: MemoryImage, limit: int) -> None:
        """Send an image; from its beginning again if the device lost its place."""
        for attempt in range(self.attempts):
            try:
                for payload in load_payloads(image, limit):
                    self.request(Command.LOAD, payload)
                self.request(Command.FINISH, finish_payload(image))
            except Refused as error:
                if error.reason != Refusal.ORDER or attempt == self.attempts - 1:
                    raise
            else:
                return
