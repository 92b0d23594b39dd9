"""The shipped networks by name, each with the fold it is shown on; and the way from a name or a file to a network."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import golden
from gen.plan.plan import Fold
from golden.errors import TritweaveError
from golden.files.checkpoint import read_checkpoint
from golden.files.idx import read_idx
from golden.files.safetensors_reader import read_safetensors_header
from golden.schemes.file import FORMAT, read_scheme
from golden.schemes.layers import read_network
from golden.schemes.network import AnyNetwork, integer_network

_GOLDEN = Path(golden.__path__[0])
_SCHEMES = ("bitnet", "bwn", "xnor", "onebit")

TEST_VECTORS = _GOLDEN / "data" / "t10k-images-idx3-ubyte.gz"
"""The 10,000 MNIST test images."""
TEST_LABELS = _GOLDEN / "data" / "t10k-labels-idx1-ubyte.gz"
"""Their labels."""


class Preset(NamedTuple):
    """A shipped network and its default engine."""

    checkpoint: Path
    fold: Fold
    packing: str


PRESETS = {
    "mnist": Preset(_GOLDEN / "models" / "mnist.safetensors", Fold(16, 16, 8), "3t5b"),
    "mnist-small": Preset(_GOLDEN / "models" / "mnist-small.safetensors", Fold(8, 10, 2), "5t8b"),
}

DEFAULT = Preset(Path(), Fold(16, 16, 8), "2b")
"""Fold and packing of any other network."""


FLOATS = {"mnist-float": _GOLDEN / "models" / "mnist-float.safetensors"}
"""Shipped float weights by name: the twin of `mnist` that the schemes start from."""


TRAINED = {f"mnist-{scheme}": _GOLDEN / "models" / f"mnist-{scheme}.safetensors" for scheme in _SCHEMES}
"""Shipped networks that were trained with a published scheme, as `tritweave train mnist --scheme` leaves them."""


def float_weights(source: Path) -> Path:
    """The file of shipped float weights, if `source` is their name and nothing else is called so."""
    return source if source.exists() else FLOATS.get(str(source), source)


def mnist_images(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The first MNIST test images, shape (count, 784), and their labels."""
    return read_idx(TEST_VECTORS)[:count].reshape(count, -1), read_idx(TEST_LABELS)[:count]


def load_network(model: str) -> tuple[AnyNetwork, Preset]:
    """The network that a preset's name or a file's path stands for, and the engine it gets by default.

    A scheme file's layers are taken in their order, with ReLU between them, for inputs of 255ths.
    """
    if model in PRESETS:
        preset = PRESETS[model]
        return read_checkpoint(preset.checkpoint), preset
    path = _file(model)
    if not path.exists():
        raise TritweaveError(
            f"there is no model {model!r}; it is one of {', '.join((*PRESETS, *TRAINED))}, "
            "or the path of a checkpoint, a layer file or a scheme file"
        )
    preset = DEFAULT._replace(checkpoint=path)
    if not _is_scheme(path):
        return read_network(path), preset
    scheme = read_scheme(path)
    name = scheme.scheme.replace(".", "-")
    return integer_network(name, [scheme.read(layer) for layer in scheme.specs], input_unit=1 / 255), preset


def scheme_of(model: str) -> tuple[str, int]:
    """The scheme of a model as for `load_network`, and its weights; trits of a checkpoint are b1.58's."""
    path = PRESETS[model].checkpoint if model in PRESETS else _file(model)
    if not _is_scheme(path):
        return "b1.58", read_network(path).trits
    scheme = read_scheme(path)
    return scheme.scheme, sum(spec.outputs * spec.structure.inputs for spec in scheme.specs.values())


def _file(model: str) -> Path:
    """What is called so, or the shipped network of that name."""
    return Path(model) if Path(model).exists() else TRAINED.get(model, Path(model))


def _is_scheme(path: Path) -> bool:
    return read_safetensors_header(path).metadata.get("format") == FORMAT
