"""Layer files as networks: what stands around their layers becomes part of the rows before them, where it can.

A BatchNorm without a ReLU between it and the layer before is a factor and an addend of that layer's rows. An RMSNorm's
gains are factors of them, too, and its size is taken out again by the quantiser; so no bias may come behind it, whose
unit that size would be. LayerNorms are the engine's own, where all layers have one, and one scale, and no bias but one
that counts in sums.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.checkpoint import read_activations, read_checkpoint
from golden.files.layer_file import (
    BIAS_UNITS,
    FORMAT,
    LayerSpec,
    TernaryLayer,
    check_layers,
    read_layer,
    read_left_out,
    read_specs,
)
from golden.files.norm import PLACES, Norm
from golden.files.safetensors_reader import read_safetensors_header
from golden.layer_norm import LayerNorm
from golden.network import InputType, Layer, Network
from golden.schemes.network import AnyNetwork, integer_network
from golden.schemes.segmented import SegmentedMatrix, segment_ends


def read_network(path: Path) -> AnyNetwork:
    """The network of a checkpoint, or of a layer file; an error says what keeps layers from being one."""
    header = read_safetensors_header(path)
    if header.metadata.get("format") != FORMAT:
        return read_checkpoint(path)
    try:
        return _network(header.tensors, header.metadata)
    except TritweaveError as error:
        raise TritweaveError(f"{path}: {error}") from error


def _network(tensors: Any, metadata: dict[str, str]) -> AnyNetwork:
    def read(name: str) -> NDArray[Any]:
        return tensors[name].array()

    specs = read_specs(tensors, metadata)
    check_layers(specs, metadata, read)
    activations = read_activations(metadata)
    if len(activations) != len(specs):
        raise TritweaveError(f"there are {len(specs)} layers and {len(activations)} activations")
    relus = [activation == "relu" for activation in activations]
    bias_unit = metadata.get("bias_unit", BIAS_UNITS[0])
    if problem := obstacle(specs, relus, read_left_out(metadata), bias_unit):
        raise TritweaveError(problem)
    try:
        unit = float(metadata["input_unit"])
    except ValueError as error:
        raise TritweaveError(f"the input unit is {metadata['input_unit']!r}; it must be a number") from error
    input_type: InputType = metadata["input_type"]  # pyright: ignore[reportAssignmentType] - the network validates it
    layers = [read_layer(spec, read) for spec in specs]
    if bias_unit == "sums" or all(_plain(layer) for layer in layers):
        plain = (_layer(layer, relu) for layer, relu in zip(layers, relus, strict=True))
        return Network(metadata["name"], tuple(plain), input_type, unit)
    settings: dict[str, Any] = {"relus": relus, "input_type": input_type, "input_unit": unit}
    return integer_network(metadata["name"], matrices_of(layers, relus), **settings)


def obstacle(
    specs: Sequence[LayerSpec],
    relus: Sequence[bool],
    left_out: Sequence[str] = (),
    bias_unit: str = BIAS_UNITS[0],
) -> str | None:
    """Why layers make no network, if they make none.

    Parameters
    ----------
    specs
        What is known of them before they are read.
    relus
        Whether a ReLU follows each.
    left_out
        Tensors of their source without which they are not what they were.
    bias_unit
        One of `BIAS_UNITS`.

    """
    if bias_unit not in BIAS_UNITS:
        return f"the bias unit is {bias_unit!r}; it is one of {', '.join(BIAS_UNITS)}"
    for before, after in pairwise(specs):
        if before.outputs != after.inputs:
            return f"{before.name} gives {before.outputs} values where {after.name} takes {after.inputs}"
    if left_out:
        some = ", ".join(left_out[:3]) + (f" and {len(left_out) - 3} more" if len(left_out) > 3 else "")
        return f"{some} of the source {'have' if len(left_out) > 1 else 'has'} no place in the layers"
    if bias_unit == "sums" or any(_layer_normed(spec) for spec in specs):
        return _plain_obstacle(specs, bias_unit)
    for index, spec in enumerate(specs):
        if spec.norm is None:
            continue
        foldable = _foldable(index, spec, relus)
        behind = [other.name for other in specs[index:] if other.bias]
        behind += [other.name for other in specs[index + 1 :] if other.norm and other.norm.kind == "batch"]
        if foldable and (spec.norm.kind == "batch" or not behind):
            continue
        why = f", and {behind[0]} behind it a bias" if foldable else ""
        return f"{spec.name} has {spec.norm}{why}, for which an engine has no place yet"
    return None


def matrices_of(layers: Sequence[TernaryLayer], relus: Sequence[bool]) -> list[SegmentedMatrix]:
    """The matrices of layers that have no `obstacle`."""
    scales = [_row_scales(layer).astype(np.float64) for layer in layers]
    biases = [None if layer.bias is None else layer.bias.astype(np.float64) for layer in layers]
    gains: list[NDArray[np.float32] | None] = [None] * len(layers)
    for index, norm in enumerate(layer.norm for layer in layers):
        if norm is None:
            continue
        if norm.spec.kind == "batch" or norm.spec.place == PLACES[1]:
            factors, addends = _affine(norm)
            before = biases[index - 1]
            scales[index - 1] = scales[index - 1] * factors[:, None]
            if addends is not None:
                biases[index - 1] = addends if before is None else before * factors + addends
            elif before is not None:
                biases[index - 1] = before * factors
        else:
            gains[index] = norm.gain
    matrices = []
    for layer, worth, bias, gain in zip(layers, scales, biases, gains, strict=True):
        # A gain below 0 does not pass a ReLU: its sign is that of the weights behind it.
        trits = layer.trits if gain is None else layer.trits * np.where(gain < 0, -1, 1).astype(np.int8)
        matrices.append(
            SegmentedMatrix(
                trits[None],
                worth.astype(np.float32)[None],
                segment_ends(trits.shape[1], trits.shape[1] // worth.shape[1]),
                input_scales=None if gain is None else np.abs(gain),
                bias=None if bias is None else bias.astype(np.float32),
            )
        )
    return matrices


def _plain_obstacle(specs: Sequence[LayerSpec], bias_unit: str) -> str | None:
    """Why layers with LayerNorms, or biases that count in sums, make no network."""
    normed = {_layer_normed(spec) for spec in specs}
    for spec in specs:
        if spec.norm and not _layer_normed(spec):
            return f"{spec.name} has {spec.norm}, for which an engine has no place yet beside these norms or biases"
        if len(normed) > 1 and not spec.norm:
            return f"{spec.name} has no LayerNorm where others have; on an engine all layers have one, or none has"
        if spec.groups:
            return f"{spec.name} has scales of rows, for which an engine has no place yet beside these norms or biases"
        if spec.norm and spec.bias and bias_unit != "sums":
            return (
                f"{spec.name} has {spec.norm}, and a real bias, for which an engine has no place yet; "
                f"--bias-unit sums where it is added to the sums of trits and int8"
            )
    return None


def _layer_normed(spec: LayerSpec) -> bool:
    return spec.norm is not None and spec.norm.kind == "layer" and spec.norm.place == PLACES[0]


def _foldable(index: int, spec: LayerSpec, relus: Sequence[bool]) -> bool:
    """Whether all that a layer's norm does but for the vector's size can be done by the rows before it."""
    if spec.norm is None or spec.norm.kind == "layer":
        return False
    if spec.norm.kind == "rms":
        return spec.norm.place == PLACES[0] or index > 0
    return index > 0 and (spec.norm.place == PLACES[1] or not relus[index - 1])


def _affine(norm: Norm) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """What a norm multiplies by, and what it adds then."""
    factors = norm.gain.astype(np.float64)
    if norm.mean is None or norm.variance is None or norm.bias is None:
        return factors, None
    factors = factors / np.sqrt(norm.variance.astype(np.float64) + norm.spec.epsilon)
    return factors, norm.bias - norm.mean * factors


def _plain(layer: TernaryLayer) -> bool:
    """Whether a layer is nothing but trits of one worth, perhaps behind a LayerNorm."""
    one = len(np.unique(layer.scale[layer.scale > 0])) == 1
    return one and (layer.norm is None or _layer_normed(layer.spec)) and layer.bias is None


def _layer(layer: TernaryLayer, relu: bool) -> Layer:
    """One scale; a bias counts in sums."""
    norm = layer.norm and LayerNorm.of(layer.norm.gain, np.zeros(1) if layer.norm.bias is None else layer.norm.bias)
    addends = None if layer.bias is None else np.rint(layer.bias).astype(np.int64)
    return Layer(layer.trits, float(layer.scale.max()), relu, norm, addends)


def _row_scales(layer: TernaryLayer) -> NDArray[np.float32]:
    """What a trit is worth, shape (outputs, groups); where all are worth the same, in one group."""
    worth = np.unique(layer.scale[layer.scale > 0])
    if len(worth) == 1:
        return np.full((len(layer.trits), 1), worth[0])
    if layer.scale.shape[1] > 1 and (layer.scale == layer.scale[:, :1]).all():
        return layer.scale[:, :1]
    return layer.scale
