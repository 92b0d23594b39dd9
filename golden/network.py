"""A network of BitLinear layers with ReLU as one integer model, from image to logits."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.bitlinear import Disagreement, disagreement, forward_integer, output_unit
from golden.errors import TritweaveError
from golden.formats import ACTIVATION_MAX
from golden.layer_norm import LayerNorm, half_of, shift_for
from golden.trits import check_trits

InputType = Literal["uint8", "int8"]


@dataclass(frozen=True, eq=False)
class Layer:
    """One BitLinear layer: perhaps a norm; quantise the input, multiply by trits, optionally ReLU.

    Parameters
    ----------
    weights
        Trits, shape (outputs, inputs), both at least 1.
    scale
        γ, what one trit is worth; finite and positive.
    relu
        Whether negative results become zero.
    norm
        In front of the quantiser.
    addends
        Added to the sums of trits and quantised activations: integers of magnitude below 2**15, shape (outputs,).

    """

    weights: NDArray[np.int8]
    scale: float
    relu: bool
    norm: LayerNorm | None = None
    addends: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            raise TritweaveError(f"weights have shape {self.weights.shape}; a layer's are (outputs, inputs), none zero")
        object.__setattr__(self, "weights", check_trits(self.weights))
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise TritweaveError(f"the weight scale is {self.scale}; it must be finite and above 0")
        if self.norm and self.norm.elements != self.inputs:
            raise TritweaveError(f"the norm has {self.norm.elements} elements; the layer takes {self.inputs}")
        if self.addends is not None and (self.addends.shape != (self.outputs,) or np.abs(self.addends).max() >> 15):
            raise TritweaveError(f"addends have shape {self.addends.shape}; {self.outputs} below 2**15 are taken")

    @property
    def outputs(self) -> int:
        """Length of the result."""
        return self.weights.shape[0]

    @property
    def inputs(self) -> int:
        """Length of the input."""
        return self.weights.shape[1]

    @property
    def passes(self) -> list[tuple[int, int]]:
        """What the array takes for each tile of outputs: ranges of inputs, one after another."""
        return [(0, self.inputs)]

    @property
    def limits(self) -> tuple[int, int]:
        """No result is below the one or above the other."""
        most = ACTIVATION_MAX * np.abs(self.weights).sum(axis=1, dtype=np.int64)
        addends = 0 if self.addends is None else self.addends
        high = int((most + addends).max())
        return (0, max(high, 0)) if self.relu else (int((addends - most).min()), high)

    def sums(self, values: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Results before the ReLU, and the maxima of the input, which is normed."""
        sums, maximum = forward_integer(values, self.weights)
        return sums if self.addends is None else sums + self.addends, maximum


class Result(NamedTuple):
    """What a network makes of a batch."""

    logits: NDArray[np.int32]
    """Shape (n, outputs)."""
    units: NDArray[np.float64]
    """Shape (n, 1): what one unit of a logit is worth; real-valued logits are ``logits · units``."""


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in order, each taking the previous one's result.

    Parameters
    ----------
    name
        Letters, digits, ``-`` and ``_``.
    layers
        At least one; each takes as many values as the one before gives.
    input_type
        ``uint8`` or ``int8``: what the input vector holds.
    input_unit
        What one unit of the input is worth, e.g. 1/255 for pixels; finite and positive.

    """

    name: str
    layers: tuple[Layer, ...]
    input_type: InputType = "uint8"
    input_unit: float = 1.0

    def __post_init__(self) -> None:
        check_interface(self.name, self.input_type, self.input_unit)
        if not self.layers:
            raise TritweaveError("the network has no layers; it needs at least one")
        for index, (before, after) in enumerate(pairwise(self.layers)):
            if before.outputs != after.inputs:
                raise TritweaveError(
                    f"layer {index} gives {before.outputs} values where layer {index + 1} takes {after.inputs}"
                )
        if len({layer.norm is None for layer in self.layers}) > 1:
            raise TritweaveError("some layers have a norm and some have none; on an engine all have one, or none has")

    @property
    def inputs(self) -> int:
        """Length of an input vector."""
        return self.layers[0].inputs

    @property
    def source_type(self) -> str:
        """What input vectors hold before they are prepared."""
        return self.input_type

    def prepare(self, batch: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        """Input vectors as the first layer takes them: as they are."""
        return batch

    @property
    def trits(self) -> int:
        """Weights in all layers."""
        return sum(layer.weights.size for layer in self.layers)

    def forward(self, batch: NDArray[np.integer[Any]]) -> Result:
        """Logits of a batch of input vectors, shape (n, inputs), of the network's input type."""
        results, unit = self.forward_layers(batch)
        return Result(results[-1].astype(np.int32), unit)

    def forward_layers(self, batch: NDArray[np.integer[Any]]) -> tuple[list[NDArray[np.int64]], NDArray[np.float64]]:
        """Every layer's result after its ReLU, and what one unit of the last is worth."""
        values: NDArray[np.integer[Any]] = self.check_batch(batch)
        unit: Any = self.input_unit
        results = []
        for layer in self.layers:
            values, unit = self._normed(layer, values, unit)
            sums, maximum = layer.sums(values)
            values = np.maximum(sums, 0) if layer.relu else sums
            unit = output_unit(unit, maximum, layer.scale)
            results.append(values)
        return results, unit

    def disagreements(self, batch: NDArray[np.integer[Any]]) -> list[Disagreement]:
        """For each layer, how the float definition differs from the integers on what the layer gets."""
        values: NDArray[np.integer[Any]] = self.check_batch(batch)
        unit: Any = self.input_unit
        found = []
        for layer, results in zip(self.layers, self.forward_layers(batch)[0], strict=True):
            values, unit = self._normed(layer, values, unit)
            found.append(disagreement(values, layer.weights, unit))
            unit = output_unit(unit, forward_integer(values, layer.weights)[1], layer.scale)
            values = results
        return found

    @property
    def normed(self) -> bool:
        """Whether its layers have norms."""
        return self.layers[0].norm is not None

    @cached_property
    def norm_bound(self) -> int:
        """No norm's result has a larger magnitude before its shift."""
        ranges = [(0, 255) if self.input_type == "uint8" else (-128, 127), *(layer.limits for layer in self.layers)]
        pairs = zip(self.layers, ranges, strict=False)
        return max(layer.norm.bound(*limits) if layer.norm else 0 for layer, limits in pairs)

    @property
    def norm_shift(self) -> int:
        """By how many bits the results of all norms are rounded."""
        return shift_for(self.norm_bound)

    @property
    def normed_bits(self) -> int:
        """Of a normed value, sign included: those of the largest magnitude, 9 at the least."""
        return max((self.norm_bound + half_of(self.norm_shift) >> self.norm_shift).bit_length() + 1, 9)

    def _normed(
        self, layer: Layer, values: NDArray[np.integer[Any]], unit: Any
    ) -> tuple[NDArray[np.integer[Any]], Any]:
        """A layer's input behind its norm, and what one unit of it is worth."""
        return layer.norm.forward(values, self.norm_shift) if layer.norm else (values, unit)

    def check_batch(self, batch: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        """The batch, if its dtype and shape are what the network takes; otherwise an error that names both."""
        return check_input(batch, self.name, self.input_type, self.layers[0].inputs)


def check_input(batch: NDArray[np.integer[Any]], name: str, dtype: str, inputs: int) -> NDArray[np.integer[Any]]:
    """The batch, if it is what a network of this name takes; otherwise an error that names both."""
    if batch.dtype != np.dtype(dtype):
        raise TritweaveError(f"the input has dtype {batch.dtype}; {name} takes {dtype}")
    if batch.ndim != 2 or batch.shape[1] != inputs or not len(batch):
        raise TritweaveError(f"the input has shape {batch.shape}; {name} takes (n, {inputs}), n at least 1")
    return batch


def check_interface(name: str, input_type: str, input_unit: float) -> None:
    """Raise unless a network could have this name, input type and unit; see `Network`."""
    if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
        raise TritweaveError(f"the network's name is {name!r}; letters, digits, '-' and '_' are allowed")
    if input_type not in ("uint8", "int8"):
        raise TritweaveError(f"the input type is {input_type!r}; it is uint8 or int8")
    if not (np.isfinite(input_unit) and input_unit > 0):
        raise TritweaveError(f"the input unit is {input_unit}; it must be finite and above 0")
