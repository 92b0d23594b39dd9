"""A decoder at the other end of its host link, as those take it that compare it with the golden one, or just listen."""

from collections.abc import Iterator, Sequence

from boards.language_device import Generated, LanguageDevice, Step
from golden.errors import TritweaveError
from golden.language.sampler import Sampler
from golden.link.language import SequenceSettings
from rtl.transformer.config import DecoderConfig
from sim.side_by_side import settings_of
from sim.tokens import Settings, Taken


class LinkedDecoder:
    """Takes tokens as `sim.tokens.SimulatedDecoder`, of one sequence on a device that keeps logits.

    The device goes on with its own choices: it must be given these, one after another.

    Parameters
    ----------
    device
        Open.
    image
        The number of the model that it has.
    vocabulary, ends
        The model's.
    limit
        Tokens to make at most.

    """

    def __init__(self, device: LanguageDevice, image: int, vocabulary: int, ends: Sequence[int], limit: int | None):
        self._device, self._image, self._vocabulary = device, image, vocabulary
        self._ends, self._limit = tuple(ends), limit
        self._prompt: list[int] = []
        self._steps: Iterator[Step] | None = None

    def take(self, token: int, *, first: bool, sample: bool, settings: Settings) -> Taken:
        """The next token of the prompt, or the last choice; `settings` count with the first choice."""
        if self._steps is None:
            self._prompt.append(token)
            if not sample:
                return Taken(None, None, None, None)
            wanted = SequenceSettings(self._limit or 0, *settings, self._ends, stepwise=True)
            self._steps = self._device.generate(self._image, wanted, self._prompt).steps()
        step = next(self._steps, None)
        if step is None:
            raise TritweaveError(f"{self._device.name} has ended its sequence before the model does")
        choice = self._ends[0] if step.token is None else step.token
        return Taken(None, None, choice, step.logits[: self._vocabulary].astype("int64"))


class Spoken:
    """A sequence of a device that keeps no logits, with which nothing is compared; as `Generation`.

    Parameters
    ----------
    device, image, ends, limit
        As for `LinkedDecoder`.
    config
        The decoder.
    sampler, prompt
        As for `golden.language.generation.Generation`.

    """

    def __init__(
        self,
        device: LanguageDevice,
        image: int,
        config: DecoderConfig,
        ends: Sequence[int],
        sampler: Sampler,
        prompt: Sequence[int],
        limit: int | None,
    ):
        settings = SequenceSettings(limit or 0, *settings_of(config, sampler), tuple(ends))
        self._generated: Generated = device.generate(image, settings, prompt)

    @property
    def reason(self) -> str | None:
        """Why it ended."""
        ending = self._generated.ending
        return None if ending is None else ending.name.lower().replace("_", " ")

    def __iter__(self) -> Iterator[int]:
        """Tokens as they come."""
        return iter(self._generated)
