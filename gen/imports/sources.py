"""What an import reads: weights made elsewhere, as tensors that lie in files and layers that can be made of them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from golden.errors import TritweaveError
from golden.files.layer_file import LayerSpec, TernaryLayer
from golden.files.stored import Tensor


class Source(ABC):
    """Layers by name; a layer is read when it is asked for, and kept by nobody.

    Parameters
    ----------
    path
        What the user named.
    description
        Format and conventions, in a few words.
    tensors
        All tensors by name.
    layers
        The ternary layers and their (outputs, inputs), in order, if the source says which they are.
    unknown
        Why it does not.
    contradiction
        Why nothing can be imported, although the tensors can be listed.

    """

    weight = ".weight"
    """What follows a layer's name in the name of its weights."""

    def __init__(
        self,
        path: Path,
        description: str,
        tensors: Mapping[str, Tensor],
        layers: Mapping[str, tuple[int, int]],
        unknown: str = "",
        contradiction: str = "",
    ):
        self.path, self.description, self.tensors, self.layers = path, description, tensors, layers
        self._unknown, self._contradiction = unknown, contradiction
        self.losses: dict[str, float] = {}
        """Layers that were floats of many magnitudes, and what part of the weights' norm their trits lack."""
        self._notes: dict[str, dict[str, None]] = {}

    @abstractmethod
    def spec(self, name: str) -> LayerSpec:
        """A layer's shapes, or an error that says why the layer cannot be read."""

    @abstractmethod
    def read(self, name: str) -> TernaryLayer:
        """The layer."""

    @abstractmethod
    def is_ternary(self, name: str) -> bool:
        """Whether the type of a layer's weights holds trits."""

    def prepare(self, names: Sequence[str]) -> None:  # noqa: B027 - most sources have nothing to look at
        """Look at the chosen layers together, before the first of them is read."""

    def left_out(self, names: Sequence[str]) -> list[str]:
        """Tensors that belong to these layers and have no place in a layer file."""
        return []

    def companions(self, names: Sequence[str]) -> list[str]:
        """Tensors that belong to these layers and are no weights."""
        return []

    def activations(self, names: Sequence[str]) -> list[str] | None:
        """What follows each layer, ``relu`` or ``none``, if the source says it."""
        return None

    def say(self, message: str, layer: str = "") -> None:
        """Keep what was assumed or passed over, for the user; once for all layers that it is said of."""
        self._notes.setdefault(message, {})[layer] = None

    def notes(self) -> list[str]:
        """All that was said."""
        told = []
        for message, layers in self._notes.items():
            names = [name for name in layers if name]
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            told.append(f"{', '.join(names[:3])}{more}: {message}" if names else message)
        return told

    def select(self, patterns: Sequence[str] = ()) -> list[str]:
        """Names of layers: those that match, first pattern first, numbers in names in their order; or all.

        A pattern is a glob, where ``*`` takes dots too, between slashes a regular expression that is found anywhere in
        the name, or the whole name of a layer's weights.
        """
        if self._contradiction:
            raise TritweaveError(self._contradiction)
        if not patterns:
            if not self.layers:
                raise TritweaveError(
                    f"{self.path} does not say which of its layers are ternary: {self._unknown}; "
                    f"name them with --layers, e.g. --layers '{self._example()}'"
                )
            return list(self.layers)
        names = self.matrices()
        whole = {self.weight_of(name): name for name in names}
        chosen = [[whole[pattern]] if pattern in whole else _matching(pattern, names) for pattern in patterns]
        found = {name: None for matched in chosen for name in matched}
        if not found:
            raise TritweaveError(
                f"no layer of {self.path} matches {', '.join(patterns)}; "
                f"it has {len(names)} matrices, the first of them {self._example() or 'none'}"
            )
        return list(found)

    def matrix(self, name: str) -> Tensor:
        """A layer's weights, or an error that says that they are not there or no matrix."""
        tensor = self.tensors.get(self.weight_of(name))
        if tensor is None:
            raise TritweaveError(f"{self.path} lacks {self.weight_of(name)}, which its configuration announces")
        if len(tensor.shape) != 2 or 0 in tensor.shape:
            raise TritweaveError(f"{tensor.name} has shape {tensor.shape}; a layer's is (outputs, inputs), none zero")
        return tensor

    def weight_of(self, name: str) -> str:
        """The name of a layer's weights."""
        return name + self.weight

    def names(self) -> list[str]:
        """Names of all tensors, numbers in names in their order."""
        return sorted(self.tensors, key=_natural)

    def matrices(self) -> list[str]:
        """Names, without what follows, of all weights of two dimensions, numbers in names in their order."""
        found = [name for name in self.names() if name.endswith(self.weight) and len(self.tensors[name].shape) == 2]
        return [name.removesuffix(self.weight) for name in found]

    def _example(self) -> str:
        return next(iter(self.matrices()), "")


def _matching(pattern: str, names: list[str]) -> list[str]:
    if len(pattern) > 1 and pattern[0] == pattern[-1] == "/":
        try:
            expression = re.compile(pattern[1:-1])
        except re.error as error:
            raise TritweaveError(f"{pattern} is no regular expression: {error}") from error
        return [name for name in names if expression.search(name)]
    return [name for name in names if fnmatchcase(name, pattern)]


def _natural(name: str) -> list[tuple[int, str]]:
    """Text and numbers in turn, so that layer 10 follows layer 9."""
    parts = (part.lstrip("0") if part.isdecimal() else part for part in re.split(r"(\d+)", name))
    return [(len(part), part) if index % 2 else (-1, part) for index, part in enumerate(parts)]
