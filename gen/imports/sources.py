"""What an import reads: weights made elsewhere, as tensors that lie in files and layers that can be made of them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.checkpoint import read_checkpoint
from golden.files.layer_file import LayerSpec, TernaryLayer, check_layers, read_layer, read_specs
from golden.files.safetensors_reader import SafetensorsHeader
from golden.files.stored import StoredTensor


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

    """

    weight = ".weight"
    """What follows a layer's name in the name of its weights."""

    def __init__(
        self,
        path: Path,
        description: str,
        tensors: dict[str, StoredTensor],
        layers: dict[str, tuple[int, int]],
        unknown: str = "",
    ):
        self.path, self.description, self.tensors, self.layers = path, description, tensors, layers
        self._unknown = unknown

    @abstractmethod
    def spec(self, name: str) -> LayerSpec:
        """A layer's shapes, or an error that says why the layer cannot be read."""

    @abstractmethod
    def read(self, name: str) -> TernaryLayer:
        """The layer."""

    @abstractmethod
    def is_ternary(self, name: str) -> bool:
        """Whether the type of a layer's weights holds trits."""

    def select(self, patterns: Sequence[str] = ()) -> list[str]:
        """Names of layers: those that match, first pattern first, numbers in names in their order; or all.

        A pattern is a glob, where ``*`` takes dots too, or between slashes a regular expression that is found
        anywhere in the name.
        """
        if not patterns:
            if not self.layers:
                raise TritweaveError(
                    f"{self.path} does not say which of its layers are ternary: {self._unknown}; "
                    f"name them with --layers, e.g. --layers '{self._example()}'"
                )
            return list(self.layers)
        names = self.matrices()
        found = {name: None for pattern in patterns for name in _matching(pattern, names)}
        if not found:
            raise TritweaveError(
                f"no layer of {self.path} matches {', '.join(patterns)}; "
                f"it has {len(names)} matrices, the first of them {self._example() or 'none'}"
            )
        return list(found)

    def matrix(self, name: str) -> StoredTensor:
        """A layer's weights, or an error that says that they are not there or no matrix."""
        tensor = self.tensors.get(name + self.weight)
        if tensor is None:
            raise TritweaveError(f"{self.path} lacks {name}{self.weight}, which its configuration announces")
        if len(tensor.shape) != 2 or 0 in tensor.shape:
            raise TritweaveError(f"{tensor.name} has shape {tensor.shape}; a layer's is (outputs, inputs), none zero")
        return tensor

    def vector(self, name: str, length: int) -> NDArray[np.float32] | None:
        """A tensor of one dimension as float32, if it is there."""
        if name not in self.tensors:
            return None
        if (shape := self.tensors[name].shape) != (length,):
            raise TritweaveError(f"{name} has shape {shape}; it must be ({length},)")
        return self.tensors[name].array().astype(np.float32)

    def one_scale(self, name: str) -> float:
        """The value of a tensor of one element."""
        values = self.tensors[name].array().reshape(-1)
        if len(values) != 1:
            raise TritweaveError(f"{name} has shape {self.tensors[name].shape}; one scale for the layer is read")
        if not (np.isfinite(values[0]) and values[0] > 0):
            raise TritweaveError(f"{name} is {values[0]}; a scale must be finite and above 0")
        return float(values[0])

    def names(self) -> list[str]:
        """Names of all tensors, numbers in names in their order."""
        return sorted(self.tensors, key=_natural)

    def matrices(self) -> list[str]:
        """Names, without what follows, of all weights of two dimensions, numbers in names in their order."""
        found = [name for name in self.names() if name.endswith(self.weight) and len(self.tensors[name].shape) == 2]
        return [name.removesuffix(self.weight) for name in found]

    def _example(self) -> str:
        return next(iter(self.matrices()), "")


class LayerFile(Source):
    """A layer file of our own; its CRC is checked when it is opened."""

    weight = ".trits"

    def __init__(self, path: Path, header: SafetensorsHeader):
        self._array = lambda name: header.tensors[name].array()
        try:
            self._specs = {spec.name: spec for spec in read_specs(header.tensors, header.metadata)}
            check_layers(list(self._specs.values()), header.metadata, self._array)
        except TritweaveError as error:
            raise TritweaveError(f"{path}: {error}") from error
        shapes = {name: (spec.outputs, spec.inputs) for name, spec in self._specs.items()}
        super().__init__(path, f"Tritweave layers, from {header.metadata['source']}", header.tensors, shapes)

    def spec(self, name: str) -> LayerSpec:
        """As the file says."""
        return self._specs[name]

    def read(self, name: str) -> TernaryLayer:
        """As it was imported."""
        return read_layer(self._specs[name], self._array)

    def is_ternary(self, name: str) -> bool:
        """Every layer of such a file."""
        return True


class Checkpoint(Source):
    """A checkpoint of our own; it is small, and read as a whole."""

    def __init__(self, path: Path, header: SafetensorsHeader):
        self._layers = {f"layers.{index}": layer for index, layer in enumerate(read_checkpoint(path).layers)}
        shapes = {name: (layer.outputs, layer.inputs) for name, layer in self._layers.items()}
        super().__init__(path, "Tritweave checkpoint", header.tensors, shapes)

    def spec(self, name: str) -> LayerSpec:
        """One scale, nothing else."""
        return LayerSpec(name, *self.layers[name])

    def read(self, name: str) -> TernaryLayer:
        """The network's layer; what its ReLU does is the network's business."""
        layer = self._layers[name]
        return TernaryLayer(name, layer.weights, np.array([layer.scale], np.float32))

    def is_ternary(self, name: str) -> bool:
        """Every layer of a network."""
        return True


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
