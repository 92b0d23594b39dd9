"""What stands beside a layer's weights: a tensor below its name is a scale, a bias, part of a norm, or left out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from golden.errors import TritweaveError
from golden.files.stored import Tensor

SCALES: Final = (
    *("weight_scale", "scale", "scales", "weight_scales", "weight.scale", "weight_quantizer.scale"),
    *("alpha", "weight_alpha", "scaling_factor", "weight_scaling_factor", "w_scale"),
)
"""What follows a layer's name in the name of its scales."""
BIASES: Final = ("bias", "b", "bias:0", "b:0")
"""What follows it in the name of its bias."""
ZERO_POINTS: Final = ("weight_zero_point", "zero_point", "weight.zero_point", "weight_zero_points", "zero_points")
"""What follows it in the name of its zero point, which trits have none of: all must be 0."""
COUNTERS: Final = ("num_batches_tracked",)
"""What training counts and no layer computes with."""
WEIGHTS: Final = ("weight", "kernel", "w", "W", "weights", "kernel:0", "weight:0")
"""Last part of the name of a layer's weights; any other name of a matrix is a layer's as a whole."""
TRANSPOSED: Final = ("kernel", "kernel:0")
"""Those among them that are (inputs, outputs), as Keras and Flax keep them."""

_MOMENTS: Final = {"running_mean": "norm_mean", "running_var": "norm_variance"}
_NORM_PARTS: Final = {"weight": "norm", "gamma": "norm", "scale": "norm", "bias": "norm_bias", "beta": "norm_bias"} | {
    **_MOMENTS,
    "moving_mean": "norm_mean",
    "moving_variance": "norm_variance",
}
_NORM_NAME: Final = re.compile(r"norm|^ln_?\d*$|^bn_?\d*$|_ln$|_bn$", re.IGNORECASE)
_LETTER: Final = re.compile(r"[wW](_?\d*)")
SEPARATORS: Final = "._/"


@dataclass
class Companions:
    """Names of tensors beside a layer's weights, by what they are."""

    scale: str | None = None
    bias: str | None = None
    zero_point: str | None = None
    norm: str | None = None
    """The name of the norm, of which `norm_parts` are the tensors."""
    norm_parts: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """What nothing is known of."""
    passed_over: list[str] = field(default_factory=list)
    """What no layer computes with."""

    def names(self) -> list[str]:
        """All of them."""
        single = [name for name in (self.scale, self.bias, self.zero_point) if name]
        return single + list(self.norm_parts.values()) + self.left_out + self.passed_over


def stem(weight: str) -> tuple[str, str]:
    """A layer's name from that of its weights, and what follows it: ``fc1``, ``.weight``; or all of it and nothing."""
    for last in WEIGHTS:
        if len(weight) > len(last) + 1 and weight.endswith(last) and weight[-len(last) - 1] in SEPARATORS:
            return weight[: -len(last) - 1], weight[-len(last) - 1 :]
    return weight, ""


def companions(weight: str, tensors: Mapping[str, Tensor], scales: Iterable[str] = ()) -> Companions:
    """Sort what lies beside a layer's weights.

    Parameters
    ----------
    weight
        The name of the weights.
    tensors
        All tensors of the source.
    scales
        What the user says that follows the layer's name in the name of its scales.

    """
    name, last = stem(weight)
    letter = _LETTER.fullmatch(weight)
    if letter and not last:
        # Numpy files: W1, b1.
        beside = {"b" + letter[1]: "bias"} | {f"{scale}{letter[1]}": scale for scale in (*scales, "alpha", "scale")}
    else:
        beside = {}
    separators = last[:1] or SEPARATORS
    found = Companions()
    norms: dict[str, dict[str, str]] = {}
    for tensor in tensors:
        # GGUF: blk.0.attn_q.weight_scale; PyTorch's quantisers: fc1.weight.scale.
        below = tensor.startswith(name) and tensor[len(name) : len(name) + 1] in tuple(separators)
        rest = beside.get(tensor) or (tensor[len(name) + 1 :] if below else None)
        if rest is None or tensor == weight:
            continue
        norm, _, part = rest.rpartition(".")
        if rest in (*scales, *SCALES):
            found.scale = _only(found.scale, tensor, "scale")
        elif rest in BIASES:
            found.bias = _only(found.bias, tensor, "bias")
        elif rest in ZERO_POINTS:
            found.zero_point = _only(found.zero_point, tensor, "zero point")
        elif is_norm(norm) and part in (*_NORM_PARTS, *COUNTERS):
            norms.setdefault(norm, {})[part] = tensor
        elif rest in COUNTERS:
            found.passed_over.append(tensor)
        else:
            found.left_out.append(tensor)
    for norm, parts in norms.items():
        vectors, counters = norm_parts(parts)
        found.passed_over += counters
        if found.norm is None and vectors:
            found.norm, found.norm_parts = f"{name}{separators[0]}{norm}", vectors
        else:
            found.left_out += vectors.values()
    return found


def is_norm(name: str) -> bool:
    """Whether a part of a network is called like a norm."""
    return bool(_NORM_NAME.search(name.rpartition(".")[2]))


def norm_parts(tensors: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Parts of a norm, as a layer file calls them, from the last parts of its tensors' names; and its counters."""
    parts = {_NORM_PARTS[last]: tensor for last, tensor in tensors.items() if last in _NORM_PARTS}
    return parts, [tensor for last, tensor in tensors.items() if last in COUNTERS]


def norm_kind(name: str, parts: Iterable[str]) -> str:
    """``batch`` where there are moments, ``layer`` where there is a bias and no word of rms, ``rms`` otherwise."""
    parts = set(parts)
    if parts & {"norm_mean", "norm_variance"}:
        return "batch"
    return "layer" if "norm_bias" in parts and "rms" not in name.lower() else "rms"


def _only(before: str | None, tensor: str, what: str) -> str:
    if before:
        raise TritweaveError(f"{before} and {tensor} are both a layer's {what}; one is read")
    return tensor
