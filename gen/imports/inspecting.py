"""What the tensors of a source are, and what a ternary layer holds."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gen.imports.sources import Source
from golden.errors import TritweaveError
from golden.files.layer_file import TernaryLayer


class Shares(NamedTuple):
    """How many trits of a layer are what."""

    minus: int
    zero: int
    plus: int

    @classmethod
    def of(cls, layer: TernaryLayer) -> "Shares":
        """Count a layer's trits."""
        minus, other = int(np.count_nonzero(layer.trits < 0)), int(np.count_nonzero(layer.trits))
        return cls(minus, layer.trits.size - other, other - minus)

    def __str__(self) -> str:
        """As parts of the whole, in percent."""
        return " ".join(f"{100 * count / sum(self):.1f}" for count in self)

    def __add__(self, other: "Shares") -> "Shares":  # pyright: ignore[reportIncompatibleMethodOverride] - not a concatenation
        return Shares(*(mine + its for mine, its in zip(self, other, strict=True)))


class Described(NamedTuple):
    """A tensor of a source; scale and shares of a ternary layer's weights."""

    name: str
    type: str
    shape: tuple[int, ...]
    size: int
    """Bytes."""
    scale: tuple[float, float] | None = None
    """Smallest and largest; a scale of 0 is left out."""
    shares: Shares | None = None
    problem: str | None = None
    """Why an import refuses it."""

    def row(self) -> tuple[str, ...]:
        """As words: name, type, shape, scale, shares."""
        scale = shares = ""
        if self.scale and self.shares:
            low, high = self.scale
            scale = f"{low:.5g}" if low == high else f"{low:.5g} to {high:.5g}"
            shares = str(self.shares)
        return self.name, self.type, " x ".join(map(str, self.shape)), scale, shares

    def figures(self) -> dict[str, Any]:
        """All of it, for a file."""
        return self._asdict() | {"shares": self.shares and self.shares._asdict()}


def describe(source: Source, patterns: Sequence[str] = ()) -> list[Callable[[], Described]]:
    """A call for each tensor of a source that tells what it is; calls for ternary layers read them, if they can.

    With patterns, only the weights of the layers that match, told as what an import makes of them.
    """
    layers = dict.fromkeys(source.select(patterns) if patterns else source.matrices())
    weights = {source.weight_of(name): name for name in layers}
    chosen = weights if patterns else dict.fromkeys(source.names())
    if patterns:
        source.prepare(list(layers))

    def told(tensor: str) -> Described:
        stored = source.tensors[tensor]
        plain = Described(stored.name, stored.type, stored.shape, stored.size)
        if tensor not in weights or not (patterns or source.is_ternary(weights[tensor])):
            return plain
        try:
            layer = source.read(weights[tensor])
        except TritweaveError as error:
            if patterns:
                raise
            return plain._replace(problem=str(error))
        scale = layer.scale[layer.scale > 0]
        return plain._replace(scale=(float(scale.min()), float(scale.max())), shares=Shares.of(layer))

    return [lambda tensor=tensor: told(tensor) for tensor in chosen]
