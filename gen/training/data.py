"""What the trainer starts from: the recipes, and MNIST from its four IDX files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.idx import read_idx

SIDE: Final = 28
"""Height and width of an image, in pixels."""

CLASSES: Final = 10
"""Digits; a label is 0 to 9."""


@dataclass(frozen=True)
class Distortion:
    """How far training images are bent at random; every limit is that of a uniform distribution around none.

    Parameters
    ----------
    rotation
        Degrees, either way.
    stretch
        Share by which width and height, each on its own, grow or shrink; below 1.
    shear
        Slant of the upright strokes, as the tangent of its angle, either way.
    shift
        Pixels along each axis, either way.
    waves
        Pixels: standard deviation of the displacements at 7 × 7 points, between which they run smoothly.

    """

    rotation: float
    stretch: float
    shear: float
    shift: float
    waves: float


@dataclass(frozen=True)
class Recipe:
    """Everything but the data and the seed that makes a network.

    Parameters
    ----------
    name
        The network's name.
    sizes
        Length of the input and of every layer's output.
    epochs
        Passes over the training images, at least 1.
    distortion
        What happens to each image, anew in each epoch; nothing if there is none.
    batch
        Images in a step of the optimiser.
    rate
        Largest learning rate of AdamW; it rises over the first 5 % of the steps and falls to nothing as a cosine.
    decay
        Weight decay of AdamW.

    """

    name: str
    sizes: tuple[int, ...]
    epochs: int
    distortion: Distortion | None
    batch: int = 256
    rate: float = 5e-3
    decay: float = 0.05


RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        Recipe("mnist", (784, 256, 256, 10), 150, Distortion(10, 0.1, 0.1, 1.5, 0.4)),
        Recipe("mnist-small", (784, 48, 32, 10), 300, Distortion(8, 0.08, 0.08, 1, 0.3)),
    )
}
"""The shipped networks: 268,800 and 39,488 trits, each ten to twelve minutes on one core."""


SCHEMES: Final = ("bitnet", "bwn", "xnor", "onebit")
"""Published schemes that a network can be trained with, see `gen.training.published`."""


def recipe_named(name: str) -> Recipe:
    """The recipe of that name, or an error that lists the known ones."""
    if name not in RECIPES:
        raise TritweaveError(f"recipe {name!r} is not known; the recipes are {', '.join(RECIPES)}")
    return RECIPES[name]


class Examples(NamedTuple):
    """Vectors and what they are."""

    vectors: NDArray[np.integer[Any]]
    """uint8 or int8, shape (n, inputs), n at least 1; of images row by row, 0 is background, 255 is ink."""
    labels: NDArray[np.integer[Any]]
    """Shape (n,), each from 0 on."""


class Dataset(NamedTuple):
    """The two parts of a data set, and what the input's integers are worth."""

    train: Examples
    test: Examples
    input_type: str = "uint8"
    unit: float = 1 / 255


def read_mnist(folder: Path) -> Dataset:
    """Both parts, or an error that names the file and what is wrong with it.

    Parameters
    ----------
    folder
        Holds ``train-images-idx3-ubyte.gz``, ``train-labels-idx1-ubyte.gz``, ``t10k-images-idx3-ubyte.gz`` and
        ``t10k-labels-idx1-ubyte.gz``, as published; any number of images is taken.

    """
    return Dataset(read_examples(folder, "train"), read_examples(folder, "t10k"))


def read_examples(folder: Path, part: str) -> Examples:
    """One part: `part` is ``train`` or ``t10k``, the start of the names of its two files."""
    images_path, labels_path = folder / f"{part}-images-idx3-ubyte.gz", folder / f"{part}-labels-idx1-ubyte.gz"
    images, labels = read_idx(images_path), read_idx(labels_path)
    _check_shape(images_path, images, (SIDE, SIDE))
    _check_shape(labels_path, labels, ())
    if len(images) != len(labels):
        raise TritweaveError(f"{images_path} has {len(images)} images where {labels_path} has {len(labels)} labels")
    if labels.max() >= CLASSES:
        raise TritweaveError(f"{labels_path} holds the label {labels.max()}; the largest is {CLASSES - 1}")
    return Examples(images.reshape(len(images), -1), labels)


def _check_shape(path: Path, array: NDArray[Any], item: tuple[int, ...]) -> None:
    if array.shape[1:] != item or array.ndim != 1 + len(item) or len(array) == 0:
        expected = ", ".join(map(str, ("n", *item)))
        raise TritweaveError(f"{path} has shape {array.shape}; it must be ({expected}) with n at least 1")
