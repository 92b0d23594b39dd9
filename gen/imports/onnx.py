"""Sources of the ONNX kind: chains of layers, with QONNX's quantisers or without."""
# pyright: reportMissingImports=false
# onnx is optional, so the types must also check where it is not installed.

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen.imports.damage import one_line
from gen.imports.tensor_source import TensorSource
from gen.imports.weights import Reading
from golden.errors import TritweaveError
from golden.files.norm import NormSpec
from golden.files.stored import LoadedTensor

_TYPES = {"f2": "F16", "f4": "F32", "f8": "F64", "b1": "BOOL"}


class Onnx(TensorSource):
    """Layers of a graph, which says in which order they compute and what stands between them."""

    def __init__(self, path: Path, chain: Any, reading: Reading):
        self._layers = {layer.name: layer for layer in chain.layers}
        tensors = {tensor.name: tensor for layer in chain.layers for tensor in _tensors(layer)}
        shapes = {layer.name: layer.weight.values.shape for layer in chain.layers}
        super().__init__(path, "ONNX", tensors, shapes, "", reading._replace(convention="multiply"))
        for message, operator in chain.notes:
            self.say(message, operator)

    def activations(self, names: Sequence[str]) -> list[str] | None:
        """As the graph has them."""
        return ["relu" if self._layers[name].relu else "none" for name in names]

    def left_out(self, names: Sequence[str]) -> list[str]:
        """Operators that no layer file has a place for."""
        return super().left_out(names) + [part for name in names for part in self._layers[name].left_out]

    def _norm(self, name: str) -> NormSpec | None:
        return self._layers[name].norm


def open_onnx(path: Path, reading: Reading) -> Onnx:
    """A source from an ONNX file; needs the extra `onnx`."""
    try:
        import onnx

        from gen.imports.onnx_chain import GraphChain
    except ImportError as error:
        raise TritweaveError(f"{path} is ONNX, which needs a package more: pip install 'tritweave[onnx]'") from error
    try:
        model = onnx.load(str(path))
    # The package's readers raise what protobuf, the system or the checks of external data do.
    except Exception as error:
        raise TritweaveError(f"{path} is no ONNX file that can be read: {one_line(error)}") from error
    try:
        return Onnx(path, GraphChain(model.graph), reading)
    except TritweaveError as error:
        raise TritweaveError(f"{path}: {one_line(error)}") from error
    # A graph that the package has not checked can lack anything that the walk looks for.
    except Exception as error:
        raise TritweaveError(f"{path} holds a graph that cannot be read: {one_line(error)}") from error


def _tensors(layer: Any) -> list[LoadedTensor]:
    """A layer's tensors, by the names that stand for them in other files."""
    weight, name = layer.weight, layer.name
    scale = np.broadcast_to(layer.factor, 1) if np.size(layer.factor) == 1 else layer.factor.reshape(-1)
    if weight.scale is not None:
        rows = np.broadcast_to(weight.scale, weight.values.shape)
        if (rows != rows[:, :1]).any():
            raise TritweaveError(f"{name} has weights with a scale for each input, which is not read")
        own = rows[:1, 0] if (rows == rows[0, 0]).all() else rows[:, 0]
        scale = own * scale
    integers = weight.scale is not None or weight.values.dtype.kind in "biu"
    values = weight.values
    if integers:
        _check(name, values)
        found = [_tensor(f"{name}.weight", values.astype(np.int8)), _tensor(f"{name}.weight_scale", scale)]
    else:
        found = [_tensor(f"{name}.weight", values if (scale == 1).all() else values * scale[:, None])]
    if layer.bias is not None:
        found.append(_tensor(f"{name}.bias", layer.bias))
    found += [_tensor(f"{name}.norm.{part}", values) for part, values in layer.norm_tensors.items()]
    return found


def _check(name: str, values: NDArray[Any]) -> None:
    if (beyond := values[np.abs(values) > 1]).size:
        raise TritweaveError(
            f"{name} has weights of more than one trit: {beyond[0]}; its quantiser must give -1, 0, +1"
        )


def _tensor(name: str, values: NDArray[Any]) -> LoadedTensor:
    values = np.ascontiguousarray(values)
    kind = "I8" if values.dtype == np.int8 else _TYPES[values.dtype.str[1:]]
    return LoadedTensor(name, kind, values.shape, values.nbytes, lambda: values)
