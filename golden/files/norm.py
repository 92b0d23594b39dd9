"""A normalisation that stands in front of a layer, as other programs keep it: its vectors and what its file says."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError

KINDS: Final = {"rms": "RMSNorm", "layer": "LayerNorm", "batch": "BatchNorm"}
"""The kinds, and what the field calls them."""
PLACES: Final = ("quantiser", "activation")
"""What a norm is in front of: the layer's quantiser, or the activation before that."""

_PARTS: Final = {
    "rms": ("norm",),
    "layer": ("norm", "norm_bias"),
    "batch": ("norm", "norm_bias", "norm_mean", "norm_variance"),
}


class NormSpec(NamedTuple):
    """What is known of a norm before it is read."""

    kind: str
    """``rms``, ``layer`` or ``batch``."""
    epsilon: float
    place: str = PLACES[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """Its tensors, in the order of the CRC; each is a float32 for each input of the layer."""
        return _PARTS[self.kind]

    def check(self, layer: str) -> None:
        """Raise if there is no such norm."""
        epsilon = isinstance(self.epsilon, (int, float)) and np.isfinite(self.epsilon) and self.epsilon >= 0
        if self.kind not in KINDS or self.place not in PLACES or not epsilon:
            raise TritweaveError(
                f"{layer}'s norm is {list(self)}; it is one of {', '.join(KINDS)}, an epsilon of at least 0, "
                f"and in front of {' or '.join(PLACES)}"
            )

    def __str__(self) -> str:
        """In words."""
        place = "its quantiser" if self.place == PLACES[0] else "the activation before it"
        return f"a {KINDS[self.kind]} (epsilon {self.epsilon:g}) in front of {place}"


@dataclass(frozen=True, eq=False)
class Norm:
    """A norm.

    Parameters
    ----------
    spec
        Kind, epsilon and place.
    gain
        What the normalised values are multiplied with.
    bias
        What is added then: LayerNorm and BatchNorm.
    mean, variance
        What BatchNorm normalises with; the other kinds take the vector's own.

    """

    spec: NormSpec
    gain: NDArray[np.float32]
    bias: NDArray[np.float32] | None = None
    mean: NDArray[np.float32] | None = None
    variance: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.variance is not None and (self.variance < 0).any():
            raise TritweaveError(f"the variance of a BatchNorm is {self.variance.min()}; it must be at least 0")

    @property
    def vectors(self) -> dict[str, NDArray[Any]]:
        """Its tensors by part."""
        vectors = {"norm": self.gain, "norm_bias": self.bias, "norm_mean": self.mean, "norm_variance": self.variance}
        return {part: vector for part, vector in vectors.items() if vector is not None}

    @classmethod
    def of(cls, spec: NormSpec, vectors: dict[str, NDArray[np.float32]]) -> "Norm":
        """From the tensors by part."""
        return cls(spec, *(vectors[part] for part in spec.parts))
