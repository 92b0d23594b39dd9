"""Talking to a device with the host link: the same on a serial port and in simulation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boards.connection import REPLY_BYTES, Connection
from boards.requests import Line, Refused
from golden.errors import TritweaveError
from golden.files.image import MemoryImage
from golden.link.format import IDENTITY_FIELDS, Command, Refusal
from golden.link.frames import Identity, State, image_number
from golden.link.payloads import requests_left, run_payload


class Device(Connection):
    """A device with an engine for networks.

    Beside what `Connection` does against faults, a load that was broken off goes on where the device is, and an image
    that the device has lost is loaded again.

    Parameters
    ----------
    name, line, baud, timeout, attempts, first
        See `Connection`.
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
        first: int | None = None,
    ):
        super().__init__(name, line, baud, timeout=timeout, attempts=attempts, first=first)
        self.expected = expected
        self._input = np.dtype(np.uint8)
        self._image: MemoryImage | None = None

    def meet(self) -> None:
        """See that the device is the expected one."""
        identity = self.identify()[0]
        if self.expected and (differences := identity.differences(self.expected)):
            raise TritweaveError(
                f"{self.name} is another engine, config {identity.config:08x} instead of "
                f"{self.expected.config:08x}: it has {', '.join(differences)}"
            )
        self._input = np.dtype(np.int8 if identity.input_signed else np.uint8)
        self._reply_bytes = max(REPLY_BYTES, 4 * (identity.max_outputs + identity.lanes))

    def identify(self) -> tuple[Identity, State]:
        """What the device is, and what it has in its memories."""
        content, state = self.ask_identity(sum(IDENTITY_FIELDS.values()))
        return Identity.from_bytes(content), state

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
