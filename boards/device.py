"""Talking to a device with the host link: the same on a serial port and in simulation."""

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boards.requests import Line, Refused, Requests
from golden.errors import TritweaveError
from golden.files.image import MemoryImage
from golden.link.format import IDENTITY_FIELDS, Command, Refusal
from golden.link.frames import Counters, Identity, State, image_number
from golden.link.payloads import requests_left, run_payload

# As long as any reply that tells of the device itself.
_REPLY_BYTES = 64


class Device:
    """A device with the host link (`golden.link.format`), at the other end of any line.

    A request that is lost or damaged, or whose reply is, is repeated under a fresh sequence number; a line that has
    gone is opened again; a load that was broken off goes on where the device is; an image that the device has lost is
    loaded again. What does not help is one error that says what happened last.

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
    first
        The first sequence number, see `boards.requests.Requests`.

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
        first: int | None = None,
    ):
        self.name, self.line, self.attempts, self.expected = name, line, attempts, expected
        self._requests = Requests(name, line, baud, timeout, attempts, first)
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
        for _ in range(self.attempts):
            identity, state = self.identify()
            try:
                if not state.loaded or state.sum != image_number(image):
                    identity.check_image(image)
                    for command, payload in requests_left(image, state, identity.payload):
                        self.request(command, payload)
            except Refused as error:
                # A reply was lost, or something else happened to the device: it says itself where it is.
                if error.reason != Refusal.ORDER:
                    raise
            else:
                self._image = image
                return
        raise TritweaveError(
            f"{self.name} lost its place {self.attempts} times while it was loaded; see that it is not reset, "
            "and that no other host uses it"
        )

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
        return self._requests.ask(command, payload, self._reply_bytes)
