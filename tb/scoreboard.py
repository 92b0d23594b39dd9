"""The comparison of what a design gave with what the model makes of what the design was seen to take."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Taken = TypeVar("Taken")
Given = TypeVar("Given")


class Scoreboard(Generic[Taken, Given]):
    """Checks outputs, in order, against a model of the observed inputs.

    Parameters
    ----------
    name
        What the messages call it.
    model
        Called with each observed input; gives the outputs that are complete with it, none or more. What an output
        depends on beyond one input is the model's to remember.

    Attributes
    ----------
    compared
        Outputs that were as expected.

    """

    def __init__(self, name: str, model: Callable[[Taken], Iterable[Given]]):
        self.compared = 0
        self._name, self._model = name, model
        self._expected: deque[Given] = deque()

    def take(self, item: Taken) -> None:
        """An input was observed."""
        self._expected.extend(self._model(item))

    def give(self, item: Given) -> None:
        """An output was observed; an AssertionError says what it should have been."""
        assert self._expected, f"{self._name}: output {item} where none was due"
        expected = self._expected.popleft()
        assert item == expected, f"{self._name}: output {self.compared} is {item}; the model gives {expected}"
        self.compared += 1

    def finish(self) -> None:
        """To be called at the end: nothing may be missing, and something must have been compared."""
        assert not self._expected, f"{self._name}: {len(self._expected)} outputs are missing, first {self._expected[0]}"
        assert self.compared, f"{self._name}: nothing was compared"


class Vectors(Generic[Taken, Given]):
    """Gathers stream words into vectors, so that a model of vectors can stand behind a scoreboard of words.

    Parameters
    ----------
    is_last
        Called with the words so far, at least one; says whether they are a vector.
    model
        Called with each vector's words; gives the words that come out for it.

    """

    def __init__(self, is_last: Callable[[list[Taken]], bool], model: Callable[[list[Taken]], Iterable[Given]]):
        self._is_last, self._model = is_last, model
        self._words: list[Taken] = []

    def __call__(self, word: Taken) -> Iterable[Given]:
        """The model's words if this word completes a vector, otherwise none."""
        self._words.append(word)
        if not self._is_last(self._words):
            return ()
        vector, self._words = self._words, []
        return self._model(vector)
