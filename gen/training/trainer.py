"""The trainer: BitLinear networks, learnt with straight-through gradients and put out as integers.

Needs PyTorch, which only the extra ``train`` installs, and works on one core of the CPU. Quantisers have no useful
gradient; the straight-through estimator (Bengio, Léonard and Courville, 1308.3432) hands the gradient of the quantised
value to the real one behind it.
"""
# pyright: reportMissingImports=false
# PyTorch is optional, so the types must also check where it is not installed.

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from gen.training.data import SIDE, Dataset, Distortion, Examples, Recipe
from gen.training.results import Epoch, Trained, TrainedFloat
from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX
from golden.network import InputType, Layer, Network
from golden.quantise import EPSILON, quantise_weights


class TernaryWeights(torch.autograd.Function):
    """Wmean3, ``γ·t``, as `golden.quantise.quantise_weights` has it; the gradient passes straight through."""

    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor) -> torch.Tensor:
        """Reals of any shape to -γ, 0 and γ."""
        # In float32 the mean would depend on the order of the sum, and some weights round the other way.
        scale = weights.abs().mean(dtype=torch.float64).clamp(min=EPSILON)
        return (weights / scale).round().clamp(-1, 1) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """The gradient as it is."""
        return gradients[0]


class EightBitActivations(torch.autograd.Function):
    """A8max, ``q / s``, as `golden.quantise.quantise_activations_float` has it; gradient likewise."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        """Reals of shape (..., n) to multiples of a 127th of each vector's largest magnitude."""
        scale = ACTIVATION_MAX / values.abs().amax(-1, keepdim=True).clamp(min=EPSILON)
        return (values * scale).round() / scale

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """The gradient as it is."""
        return gradients[0]


class BitLinear(torch.nn.Module):
    """`golden.bitlinear.forward_float` as a layer that learns: real weights, of which only the trits and γ count.

    The input is first brought to a root mean square of 1. A8max takes any common factor out again, so the integers stay
    what they were; only the size of the outputs changes, to one that suits the loss.

    Parameters
    ----------
    inputs, outputs
        Length of the input and of the output vectors.
    generator
        Draws the first weights, normal with variance 2/inputs (He et al., 1502.01852).

    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(outputs, inputs, generator=generator) * math.sqrt(2 / inputs))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Reals of shape (..., inputs) to reals of shape (..., outputs)."""
        normal = functional.rms_norm(values, values.shape[-1:])
        return functional.linear(EightBitActivations.apply(normal), TernaryWeights.apply(self.weight))


class FloatLinear(BitLinear):
    """The same layer without its quantisers: what a float network's weights are learnt with."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Reals of shape (..., inputs) to reals of shape (..., outputs)."""
        return functional.linear(functional.rms_norm(values, values.shape[-1:]), self.weight)


def build(
    sizes: tuple[int, ...], generator: torch.Generator, layer: type[BitLinear] = BitLinear
) -> torch.nn.Sequential:
    """An untrained model: layers with ReLU between them, none after the last."""
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [layer(inputs, outputs, generator), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def export(model: torch.nn.Sequential, name: str, data: Dataset) -> Network:
    """The model as a network of trits that takes the data's vectors; what the real weights hold beyond that is gone."""
    weights = [module.weight.detach().numpy() for module in model if isinstance(module, BitLinear)]
    quantised = [quantise_weights(tensor) for tensor in weights]
    layers = tuple(Layer(trits, scale, index < len(weights) - 1) for index, (trits, scale) in enumerate(quantised))
    input_type: InputType = data.input_type  # pyright: ignore[reportAssignmentType] - Network validates it
    return Network(name, layers, input_type, data.unit)


def train(
    recipe: Recipe,
    data: Dataset,
    *,
    seed: int,
    epochs: int | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train a ternary network and measure it on the test images; it is that of the last epoch, never a chosen one.

    Parameters
    ----------
    recipe
        What to train, and how.
    data
        Whose vectors and labels; a recipe that distorts takes images of 28 × 28 pixels.
    seed
        0 to 2**63 - 1. The same seed on the same machine gives the same network.
    epochs
        In place of the recipe's, at least 1.
    progress
        Called after every epoch.

    """
    model, float_accuracy = fit(build, recipe, data, seed, epochs, progress)
    network = export(model, recipe.name, data)
    integer_logits = network.forward(data.test.vectors).logits
    return Trained(network, float_accuracy, _accuracy(integer_logits, data.test))


def train_float(
    recipe: Recipe,
    data: Dataset,
    *,
    seed: int,
    epochs: int | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> TrainedFloat:
    """Train a network's float twin: the same sizes, data and settings, nothing quantised. Parameters as for `train`."""
    model, accuracy = fit(partial(build, layer=FloatLinear), recipe, data, seed, epochs, progress)
    weights = [module.weight.detach().numpy() for module in model if isinstance(module, FloatLinear)]
    return TrainedFloat({f"layers.{index}.weight": tensor for index, tensor in enumerate(weights)}, accuracy)


def fit(
    make: Callable[[tuple[int, ...], torch.Generator], torch.nn.Sequential],
    recipe: Recipe,
    data: Dataset,
    seed: int,
    epochs: int | None,
    progress: Callable[[Epoch], None] | None,
) -> tuple[torch.nn.Sequential, float]:
    """A trained model and its accuracy on the test images; `make` builds it untrained, the rest is as for `train`."""
    epochs = recipe.epochs if epochs is None else epochs
    if epochs < 1:
        raise TritweaveError(f"the number of epochs is {epochs}; it must be at least 1")
    if not 0 <= seed < 1 << 63:
        raise TritweaveError(f"the seed is {seed}; it must be 0 to 2**63 - 1")
    with one_thread():
        generator = torch.Generator().manual_seed(seed)
        model = make(recipe.sizes, generator)
        for epoch in _learn(model, recipe, data, epochs, generator):
            if progress is not None:
                progress(epoch)
        model.eval()
        with torch.no_grad():
            logits = model(torch.tensor(data.test.vectors) * data.unit).numpy()
    return model, _accuracy(logits, data.test)


def distort(images: torch.Tensor, distortion: Distortion, generator: torch.Generator) -> torch.Tensor:
    """The same images as reals, each bent in its own way; what is moved past the border is lost.

    Parameters
    ----------
    images
        Pixels, shape (n, 28, 28).
    distortion
        How far; the waves are a coarse form of elastic deformation (Simard, Steinkraus and Platt, ICDAR 2003).
    generator
        Draws the distortions.

    """
    count, pixel = len(images), 2 / SIDE

    def uniform(limit: float) -> torch.Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    # The grid says where each pixel comes from, in units of half a side.
    angle, slant = uniform(math.radians(distortion.rotation)), uniform(distortion.shear)
    width, height = 1 + uniform(distortion.stretch), 1 + uniform(distortion.stretch)
    right, down = uniform(distortion.shift * pixel), uniform(distortion.shift * pixel)
    cosine, sine = angle.cos(), angle.sin()
    across = torch.stack([cosine * width, (slant * cosine - sine) * height, right], -1)
    along = torch.stack([sine * width, (slant * sine + cosine) * height, down], -1)
    grid = functional.affine_grid(torch.stack([across, along], 1), [count, 1, SIDE, SIDE], align_corners=False)
    points = torch.randn(count, 2, 7, 7, generator=generator) * (distortion.waves * pixel)
    waves = functional.interpolate(points, size=(SIDE, SIDE), mode="bicubic", align_corners=True)
    bent = functional.grid_sample(images[:, None].float(), grid + waves.permute(0, 2, 3, 1), align_corners=False)
    return bent[:, 0]


def _learn(
    model: torch.nn.Sequential, recipe: Recipe, data: Dataset, epochs: int, generator: torch.Generator
) -> Iterator[Epoch]:
    """Train the model in place, one epoch an item."""
    vectors, labels = torch.tensor(data.train.vectors), torch.tensor(data.train.labels).long()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    steps = epochs * -(-len(vectors) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=steps, pct_start=0.05, cycle_momentum=False
    )
    for number in range(1, epochs + 1):
        loss, right = 0.0, 0
        for batch in torch.randperm(len(vectors), generator=generator).split(recipe.batch):
            values = vectors[batch]
            if recipe.distortion:
                values = distort(values.reshape(-1, SIDE, SIDE), recipe.distortion, generator).flatten(1)
            logits = model(values * data.unit)
            cost = functional.cross_entropy(logits, labels[batch])
            optimiser.zero_grad()
            cost.backward()
            optimiser.step()
            schedule.step()
            loss += cost.item() * len(batch)
            right += int((logits.argmax(-1) == labels[batch]).sum())
        yield Epoch(number, epochs, loss / len(vectors), right / len(vectors))


def _accuracy(logits: np.ndarray, examples: Examples) -> float:
    return float(np.mean(logits.argmax(-1) == examples.labels))


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for PyTorch: sums then run in the same order on any number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
