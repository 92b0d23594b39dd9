"""Trits and scales from a layer's tensors, by the type of the weights and what is said of them."""

from collections.abc import Callable
from math import prod
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen.imports.ternary_floats import STEPS, loss, split_ternary, ternary_groups
from golden.errors import TritweaveError
from golden.files.packing_hf import decode_hf
from golden.files.stored import Tensor
from golden.quantise import quantise_weights
from golden.trits import check_trits

Convention = Literal["divide", "multiply"]
"""What a result has to do with a scale."""
FLOATS: Final = tuple(STEPS)
INTEGERS: Final = ("BOOL", "I8", "I16", "I32", "I64")


class Reading(NamedTuple):
    """What is said of a source, by the user or a configuration, that its tensors do not say.

    Parameters
    ----------
    convention
        What a result has to do with a scale.
    scales
        What follows a layer's name in the name of its scales; or whole names of scales, one for each layer in order.
    epsilon
        Of all norms.
    latent
        Floats are quantised by Wmean3 whenever they are used.
    packed
        Weights are codes or trits, with a scale.

    """

    convention: Convention | None = None
    scales: tuple[str, ...] = ()
    epsilon: float | None = None
    latent: bool = False
    packed: bool = False


NO_MORE: Final = Reading()
"""Nothing is said."""


class Weights(NamedTuple):
    """A layer's weights as they were read."""

    trits: NDArray[np.int8]
    scale: NDArray[np.floating[Any]]
    """What a trit is worth: shape (1,), or (outputs, groups)."""
    loss: float = 0.0
    """What part of the weights' norm is lost, where floats were no trits."""


def scale_groups(scale: Tensor, outputs: int, inputs: int) -> int:
    """How many scales a row has, 0 for one scale in all, by the shape of the scales."""
    count, long = prod(scale.shape), [length for length in scale.shape if length > 1]
    if count == 1:
        return 0
    if long == [outputs]:
        return 1
    if len(scale.shape) == 2 and scale.shape[0] == outputs and inputs % scale.shape[1] == 0:
        return scale.shape[1]
    raise TritweaveError(
        f"{scale.name} has shape {scale.shape}; a layer of {outputs} outputs has one scale, {outputs}, "
        f"or {outputs} times a divisor of its {inputs} inputs"
    )


def read_weights(
    weight: Tensor, outputs: int, scale: Tensor | None, groups: int, reading: Reading, say: Callable[[str], None]
) -> Weights:
    """Trits and what they are worth.

    Parameters
    ----------
    weight
        Packed codes of type U8, or a matrix of (outputs, inputs).
    outputs
        Of the layer, where the last packed row is not full.
    scale
        The scales beside the weights.
    groups
        As `scale_groups` counts the scales, or `float_groups` the magnitudes of floats.
    reading
        What is said of the source.
    say
        Takes what was assumed.

    """
    if weight.type in FLOATS:
        return _floats(weight.array(), weight.type, scale, groups, reading, say)
    if weight.type == "U8":
        if scale is None:
            raise TritweaveError(f"there is no {weight.name}_scale")
        if reading.convention is None:
            where = ", and the configuration says latent floats (online)" if reading.latent else ""
            raise TritweaveError(f"nothing says what the scale means{where}; give --scale divide or --scale multiply")
        return Weights(decode_hf(weight.array(), outputs), scale_worth(scale, groups, reading.convention))
    values = weight.array()
    if weight.type == "BOOL":
        say("bits, read as +1 and 0")
        values = values.view(np.int8)
    trits = check_trits(values)
    if scale is None:
        say("no scale beside the trits, each is worth 1; --scales names one")
        return Weights(trits, np.ones(1))
    return Weights(trits, _multiplied(scale, groups, reading, say))


def float_groups(weight: Tensor, reading: Reading) -> int | None:
    """How the magnitudes of floats beside which there is no scale are shared; None: they are not ternary."""
    if reading.packed:
        raise TritweaveError(
            "floats without a weight_scale, where the configuration says packed; give the scale with --scales"
        )
    return 0 if reading.latent else ternary_groups(weight.array(), weight.type)


def _floats(
    values: NDArray[np.floating[Any]],
    kind: str,
    scale: Tensor | None,
    groups: int,
    reading: Reading,
    say: Callable[[str], None],
) -> Weights:
    if reading.latent:
        if scale is not None:
            if np.isin(values, (-1, 0, 1)).all():
                raise TritweaveError(
                    f"trits with a scale, {scale.name}, where the configuration says latent floats (online); "
                    f"give --scale divide or --scale multiply to use it"
                )
            say("a scale is left over beside latent floats; the configuration says online, so it is not used")
        trits, gamma = quantise_weights(values)
        return Weights(trits, np.array([gamma]))
    if scale is None:
        if groups or ternary_groups(values, kind) is not None:
            return Weights(*split_ternary(values, groups))
        trits, gamma = quantise_weights(values)
        return Weights(trits, np.array([gamma]), loss(values, trits, gamma))
    if not np.isin(values, (-1, 0, 1)).all() and ternary_groups(values, kind) == groups:
        trits, magnitudes = split_ternary(values, groups)
        given = scale_worth(scale, groups, "multiply").reshape(magnitudes.shape)
        if (np.abs(given - magnitudes) <= 4 * STEPS[kind] * magnitudes)[magnitudes > 0].all():
            say("its scale is in the weights already")
            return Weights(trits, magnitudes)
    trits = check_trits(values)
    return Weights(trits, _multiplied(scale, groups, reading, say))


def _multiplied(scale: Tensor, groups: int, reading: Reading, say: Callable[[str], None]) -> NDArray[np.float64]:
    if reading.convention is None:
        say("its scale is taken to multiply; --scale divide where it divides")
    return scale_worth(scale, groups, reading.convention or "multiply")


def scale_worth(scale: Tensor, groups: int, convention: Convention) -> NDArray[np.float64]:
    """What a trit is worth, shape (1,) or (outputs, groups)."""
    values = np.atleast_1d(_positive(scale))
    worth = 1 / values if convention == "divide" else values
    return worth.reshape(-1, groups) if groups else worth.reshape(1)


def _positive(scale: Tensor) -> NDArray[np.float64]:
    values = scale.array().astype(np.float64)
    good = np.isfinite(values) & (values > 0)
    if not good.all():
        raise TritweaveError(f"{scale.name} is {values[~good].reshape(-1)[0]}; a scale must be finite and above 0")
    return values
