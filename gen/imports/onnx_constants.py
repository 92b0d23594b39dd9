"""Constants of an ONNX graph: initialisers, and what quantisers and rearrangements make of them."""
# pyright: reportMissingImports=false
# onnx is optional, so the types must also check where it is not installed.

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from golden.errors import TritweaveError

PASSED: Final = ("Identity", "Cast", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that leave the numbers of a chain as they are."""


class Constant(NamedTuple):
    """Numbers that are known before the graph runs."""

    values: NDArray[Any]
    """Integers, where there is a scale."""
    scale: NDArray[np.float64] | None
    """What they are multiplied with, of a shape that numpy stretches to theirs."""
    name: str
    """Of the initialiser that they started as."""

    def numbers(self) -> NDArray[Any]:
        """Values times scale."""
        return self.values if self.scale is None else self.values * self.scale

    def transposed(self, axes: list[int] | None = None) -> "Constant":
        """With its dimensions in another order."""
        stretched = None if self.scale is None else np.broadcast_to(self.scale, self.values.shape).transpose(axes)
        return Constant(self.values.transpose(axes), stretched, self.name)


class Constants:
    """Constants by name, made when they are asked for.

    Parameters
    ----------
    graph
        The ONNX graph.

    """

    def __init__(self, graph: Any):
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._makers: Mapping[str, NodeProto] = {name: node for node in graph.node for name in node.output}
        self._ready: dict[str, Constant | None] = {}

    def find(self, name: str) -> Constant | None:
        """The constant of a name, or None if it depends on the graph's input."""
        if name not in self._ready:
            self._ready[name] = None  # what a cycle would find
            self._ready[name] = self._made(name)
        return self._ready[name]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The values of a constant that must be there."""
        found = self.find(name)
        if found is None:
            raise TritweaveError(f"{name} depends on the graph's input, where a constant is needed")
        return found.numbers().astype(np.float64)

    def _made(self, name: str) -> Constant | None:
        if name in self._stored:
            values = numpy_helper.to_array(self._stored[name])
            known = values if values.dtype.kind in "biuf" else values.astype(np.float32)
            return Constant(known, None, name)
        node = self._makers.get(name)
        if node is None:
            return None
        attributes = attributes_of(node)
        if node.op_type == "Constant":
            return Constant(np.asarray(numpy_helper.to_array(attributes["value"])), None, name)
        inner = self.find(node.input[0]) if node.input else None
        if inner is None:
            return None
        match node.op_type:
            case "Quant" | "IntQuant":
                return self._quantised(node, attributes, inner)
            case "BipolarQuant":
                signs = np.where(inner.numbers() >= 0, 1, -1)
                return Constant(signs, self.numbers(node.input[1]), inner.name)
            case "QuantizeLinear":
                scale, zero = self._linear(node, attributes, inner)
                limits = np.iinfo(zero.dtype)
                levels = np.rint(inner.numbers() / scale) + zero
                return Constant(np.clip(levels, limits.min, limits.max).astype(zero.dtype), None, inner.name)
            case "DequantizeLinear":
                scale, zero = self._linear(node, attributes, inner)
                return Constant(inner.values.astype(np.int64) - zero, scale, inner.name)
            case "Clip":
                low, high = (self.numbers(limit) if limit else edge for limit, edge in self._limits(node))
                return Constant(np.clip(inner.values, low, high).astype(inner.values.dtype), inner.scale, inner.name)
            case "Transpose":
                return inner.transposed(attributes.get("perm"))
            case "Mul":
                factor = self.find(node.input[1])
                if factor is None:
                    return None
                if inner.values.size < factor.values.size:
                    inner, factor = factor, inner
                scale = factor.numbers().astype(np.float64) * (1.0 if inner.scale is None else inner.scale)
                integers = inner.scale is not None or inner.values.dtype.kind in "bi"
                return Constant(
                    inner.values if integers else inner.values * scale, scale if integers else None, inner.name
                )
            case operator if operator in ("Identity", "Cast"):
                return inner
        raise TritweaveError(f"{node.name or name} is a {node.op_type} of constants, which is not read")

    def _quantised(self, node: NodeProto, attributes: dict[str, Any], inner: Constant) -> Constant:
        """QONNX's Quant: x / scale + zero point, rounded, clamped to so many bits."""
        scale, zero, bits = (self.numbers(name) for name in node.input[1:4])
        signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
        top = 2 ** (float(bits.max()) - signed) - 1 - (narrow and not signed)
        bottom = (-top - (not narrow)) if signed else 0.0
        rounding = attributes.get("rounding_mode", b"ROUND").decode().upper()
        if rounding not in ("ROUND", "HALF_EVEN"):
            raise TritweaveError(f"{node.name} rounds by {rounding}; ROUND is read")
        levels = np.clip(np.rint(inner.numbers() / scale + zero), bottom, top) - zero
        if (levels != np.rint(levels)).any():
            raise TritweaveError(f"{node.name} has a zero point that is no whole number")
        return Constant(levels.astype(np.int64), scale, inner.name)

    def _linear(
        self, node: NodeProto, attributes: dict[str, Any], inner: Constant
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Scale and zero point, in a shape that fits the values."""
        scale = self.numbers(node.input[1])
        found = self.find(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        zero = np.zeros(scale.shape, np.uint8 if inner.values.dtype.kind == "f" else inner.values.dtype)
        zero = zero if found is None else found.values
        if scale.ndim == 1 and scale.size > 1:
            shape = [1] * inner.values.ndim
            shape[attributes.get("axis", 1)] = scale.size
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        return scale, zero

    @staticmethod
    def _limits(node: NodeProto) -> list[tuple[str, float]]:
        names = [*node.input[1:], "", ""][:2]
        return list(zip(names, (-np.inf, np.inf), strict=True))


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """A node's attributes by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
