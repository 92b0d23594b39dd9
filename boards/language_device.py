"""Talking to a device with a language model: the same on a serial port and in simulation."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from boards.connection import REPLY_BYTES, Connection
from boards.requests import Line, Refused
from golden.errors import TritweaveError
from golden.link.format import UNIT_BYTES, Command, Refusal
from golden.link.frames import State
from golden.link.language import (
    LanguageIdentity,
    Progress,
    SequenceSettings,
    abort_payload,
    count_payload,
    generate_payload,
)
from golden.link.language_format import LANGUAGE_FIELDS, TOKEN_BYTES, Ending

_Found = TypeVar("_Found")

_PATIENCE = 10_000
"""Times that a device is asked for a token in vain."""


class Step(NamedTuple):
    """A token that was made, and what was in front of it."""

    logits: NDArray[np.int32]
    """Shape (vocabulary,)."""
    token: int | None
    """None: an end token."""


class LanguageDevice(Connection):
    """A device with a language model.

    Beside what `Connection` does against faults, a sequence that the device has lost begins again, and goes on where it
    was: from the same settings come the same tokens.

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
        expected: LanguageIdentity | None = None,
        first: int | None = None,
    ):
        super().__init__(name, line, baud, timeout=timeout, attempts=attempts, first=first)
        self.expected = expected
        self._number = secrets.randbits(31) if first is None else first

    def meet(self) -> None:
        """See that the device is the expected one."""
        identity, _ = self.identify()
        if self.expected and (differences := identity.differences(self.expected)):
            raise TritweaveError(
                f"{self.name} has another language model, config {identity.config:08x} instead of "
                f"{self.expected.config:08x}: it has {', '.join(differences)}"
            )
        logits = UNIT_BYTES * (identity.vocabulary + identity.lanes) * identity.keeps_logits
        self._reply_bytes = max(REPLY_BYTES, TOKEN_BYTES * identity.context, logits)

    def identify(self) -> tuple[LanguageIdentity, State]:
        """What the device is, and what it has in its memories."""
        content, state = self.ask_identity(sum(LANGUAGE_FIELDS.values()))
        return LanguageIdentity.from_bytes(content), state

    def generate(self, image: int, settings: SequenceSettings, prompt: Sequence[int]) -> "Generated":
        """Begin a sequence; its tokens.

        Parameters
        ----------
        image
            The number of the image that it is for.
        settings
            How it is made.
        prompt
            Its tokens, the start token first.

        """
        return Generated(self, image, settings, prompt)

    def begin(self, image: int, settings: SequenceSettings, prompt: Sequence[int]) -> int:
        """Begin a sequence; its number."""
        self._number = self._number % 0xFFFFFFFF + 1
        self.request(Command.GENERATE, generate_payload(image, self._number, settings, prompt))
        return self._number

    def progress(self, number: int, count: int) -> Progress:
        """What the sequence of a number has, without its first tokens."""
        return Progress.from_bytes(self.request(Command.TOKENS, count_payload(number, count)))

    def logits(self, number: int, count: int) -> NDArray[np.int32] | None:
        """Those in front of the token behind so many; None if they are not there yet."""
        try:
            return np.frombuffer(self.request(Command.LOGITS, count_payload(number, count)), "<i4")
        except Refused as error:
            if error.reason != Refusal.NOT_YET:
                raise
            return None

    def abort(self, number: int) -> None:
        """End the sequence of a number."""
        self.request(Command.ABORT, abort_payload(number))


class Generated:
    """A sequence on a device; iterating it, or `steps`, begins it and gives what is made.

    Parameters
    ----------
    device, image, settings, prompt
        See `LanguageDevice.generate`.

    """

    def __init__(self, device: LanguageDevice, image: int, settings: SequenceSettings, prompt: Sequence[int]):
        self._device, self._image, self._settings, self._prompt = device, image, settings, list(prompt)
        self._restarts = 0
        self.number = 0
        self.ending: Ending | None = None

    def __iter__(self) -> Iterator[int]:
        """Tokens as they come."""
        made = 0
        self._begin()
        while self.ending is None:
            try:
                found = self._await(made)
            except _Lost:
                continue
            self.ending = found.ending
            made += len(found.tokens)
            yield from found.tokens

    def steps(self) -> Iterator[Step]:
        """Tokens with the logits in front of them, those in front of an end token too; settings are stepwise."""
        context = self._device.identify()[0].context
        last = min(self._settings.limit or context, context + 1 - len(self._prompt))
        given = at = 0
        self._begin()
        while self.ending is None:
            try:
                logits = self._await_logits(at) if at < last else None
                found = self._await(at)
            except _Lost:
                at = 0
                continue
            self.ending = found.ending
            if at == given and logits is not None:
                given += 1
                yield Step(logits, found.tokens[0] if found.tokens else None)
            at += len(found.tokens)

    def abort(self) -> None:
        """End it with the token at hand; iterating goes on to its end."""
        try:
            self._device.abort(self.number)
        except Refused as error:
            if error.reason != Refusal.ORDER:
                raise
            # The device has lost the sequence, which ends it as well.
            self.ending = Ending.ABORTED

    def _begin(self) -> None:
        self.number = self._device.begin(self._image, self._settings, self._prompt)

    def _await(self, count: int) -> Progress:
        """What follows so many tokens, once there is something; `_Lost` if the sequence began anew."""
        return self._poll(lambda: self._device.progress(self.number, count), lambda found: bool(found != (None, [])))

    def _await_logits(self, count: int) -> NDArray[np.int32]:
        """Those behind so many tokens, in the same way."""
        found = self._poll(lambda: self._device.logits(self.number, count), lambda found: found is not None)
        assert found is not None
        return found

    def _poll(self, ask: Callable[[], _Found], is_there: Callable[[_Found], bool]) -> _Found:
        for _ in range(_PATIENCE):
            try:
                found = ask()
            except Refused as error:
                self._restart(error)
                raise _Lost from error
            if is_there(found):
                return found
        raise TritweaveError(f"{self._device.name} makes no token; see that its clock and its model are the right ones")

    def _restart(self, error: Refused) -> None:
        """Begin anew if the device has lost the sequence, but not for ever."""
        if error.reason != Refusal.ORDER or self._restarts == self._device.attempts:
            raise error
        self._restarts += 1
        self._begin()


class _Lost(Exception):
    """The device had lost the sequence, which has begun anew."""
