"""The layers of an ONNX graph that is one chain, and what stands between them."""
# pyright: reportMissingImports=false
# onnx is optional, so the types must also check where it is not installed.

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from gen.imports.onnx_constants import PASSED, Constant, Constants, attributes_of
from golden.errors import TritweaveError
from golden.files.norm import PLACES, NormSpec

READ: Final = "MatMul, Gemm, Add, Sub, Mul, Div, Relu, Quant, BatchNormalization, LayerNormalization"
_ANSWERS: Final = ("Softmax", "LogSoftmax", "ArgMax", "TopK", "Sigmoid")
_NORMS: Final = {
    "BatchNormalization": ("batch", ("weight", "bias", "running_mean", "running_var")),
    "LayerNormalization": ("layer", ("weight", "bias")),
    "RMSNormalization": ("rms", ("weight",)),
}
_BITS: Final = 8


@dataclass
class GraphLayer:
    """A layer, with what stands before it up to the layer in front."""

    name: str
    weight: Constant
    """As (outputs, inputs)."""
    bias: NDArray[np.float64] | None = None
    factor: NDArray[np.float64] | float = 1.0
    """What its results are multiplied with, beside the scale of its weights."""
    norm: NormSpec | None = None
    norm_tensors: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    relu: bool = False


class GraphChain:
    """A walk from a graph's input to its output.

    Parameters
    ----------
    graph
        The ONNX graph.

    Members
    -------
    layers
        In order.
    notes
        What was assumed or passed over, and of which operator.

    """

    def __init__(self, graph: Any):
        self._constants = Constants(graph)
        self.layers: list[GraphLayer] = []
        self.notes: list[tuple[str, str]] = []
        # What stands in front of a layer that has not come yet.
        self._norm: tuple[NormSpec, dict[str, NDArray[np.float64]]] | None = None
        self._left_out: list[str] = []
        self._factor, self._answer = 1.0, ""
        self._levels = False  # between QuantizeLinear and DequantizeLinear
        initialisers = {tensor.name for tensor in graph.initializer}
        inputs = [value.name for value in graph.input if value.name not in initialisers]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise TritweaveError(
                f"the graph has {len(inputs)} inputs and {len(graph.output)} outputs; one of each is read"
            )
        readers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        current = inputs[0]
        for _ in range(len(graph.node) + 1):
            nodes = readers.get(current, [])
            if not nodes:
                break
            if len(nodes) > 1 or current == graph.output[0].name:
                raise TritweaveError(f"{current} goes to {len(nodes)} operators; a chain, one after the other, is read")
            self._take(nodes[0], current)
            current = nodes[0].output[0]
        if current != graph.output[0].name or not self.layers:
            raise TritweaveError(
                f"the graph's chain ends at {current} with {len(self.layers)} layers, not at its output"
            )
        last = self.layers[-1]
        last.left_out += self._left_out + (["a norm after the last layer"] if self._norm else [])
        if self._factor != 1:
            last.left_out.append("a factor after the last layer")

    def _take(self, node: NodeProto, current: str) -> None:
        """One operator, whose input is what came before."""
        name = node.name or f"the {node.op_type} after {current}"
        if self._answer and node.op_type not in (*PASSED, *_ANSWERS):
            raise TritweaveError(f"{name} comes after {self._answer}, which only an answer is made with")
        match node.op_type:
            case "MatMul":
                self._layer(node, current, 1, transposed=True)
            case "Gemm":
                attributes = attributes_of(node)
                if attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1 or attributes.get("beta", 1.0) != 1:
                    raise TritweaveError(f"{name} has transA, alpha or beta, which are not read")
                self._layer(node, current, 1, transposed=not attributes.get("transB", 0))
                if len(node.input) > 2 and node.input[2]:
                    self._add(name, self._constants.numbers(node.input[2]))
            case "Add" | "Sub":
                value = self._constants.numbers(node.input[1] if node.input[0] == current else node.input[0])
                if node.op_type == "Sub" and node.input[0] != current:
                    raise TritweaveError(f"{name} subtracts from a constant, which is not read")
                self._add(name, value if node.op_type == "Add" else -value)
            case "Mul" | "Div":
                if node.op_type == "Div" and node.input[0] != current:
                    raise TritweaveError(f"{name} divides a constant, which is not read")
                value = self._constants.numbers(node.input[1] if node.input[0] == current else node.input[0])
                self._multiply(name, value if node.op_type == "Mul" else 1 / value)
            case "Relu":
                self._rectify(name)
            case operator if operator in _NORMS:
                self._normalise(node, name)
            case "Quant" | "IntQuant" | "BipolarQuant" | "QuantizeLinear":
                self._quantise(node, name)
            case "Clip" | "DequantizeLinear" if self._levels:
                self._levels = node.op_type == "Clip"
                limits = [self._constants.numbers(limit) for limit in node.input[1:3] if limit]
                if self._levels and len(limits) == 2 and float(limits[1] - limits[0]) < 2**_BITS - 2:
                    self._left_out.append(name)
            case operator if operator in _ANSWERS:
                self._answer = name
                self.notes.append(("left to whoever reads the results", name))
            case operator if operator in PASSED:
                pass
            case _:
                raise TritweaveError(f"{name} is a {node.op_type}; read are chains of {READ}")

    def _layer(self, node: NodeProto, current: str, place: int, *, transposed: bool) -> None:
        weight = self._constants.find(node.input[place])
        if node.input[0] != current or weight is None or weight.values.ndim != 2:
            raise TritweaveError(f"{node.name} does not multiply what came before with a constant matrix")
        weight = weight.transposed() if transposed else weight
        layer = GraphLayer(self._name(node, weight), weight, factor=self._factor, left_out=self._left_out)
        if self._norm:
            layer.norm, layer.norm_tensors = self._norm
        self.layers.append(layer)
        self._norm, self._left_out, self._factor = None, [], 1.0

    def _name(self, node: NodeProto, weight: Constant) -> str:
        """The name of the weights, or that of the operator where an exporter made that up."""
        name = weight.name.removesuffix(".weight")
        if "::" in name or not name:
            name = (
                node.name.strip("/").removesuffix(node.op_type).strip("/").replace("/", ".")
                or f"layer{len(self.layers)}"
            )
        taken = {layer.name for layer in self.layers}
        return name if name not in taken else f"{name}.{len(self.layers)}"

    def _fresh(self) -> GraphLayer | None:
        """The last layer, if nothing but its bias and factor came after it."""
        last = self.layers[-1] if self.layers else None
        return last if last and not (last.relu or self._norm or self._factor != 1 or self._left_out) else None

    def _add(self, name: str, value: NDArray[np.float64]) -> None:
        layer = self._fresh()
        if layer is None:
            self._left_out.append(name)
            return
        outputs = len(layer.weight.values)
        if value.size not in (1, outputs):
            raise TritweaveError(f"{name} adds {value.size} values to {outputs}")
        value = np.broadcast_to(value.reshape(-1), outputs)
        layer.bias = value if layer.bias is None else layer.bias + value

    def _multiply(self, name: str, value: NDArray[np.float64]) -> None:
        layer = self._fresh()
        positive = bool((value > 0).all() and np.isfinite(value).all())
        if layer is not None and positive and value.size in (1, len(layer.weight.values)):
            layer.factor = layer.factor * value.reshape(-1)
            layer.bias = None if layer.bias is None else layer.bias * value.reshape(-1)
        elif value.size == 1 and positive and self._norm is None:
            self._factor *= float(value.reshape(-1)[0])
            self.notes.append(("taken into the scale of the next layer, whose quantiser takes any scale", name))
        else:
            self._left_out.append(name)

    def _rectify(self, name: str) -> None:
        if not self.layers or (self._norm and self._norm[0].place != PLACES[1]):
            self._left_out.append(name)
        else:
            self.layers[-1].relu = True

    def _normalise(self, node: NodeProto, name: str) -> None:
        kind, parts = _NORMS[node.op_type]
        attributes = attributes_of(node)
        if self._norm or self._factor != 1 or attributes.get("axis", -1) not in (-1, 1):
            raise TritweaveError(f"{name} is a norm after a norm or a factor, or along another axis, which is not read")
        # Before the first layer, and after an activation, there is only the quantiser left to stand in front of.
        place = PLACES[1] if self.layers and not self.layers[-1].relu else PLACES[0]
        found = zip(parts, node.input[1:], strict=False)
        tensors = {part: self._constants.numbers(constant).reshape(-1) for part, constant in found if constant}
        self._norm = NormSpec(kind, float(attributes.get("epsilon", 1e-5)), place), tensors

    def _quantise(self, node: NodeProto, name: str) -> None:
        """A quantiser of activations: the engine has one of its own, of 8 bits."""
        bits = float(_BITS)
        self._levels = node.op_type == "QuantizeLinear"
        if node.op_type == "BipolarQuant":
            bits = 1.0
        elif not self._levels:
            bits = float(self._constants.numbers(node.input[3]).max())
        if bits >= _BITS:
            self.notes.append(("the engine's own quantiser takes its place", name))
        else:
            self._left_out.append(name)
