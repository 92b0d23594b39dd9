"""What the trainer hands back: networks and their accuracies, to be written and shown. Needs no PyTorch."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from golden.files.checkpoint import write_checkpoint
from golden.files.disk import write_bytes
from golden.network import Network
from golden.schemes.file import MatrixSpec, write_scheme
from golden.schemes.segmented import SegmentedMatrix


class Epoch(NamedTuple):
    """What one pass over the training images came to."""

    number: int
    """From 1."""
    epochs: int
    """How many there are."""
    loss: float
    """Mean cross-entropy over the distorted images, in nats."""
    accuracy: float
    """Share of the distorted images recognised, each judged before the network learnt from it."""


class Trained(NamedTuple):
    """A network and the share of the test images that it recognises."""

    network: Network
    float_accuracy: float
    """Of the float model that was trained."""
    integer_accuracy: float
    """Of the golden model, which the hardware follows."""

    def write(self, path: Path) -> None:
        """Write a checkpoint."""
        write_checkpoint(path, self.network)

    def rows(self) -> list[tuple[str, str]]:
        """As words."""
        return _rows(self.network.trits, self.float_accuracy, self.integer_accuracy)

    def figures(self) -> dict[str, Any]:
        """For a file."""
        return _figures(self.network.trits, self.float_accuracy, self.integer_accuracy)


class TrainedScheme(NamedTuple):
    """A network of a published scheme and the share of the test images that it recognises."""

    scheme: str
    recipe: str
    matrices: list[SegmentedMatrix]
    float_accuracy: float
    """Of the float model that was trained."""
    integer_accuracy: float
    """Of the integer form, which the hardware follows."""

    def write(self, path: Path) -> None:
        """Write a scheme file."""
        specs = [MatrixSpec(f"layers.{k}", matrix.outputs, matrix.structure) for k, matrix in enumerate(self.matrices)]
        write_scheme(path, self.scheme, f"trained as {self.recipe}", specs, self.matrices)

    def rows(self) -> list[tuple[str, str]]:
        """As words."""
        return _rows(self._trits, self.float_accuracy, self.integer_accuracy)

    def figures(self) -> dict[str, Any]:
        """For a file."""
        return _figures(self._trits, self.float_accuracy, self.integer_accuracy) | {"scheme": self.scheme}

    @property
    def _trits(self) -> int:
        return sum(matrix.planes.size for matrix in self.matrices)


class TrainedFloat(NamedTuple):
    """Weights of a network's float twin and the share of the test images that it recognises."""

    weights: dict[str, NDArray[np.float32]]
    """By name, ``layers.K.weight``, each of shape (outputs, inputs)."""
    float_accuracy: float

    def write(self, path: Path) -> None:
        """Write the weights, as a safetensors file of float16: their last bits are nothing to the schemes."""
        write_bytes(path, save({name: tensor.astype(np.float16) for name, tensor in self.weights.items()}))

    def rows(self) -> list[tuple[str, str]]:
        """As words."""
        return [("float accuracy", f"{self.float_accuracy:.2%}")]

    def figures(self) -> dict[str, Any]:
        """For a file."""
        return {"float_accuracy": self.float_accuracy}


def _rows(trits: int, floats: float, integers: float) -> list[tuple[str, str]]:
    return [("trits", f"{trits:,}"), ("float accuracy", f"{floats:.2%}"), ("integer accuracy", f"{integers:.2%}")]


def _figures(trits: int, floats: float, integers: float) -> dict[str, Any]:
    return {"trits": trits, "float_accuracy": floats, "integer_accuracy": integers}
