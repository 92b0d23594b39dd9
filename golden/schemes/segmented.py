"""The matrix of every scheme: planes of trits over segments of the inputs, with scales, offsets and an int8 side path.

One equation serves all schemes. With the activations ``q``, segments ``g`` of the inputs and planes ``p`` of trits,

    y[o] = Σ_g a[g] · (Σ_p s[p,o,g] · Σ_{i in g} T[p,o,i]·q[i]  +  μ[o,g] · Σ_{i in g} q[i])
         + a[side] · w[o] · Σ_{i in side} W8[o,i]·q[i]  +  b[o]

where ``a`` is what a unit of a group's activations is worth. A binary plane is a ternary one without zeros, a mask of
{0, 1} one without -1: to a datapath, planes are only more inputs of a row, with other scales.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.activations import activations_float, ranges
from golden.errors import TritweaveError
from golden.formats import RULES, STATIC
from golden.trits import check_trits


def segment_ends(inputs: int, length: int) -> tuple[int, ...]:
    """The ends of segments of a length; the last may be shorter."""
    return (*range(length, inputs, length), inputs)


class Structure(NamedTuple):
    """What a scheme makes of any matrix with a number of inputs, before it is made."""

    planes: int
    ends: tuple[int, ...]
    """Of the segments."""
    activations: str = RULES[0]
    offsets: bool = False
    side: int = 0
    """Inputs of the side path."""
    order: bool = False
    input_scales: bool = False
    bias: bool = False

    @property
    def inputs(self) -> int:
        """All of them."""
        return self.ends[-1] + self.side


@dataclass(frozen=True, eq=False)
class SegmentedMatrix:
    """A layer's weights.

    Parameters
    ----------
    planes
        Trits, shape (planes, outputs, K), none of them 0. K is the number of inputs less those of the side path.
    scales
        float32, shape (planes, outputs, segments): what a trit of a plane is worth; finite, of either sign.
    ends
        Of each segment, the index behind its last input; rising, the last is K.
    activations
        How the input is quantised, one of `golden.formats.RULES` or `STATIC`. Each segment is a group, and the side
        path is one more, which ``int4-groups`` needs.
    offsets
        μ: float32, shape (outputs, segments).
    side
        int8 in [-127, 127], shape (outputs, n): the weights of the last n inputs.
    side_scales
        float32, shape (outputs,): what a unit of them is worth; with `side`.
    order
        int32, shape (inputs,): where each input comes from, a permutation; None: as they are.
    input_scales
        float32, shape (inputs,), in that order, finite: factors of the inputs, before they become int8.
    bias
        b: float32, shape (outputs,), finite: added to the results; not where there is a side path, or activations are
        worth what depends on all of them, as with ``sign``.

    """

    planes: NDArray[np.int8]
    scales: NDArray[np.float32]
    ends: tuple[int, ...]
    activations: str = RULES[0]
    offsets: NDArray[np.float32] | None = None
    side: NDArray[np.int8] | None = None
    side_scales: NDArray[np.float32] | None = None
    order: NDArray[np.int32] | None = None
    input_scales: NDArray[np.float32] | None = None
    bias: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.planes.ndim != 3 or 0 in self.planes.shape:
            raise TritweaveError(f"planes have shape {self.planes.shape}; it is (planes, outputs, inputs), none zero")
        check_trits(self.planes, "planes")
        count, outputs, inner = self.planes.shape
        if self.activations not in (*RULES, STATIC):
            raise TritweaveError(f"activations are {self.activations!r}; they are one of {', '.join((*RULES, STATIC))}")
        if not self.ends or self.ends[-1] != inner or any(start >= end for start, end in ranges(self.ends)):
            raise TritweaveError(f"the segments end at {self.ends}; the ends rise from above 0 to {inner}")
        if (self.side is None) != (self.side_scales is None):
            raise TritweaveError("a side path has both weights and scales")
        if self.activations == "int4-groups" and self.side is None:
            raise TritweaveError("int4-groups needs a side path")
        if self.activations != "int8" and self.input_scales is not None:
            raise TritweaveError(f"input scales go with int8 activations; these are {self.activations}")
        if self.bias is not None and (self.side is not None or self.activations in ("sign", "int4-groups")):
            raise TritweaveError(
                f"a bias goes with int8, static or binary activations and no side path; these are {self.activations}"
            )
        segments = len(self.ends)
        shapes: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
            "scales": ((count, outputs, segments), np.float32),
            "offsets": ((outputs, segments), np.float32),
            "side": ((outputs, self.inputs - inner), np.int8),
            "side_scales": ((outputs,), np.float32),
            "order": ((self.inputs,), np.int32),
            "input_scales": ((self.inputs,), np.float32),
            "bias": ((outputs,), np.float32),
        }
        for name, (shape, dtype) in shapes.items():
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != shape or array.dtype != dtype or 0 in shape:
                raise TritweaveError(
                    f"{name} is {array.dtype} of shape {array.shape}; it must be {np.dtype(dtype)} of shape {shape}"
                )
            if not np.isfinite(array).all():
                raise TritweaveError(f"{name} holds a value that is not finite")
        if not any(array.any() for array in (self.scales, self.offsets, self.side_scales) if array is not None):
            raise TritweaveError("all scales are 0")
        if self.side is not None and (self.side == -128).any():
            raise TritweaveError("side holds -128; its values are -127 to 127")
        if self.order is not None and not np.array_equal(np.sort(self.order), np.arange(self.inputs)):
            raise TritweaveError(f"order is no permutation of 0 to {self.inputs - 1}")
        if self.input_scales is not None and not self.input_scales.any():
            raise TritweaveError("all input scales are 0")

    @property
    def structure(self) -> Structure:
        """All of it but the outputs and the values."""
        side = self.inputs - self.ends[-1]
        vectors = (self.order, self.input_scales, self.bias)
        flags = (self.offsets is not None, side, *(vector is not None for vector in vectors))
        return Structure(len(self.planes), self.ends, self.activations, *flags)

    @property
    def outputs(self) -> int:
        """Length of the result."""
        return self.planes.shape[1]

    @property
    def inputs(self) -> int:
        """Length of the input."""
        return self.planes.shape[2] + (0 if self.side is None else self.side.shape[-1])

    @property
    def groups(self) -> tuple[int, ...]:
        """The ends of the activations' groups: the segments, and the side path."""
        return self.ends if self.side is None else (*self.ends, self.inputs)

    def arranged(self, values: NDArray[Any]) -> NDArray[Any]:
        """Inputs, shape (n, inputs), in the matrix's own order."""
        if values.ndim != 2 or values.shape[1] != self.inputs or not len(values):
            raise TritweaveError(f"the input has shape {values.shape}; it must be (n, {self.inputs}), n at least 1")
        return values if self.order is None else values[:, self.order]

    def weights(self) -> NDArray[np.float64]:
        """The real matrix that it stands for, shape (outputs, inputs), input scales included."""
        parts = []
        for segment, (start, end) in enumerate(ranges(self.ends)):
            part = np.einsum("poi,po->oi", self.planes[:, :, start:end], self.scales[:, :, segment].astype(np.float64))
            parts.append(part if self.offsets is None else part + self.offsets[:, segment, None])
        if self.side is not None and self.side_scales is not None:
            parts.append(self.side * self.side_scales[:, None].astype(np.float64))
        arranged = np.hstack(parts)
        if self.input_scales is not None:
            arranged *= self.input_scales
        if self.order is None:
            return arranged
        matrix = np.empty_like(arranged)
        matrix[:, self.order] = arranged
        return matrix

    def evaluate(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The equation in floats: reals of shape (n, inputs) to reals of shape (n, outputs)."""
        arranged = self.arranged(values)
        if self.input_scales is not None:
            arranged = arranged * self.input_scales
        quantised, factors, _ = activations_float(arranged, self.activations, self.groups)
        total = np.zeros((len(values), self.outputs))
        for segment, (start, end) in enumerate(ranges(self.ends)):
            part = quantised[:, start:end].astype(np.float64)
            factor = factors[:, segment, None]
            for plane, scales in zip(self.planes, self.scales, strict=True):
                total += factor * (part @ plane[:, start:end].T) * scales[:, segment]
            if self.offsets is not None:
                total += factor * part.sum(axis=1, keepdims=True) * self.offsets[:, segment]
        if self.side is not None and self.side_scales is not None:
            part = quantised[:, self.ends[-1] :].astype(np.float64)
            total += factors[:, -1:] * (part @ self.side.T) * self.side_scales
        if self.bias is not None:
            total += self.bias
        return total
