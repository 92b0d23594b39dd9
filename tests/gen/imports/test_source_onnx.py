"""Graphs that the tests build, and those that Brevitas wrote: see tests/interop/make_onnx_fixtures.py."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gen.imports.importing import Chain, Imported, import_layers
from gen.imports.opening import open_source
from gen.imports.sources import Source
from golden.errors import TritweaveError
from support.networks import plain_network

FIXTURES = Path(__file__).parents[2] / "data" / "onnx"
RANDOM = np.random.default_rng(15)
FIRST, SECOND = (RANDOM.integers(-1, 2, shape).astype(np.float32) for shape in ((5, 6), (4, 5)))
QONNX = "qonnx.custom_op.general"


def graph(path: Path, steps: Sequence[tuple[Any, ...]], **constants: Any) -> Path:
    """A chain from x: each step is an operator, its inputs' names, and its attributes; ``_`` stands for the chain."""
    nodes, current = [], "x"
    for index, (operator, names, *attributes) in enumerate(steps):
        options = dict(attributes[0]) if attributes else {}
        made = options.pop("makes", None)
        inputs = [current if name == "_" else name for name in names]
        output = made or f"t{index}"
        domain = QONNX if operator.endswith("Quant") else ""
        nodes.append(helper.make_node(operator, inputs, [output], f"n{index}", domain=domain, **options))
        current = current if made else output
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", current)]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], stored))
    onnx.save(model, path)
    return path


def imported(path: Path) -> tuple[Imported, Source]:
    source = open_source(path)
    result = import_layers(source, source.select(), path.parent / "out", Chain("x"))
    return result, open_source(path.parent / "out")


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize("name", ["qonnx", "qonnx-two-bits", "qcdq"])
def test_layers_of_a_network_that_brevitas_wrote(tmp_path, name):
    expected = np.load(FIXTURES / f"{name}.npz")
    source = open_source(FIXTURES / f"{name}.onnx")
    names = source.select()
    assert len(names) == 3
    layers = [source.read(layer) for layer in names]
    for index, layer in enumerate(layers):
        np.testing.assert_array_equal(layer.trits * layer.scale, expected[f"weight{index}"])
    np.testing.assert_array_equal(layers[1].bias, expected["bias1"])
    norm = layers[1].norm
    assert norm is not None
    assert norm.spec == ("batch", pytest.approx(1e-5), "activation")
    assert source.activations(names) == ["relu", "relu", "none"]
    assert source.left_out(names) == []
    result = import_layers(source, names, tmp_path / "out", Chain("x"))
    assert any("the engine's own quantiser takes its place" in note for note in result.notes)
    assert result.obstacle is None


def test_a_chain_of_matrices_and_relu_is_a_network(tmp_path):
    steps = [("MatMul", "_a"), ("Relu", "_"), ("Gemm", "_b", {"transB": 1}), ("Identity", "_"), ("Softmax", "_")]
    result, _ = imported(graph(tmp_path / "x.onnx", steps, a=FIRST.T * floats(0.5), b=SECOND))
    assert result.obstacle is None
    network = plain_network(tmp_path / "out")
    assert [(layer.scale, layer.relu) for layer in network.layers] == [(0.5, True), (1, False)]
    for layer, trits in zip(network.layers, (FIRST, SECOND), strict=True):
        np.testing.assert_array_equal(layer.weights, trits)
    assert "n4: left to whoever reads the results" in result.notes


def test_factors_belong_to_the_scales_and_constants_to_the_bias(tmp_path):
    steps = [
        *[("Div", "_i"), ("MatMul", "_a"), ("Mul", "_m"), ("Add", "_c"), ("Sub", "_d"), ("Mul", "_m")],
        *[("Relu", "_"), ("Mul", "_m"), ("MatMul", "_b"), ("Mul", "_r")],
    ]
    factors = {"i": floats(4), "m": floats(0.5), "r": floats(1, 2, 3, 4)}
    summands = {"c": floats(1, 2, 3, 4, 5), "d": floats(0.25)}
    path = graph(tmp_path / "x.onnx", steps, a=FIRST.T, b=SECOND.T, **factors, **summands)
    _, source = imported(path)
    first, second = source.read("a"), source.read("b")
    assert first.scale.tolist() == [1 / 4 / 2 / 2]
    assert first.bias is not None
    assert first.bias.tolist() == [0.375, 0.875, 1.375, 1.875, 2.375]
    assert second.scale[:, 0].tolist() == [0.5, 1, 1.5, 2]


@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("scale", [floats(0.25), floats(0.25, 0.5, 1, 2, 4)[:, None]])
def test_weights_behind_a_quantiser(tmp_path, narrow, scale):
    weights = FIRST * scale * 1.1 + 0.01 * scale
    steps = [
        ("Quant", ["w", "s", "z", "n"], {"makes": "q", "signed": 1, "narrow": narrow, "rounding_mode": "ROUND"}),
        ("Transpose", ["q"], {"makes": "t", "perm": [1, 0]}),
        ("MatMul", ["_", "t"]),
    ]
    path = graph(tmp_path / "x.onnx", steps, w=weights, s=scale, z=floats(0), n=floats(2))
    layer = imported(path)[1].read("w")
    np.testing.assert_array_equal(layer.trits, FIRST)
    np.testing.assert_array_equal(layer.scale.reshape(-1), scale.reshape(-1))


def test_signs_are_weights_too(tmp_path):
    steps = [("BipolarQuant", ["w", "s"], {"makes": "q"}), ("MatMul", ["_", "q"])]
    layer = imported(graph(tmp_path / "x.onnx", steps, w=FIRST.T - 0.5, s=floats(0.5)))[1].read("w")
    np.testing.assert_array_equal(layer.trits, np.where(FIRST > 0.5, 1, -1))
    assert layer.scale.tolist() == [0.5]


def vectors(*names: str) -> dict[str, np.ndarray]:
    return {name: RANDOM.uniform(1, 2, 5).astype(np.float32) for name in names}


@pytest.mark.parametrize("first", ["norm", "relu"])
@pytest.mark.parametrize(
    ("operator", "names", "kind"), [("BatchNormalization", "gbmv", "batch"), ("LayerNormalization", "gb", "layer")]
)
def test_norms_stand_where_the_graph_has_them(tmp_path, first, operator, names, kind):
    norm, relu = (operator, ["_", *names], {"epsilon": 0.125}), ("Relu", "_")
    between = [norm, relu] if first == "norm" else [relu, norm]
    constants = vectors(*names)
    steps = [("MatMul", ["_", "W1"]), *between, ("MatMul", ["_", "W2"])]
    result, source = imported(graph(tmp_path / "x.onnx", steps, W1=FIRST.T, W2=SECOND.T, **constants))
    layer = source.read("W2")
    assert layer.norm is not None
    assert layer.norm.spec == (kind, 0.125, "activation" if first == "norm" else "quantiser")
    for vector, name in zip(
        (layer.norm.gain, layer.norm.bias, layer.norm.mean, layer.norm.variance), "gbmv", strict=True
    ):
        np.testing.assert_array_equal(vector, constants.get(name))
    assert result.left_out == []
    # The first layer has no norm, and behind the ReLU a BatchNorm is no part of it.
    assert (result.obstacle is None) == (kind == "batch" and first == "norm")


@pytest.mark.parametrize(
    ("steps", "left_out"),
    [
        ([("MatMul", "_a"), ("Quant", "_szf", {"signed": 0}), ("MatMul", "_b")], ["n1"]),
        ([("MatMul", "_a"), ("BipolarQuant", "_s"), ("MatMul", "_b")], ["n1"]),
        ([("Sub", "_s"), ("MatMul", "_a")], ["n0"]),
        ([("Relu", "_"), ("MatMul", "_a")], ["n0"]),
        ([("MatMul", "_a"), ("Relu", "_"), ("Mul", "_s")], ["a factor after the last layer"]),
        ([("MatMul", "_a"), ("BatchNormalization", "_gbmv")], ["a norm after the last layer"]),
    ],
)
def test_what_has_no_place_is_named(tmp_path, steps, left_out):
    constants = vectors(*"gmv") | {"s": floats(0.5), "z": floats(0), "f": floats(4)}
    path = graph(
        tmp_path / "x.onnx",
        steps,
        a=FIRST.T,
        **({"b": SECOND.T} if steps[-1][1] == "_b" else {"b": floats(*[1] * 5)}),
        **constants,
    )
    result, _ = imported(path)
    assert result.left_out == left_out
    with pytest.raises(TritweaveError, match=f"{left_out[0]} of the source has no place in the layers"):
        plain_network(tmp_path / "out")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([("Conv", "_a")], "n0 is a Conv; read are chains of MatMul, Gemm, Add"),
        ([("MatMul", "a_")], "n0 does not multiply what came before with a constant matrix"),
        ([("MatMul", "__")], "x goes to 2 operators; a chain, one after the other, is read"),
        ([("Gemm", "_a", {"alpha": 2.0})], "n0 has transA, alpha or beta, which are not read"),
        ([("Relu", "_")], "the graph's chain ends at t0 with 0 layers"),
        ([("MatMul", "_a"), ("Softmax", "_"), ("MatMul", "_b")], "n2 comes after n1, which only an answer"),
        ([("Exp", "a", {"makes": "e"}), ("MatMul", "_e")], "n0 is a Exp of constants, which is not read"),
        ([("Quant", "aszf", {"makes": "q"}), ("MatMul", "_q")], "a has weights of more than one trit: "),
        ([("Quant", "aszf", {"makes": "q", "rounding_mode": "FLOOR"}), ("MatMul", "_q")], "n0 rounds by FLOOR; ROUND"),
    ],
)
def test_graphs_that_are_no_chain_are_refused(tmp_path, steps, message):
    constants = {"s": floats(0.25), "z": floats(0), "f": floats(4)}
    with pytest.raises(TritweaveError, match=f"x.onnx: {message}"):
        open_source(graph(tmp_path / "x.onnx", steps, a=FIRST.T, b=SECOND.T, **constants))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x07\x12"])
def test_a_file_that_is_no_graph_is_named(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(TritweaveError, match=f"{tmp_path}/x.onnx"):
        open_source(tmp_path / "x.onnx")


def test_latent_floats_are_quantised_with_a_warning(tmp_path):
    path = graph(tmp_path / "x.onnx", [("MatMul", "_a")], a=RANDOM.normal(size=(6, 5)).astype(np.float32))
    result, _ = imported(path)
    assert result.notes[-1].startswith("warning: 1 of the layers was never ternary")


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    path = graph(tmp_path / "x.onnx", [("MatMul", "_a")], a=FIRST.T)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        TritweaveError, match=r"x.onnx is ONNX, which needs a package more: pip install 'tritweave\[onn"
    ):
        open_source(path)
