"""A source of named tensors: packed codes, integers that are trits, or floats, with what stands beside them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from gen.imports.companions import SCALES, TRANSPOSED, ZERO_POINTS, Companions, companions, norm_kind, stem
from gen.imports.norm_places import PlacedNorm, place_norms
from gen.imports.sources import Source
from gen.imports.weights import FLOATS, INTEGERS, Reading, Weights, float_groups, read_weights, scale_groups
from golden.errors import TritweaveError
from golden.files.layer_file import LayerSpec, TernaryLayer
from golden.files.norm import Norm, NormSpec
from golden.files.packing_hf import CODES, packed_rows
from golden.files.stored import LoadedTensor, Tensor

EPSILONS: Final = {"rms": 1e-6, "layer": 1e-5, "batch": 1e-5}
"""What a norm adds before the root where nothing says it, as PyTorch does."""

_Made = TypeVar("_Made")


class TensorSource(Source):
    """Layers made of tensors that have names only.

    Parameters
    ----------
    reading
        What is said of them; the others are those of `gen.imports.sources.Source`.

    """

    def __init__(
        self,
        path: Path,
        description: str,
        tensors: Mapping[str, Tensor],
        layers: Mapping[str, tuple[int, int]],
        unknown: str,
        reading: Reading,
        contradiction: str = "",
    ):
        super().__init__(path, description, tensors, layers, unknown, contradiction)
        self.reading = reading
        self._weights = self._named_matrices()
        self._transposed: set[str] = set()
        self._norms: dict[str, PlacedNorm] = {}
        self._beside: dict[str, Companions] = {}
        self._groups: dict[str, int] = {}

    def _named_matrices(self) -> dict[str, str]:
        """Names of layers, and of their weights: the tensors of two dimensions that are no scales of others."""
        matrices = [name for name in self.names() if len(self.tensors[name].shape) == 2]
        stems = [stem(name)[0] for name in matrices]
        beside = {f"{name}.{last}" for name in stems for last in (*self.reading.scales, *SCALES, *ZERO_POINTS)}
        return {
            (found if stems.count(found) == 1 else name): name
            for found, name in zip(stems, matrices, strict=True)
            if name not in beside and name not in self.reading.scales
        }

    def matrices(self) -> list[str]:
        """Layers by name, numbers in names in their order."""
        return list(self._weights)

    def weight_of(self, name: str) -> str:
        """The name of a layer's weights."""
        return self._weights.get(name, name + self.weight)

    def matrix(self, name: str) -> Tensor:
        """A layer's weights as (outputs, inputs)."""
        tensor = super().matrix(name)
        if name not in self._transposed:
            return tensor
        return LoadedTensor(tensor.name, tensor.type, tensor.shape[::-1], tensor.size, lambda: tensor.array().T)

    def prepare(self, names: Sequence[str]) -> None:
        """Find out which way the matrices lie, and where the norms between them stand."""
        whole = [name for name in self.reading.scales if name in self.tensors]
        if whole and len(whole) != len(names):
            raise TritweaveError(
                f"--scales names {len(whole)} tensors for {len(names)} layers; name one for each layer"
            )
        for name, scale in zip(names, whole, strict=False):
            beside = self.beside(name)
            beside.scale, beside.left_out = scale, [tensor for tensor in beside.left_out if tensor != scale]
        if self.layers:
            return
        self._transposed = self._lying(names)
        shapes = [(name, *self.shape(name)) for name in names]
        taken = {tensor for name in names for tensor in (self.weight_of(name), *self.beside(name).names())}
        rest = {name: tensor for name, tensor in self._near(names).items() if name not in taken}
        for norm in place_norms(shapes, rest):
            if self.beside(norm.layer).norm or norm.layer in self._norms:
                continue
            self._norms[norm.layer] = norm
            self.say(f"{norm.name} is taken for a {norm.kind} norm in front of the {norm.place} of {norm.layer}")

    def _lying(self, names: Sequence[str]) -> set[str]:
        """Layers whose weights are (inputs, outputs): all, if only so each takes what the one before gives."""
        if any(self.tensors[self.weight_of(name)].type == "U8" for name in names):
            return set()
        shapes = [super(TensorSource, self).matrix(name).shape for name in names]
        follow = all(before[0] == after[1] for before, after in pairwise(shapes))
        turned = all(before[1] == after[0] for before, after in pairwise(shapes))
        biases = [self.tensors[bias].shape if (bias := self.beside(name).bias) else None for name in names]
        fits = all(bias in (None, shape[:1]) for bias, shape in zip(biases, shapes, strict=True))
        called = all(stem(self.weight_of(name))[1][1:] in TRANSPOSED for name in names)
        if (turned and (called or not follow)) or (turned and not fits):
            for name in names:
                self.say("stored as (inputs, outputs), and turned", name)
            return set(names)
        return set()

    def _near(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Tensors beside or between the layers: those below what the layers' names have in common, no matrices."""
        parts = [name.split(".")[:-1] for name in names]
        common = []
        for column in zip(*parts, strict=False):
            if len(set(column)) > 1:
                break
            common.append(column[0])
        prefix = "".join(f"{part}." for part in common)
        others = [name for name in self._weights if name not in names]
        alien = {tensor for name in others for tensor in (self.weight_of(name), *self.beside(name).names())}
        return {name: tensor for name, tensor in self.tensors.items() if name.startswith(prefix) and name not in alien}

    def beside(self, name: str) -> Companions:
        """What stands beside a layer's weights."""
        if name not in self._beside:
            self._beside[name] = companions(self.weight_of(name), self.tensors, self.reading.scales)
        return self._beside[name]

    def companions(self, names: Sequence[str]) -> list[str]:
        """All that stands beside the layers' weights, and between the layers."""
        norms = [part for name in names if (norm := self._norms.get(name)) for part in norm.parts.values()]
        beside = [tensor for name in names for tensor in self.beside(name).names()]
        return list(dict.fromkeys((*beside, *norms, *self.left_out(names))))

    def left_out(self, names: Sequence[str]) -> list[str]:
        """What is below the layers' names and unknown; where the architecture is too, also what is between them."""
        taken: set[str] = set()
        found: dict[str, None] = {}
        for name in names:
            beside, norm = self.beside(name), self._norms.get(name)
            others = () if stem(self.weight_of(name))[1] else self._weights.values()
            found |= dict.fromkeys(tensor for tensor in beside.left_out if tensor not in others)
            taken |= {self.weight_of(name), *beside.names()} - set(beside.left_out)
            taken |= {*norm.parts.values(), *norm.counters} if norm else set()
        if not self.layers:
            found |= dict.fromkeys(self._near(names))
        return [name for name in found if name not in taken]

    def shape(self, name: str) -> tuple[int, int]:
        """Outputs and inputs, checked against the configuration."""
        weight, expected = self.matrix(name), self.layers.get(name)
        if weight.type == "U8":
            outputs, inputs = expected or (CODES * weight.shape[0], weight.shape[1])
            fits = weight.shape == (packed_rows(outputs), inputs)
        elif weight.type in (*FLOATS, *INTEGERS):
            outputs, inputs = expected or weight.shape
            fits = weight.shape == (outputs, inputs)
        else:
            read = ", ".join((*INTEGERS, *FLOATS))
            raise TritweaveError(f"{weight.name} has type {weight.type}; packed U8, {read} are read")
        if not fits:
            raise TritweaveError(
                f"{weight.name} is {weight.type} of shape {weight.shape}; "
                f"the configuration makes it {outputs} outputs of {inputs} inputs"
            )
        return outputs, inputs

    def spec(self, name: str) -> LayerSpec:
        """Shapes as unpacked; floats beside which there is no scale are looked at."""
        outputs, inputs = self.shape(name)
        if name not in self._groups:
            self._groups[name] = self.groups(name, outputs, inputs)
        return LayerSpec(name, outputs, inputs, self._groups[name], self._norm(name), bool(self.beside(name).bias))

    def groups(self, name: str, outputs: int, inputs: int) -> int:
        """Scales of a row, 0 for one scale in all."""
        scale, floats = self._tensor(self.beside(name).scale), self.matrix(name).type in FLOATS
        if scale and not (floats and self.reading.latent):
            return scale_groups(scale, outputs, inputs)
        return (self._of(name, lambda weight: float_groups(weight, self.reading)) or 0) if floats else 0

    # What float32 cannot hold becomes infinite, and is refused by the layer.
    @np.errstate(over="ignore")
    def read(self, name: str) -> TernaryLayer:
        """Unpack, take as it is, or quantise; the scale becomes what a trit is worth."""
        spec, beside = self.spec(name), self.beside(name)
        zero = self._tensor(beside.zero_point)
        if zero and (values := zero.array()).any():
            raise TritweaveError(f"{zero.name} holds {values[values != 0].reshape(-1)[0]}; trits have no zero point")
        weights = self._of(name, lambda weight: self.weights(weight, spec))
        if weights.loss:
            self.losses[name] = weights.loss
        bias = self._vector(beside.bias, spec.outputs) if beside.bias else None
        scale = weights.scale.astype(np.float32)
        return TernaryLayer(name, weights.trits, scale, self._norm_vectors(spec), bias)

    def weights(self, weight: Tensor, spec: LayerSpec) -> Weights:
        """A layer's trits and what they are worth."""
        scale = self._tensor(self.beside(spec.name).scale)
        return read_weights(
            weight, spec.outputs, scale, spec.groups, self.reading, lambda message: self.say(message, spec.name)
        )

    def is_ternary(self, name: str) -> bool:
        """Packed weights and integers with a scale, and the layers that the configuration names."""
        kind = self.tensors[self.weight_of(name)].type
        return name in self.layers or (kind in ("U8", *INTEGERS) and self.beside(name).scale is not None)

    def _tensor(self, name: str | None) -> Tensor | None:
        return None if name is None else self.tensors[name]

    def _of(self, name: str, make: Callable[[Tensor], _Made]) -> _Made:
        """What is made of a layer's weights; errors name them."""
        weight = self.matrix(name)
        try:
            return make(weight)
        except TritweaveError as error:
            raise TritweaveError(f"{weight.name}: {error}") from error

    def _norm(self, name: str) -> NormSpec | None:
        """The norm below a layer's name, or the one that was placed in front of it."""
        beside, placed = self.beside(name), self._norms.get(name)
        if beside.norm is not None:
            kind, place = norm_kind(beside.norm, beside.norm_parts), "quantiser"
        elif placed:
            kind, place = placed.kind, placed.place
        else:
            return None
        epsilon = self.reading.epsilon
        if epsilon is None:
            epsilon = EPSILONS[kind]
            self.say(f"the epsilon of norms of kind {kind} is taken to be {epsilon:g}; --norm-epsilon sets it")
        return NormSpec(kind, epsilon, place)

    def _norm_vectors(self, spec: LayerSpec) -> Norm | None:
        """The tensors of a layer's norm; a gain and a bias that are not there do nothing."""
        if spec.norm is None:
            return None
        beside, placed = self.beside(spec.name), self._norms.get(spec.name)
        parts = placed.parts if placed and beside.norm is None else beside.norm_parts
        vectors = {"norm": np.ones(spec.inputs, np.float32), "norm_bias": np.zeros(spec.inputs, np.float32)}
        if odd := [tensor for part, tensor in parts.items() if part not in spec.norm.parts]:
            raise TritweaveError(f"{odd[0]} is no part of a {spec.norm.kind} norm")
        vectors |= {part: self._vector(tensor, spec.inputs) for part, tensor in parts.items()}
        if missing := [part for part in spec.norm.parts if part not in vectors]:
            raise TritweaveError(f"{spec.name} has a {spec.norm.kind} norm without its {missing[0]}")
        return Norm.of(spec.norm, vectors)

    def _vector(self, name: str, length: int) -> NDArray[np.float32]:
        """A tensor of one dimension as float32."""
        if (shape := self.tensors[name].shape) != (length,):
            raise TritweaveError(f"{name} has shape {shape}; it must be ({length},)")
        return self.tensors[name].array().astype(np.float32)
