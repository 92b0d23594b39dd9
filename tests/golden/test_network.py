from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.network import Layer, Network

FIRST = Layer(np.array([[1, -1, 0], [0, 1, 1], [-1, -1, 1]], np.int8), 0.5, relu=True)
SECOND = Layer(np.array([[1, 1, -1], [-1, 0, 1]], np.int8), 0.25, relu=False)
TINY = Network("tiny-2", (FIRST, SECOND), "uint8", 2.0)

positive = st.floats(1e-3, 1e3)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))
    layers = []
    for inputs, outputs in pairwise(sizes):
        trits = draw(st.lists(st.integers(-1, 1), min_size=inputs * outputs, max_size=inputs * outputs))
        weights = np.array(trits, np.int8).reshape(outputs, inputs)
        layers.append(Layer(weights, draw(positive), draw(st.booleans())))
    return Network("drawn", tuple(layers), draw(st.sampled_from(["uint8", "int8"])), draw(positive))


def evaluate(network: Network, values: list[int]) -> tuple[list[list[int]], Fraction]:
    """The network in plain integers and fractions: every layer's result, and the unit of the last."""
    results, unit = [], Fraction(network.input_unit)
    for layer in network.layers:
        maximum = max(map(abs, values)) or 1
        quantised = [round(Fraction(127 * value, maximum)) for value in values]
        values = [sum(w * q for w, q in zip(row, quantised, strict=True)) for row in layer.weights.tolist()]
        values = [max(value, 0) for value in values] if layer.relu else values
        unit *= Fraction(layer.scale) * maximum / 127
        results.append(values)
    return results, unit


def test_a_network_worked_by_hand():
    # First vector: 127·(10, 20, 40)/40 = 31.75, 63.5, 127 → 32, 64, 127; sums -32, 191, 31; after ReLU 0, 191, 31.
    # Then 127·(0, 191, 31)/191 = 0, 127, 20.6 → 0, 127, 21; logits 127 - 21 and 21.
    result = TINY.forward(np.array([[10, 20, 40], [0, 0, 0]], np.uint8))
    assert result.logits.dtype == np.int32
    assert result.logits.tolist() == [[106, 21], [0, 0]]
    assert result.units.shape == (2, 1)
    assert result.units[:, 0].tolist() == pytest.approx([0.25 * 40 * 191 / 127**2, 0.25 / 127**2], rel=1e-15)


def test_the_results_of_every_layer_are_after_its_relu():
    results, units = TINY.forward_layers(np.array([[10, 20, 40]], np.uint8))
    assert [result.tolist() for result in results] == [[[0, 191, 31]], [[106, 21]]]
    np.testing.assert_array_equal(units, TINY.forward(np.array([[10, 20, 40]], np.uint8)).units)


def test_signed_inputs_reach_minus_128():
    network = Network("n", (Layer(np.array([[1, 0], [0, 1]], np.int8), 1.0, relu=False),), "int8", 1.0)
    result = network.forward(np.array([[-128, 127]], np.int8))
    assert result.logits.tolist() == [[-127, 126]]
    assert result.units.tolist() == [[128 / 127]]


@given(st.data())
def test_a_network_equals_its_evaluation_in_plain_integers(data):
    network = data.draw(networks())
    values = st.integers(0, 255) if network.input_type == "uint8" else st.integers(-128, 127)
    size = network.layers[0].inputs
    batch = data.draw(st.lists(st.lists(values, min_size=size, max_size=size), min_size=1, max_size=3))
    array = np.array(batch, network.input_type)
    layers, units = network.forward_layers(array)
    for index, vector in enumerate(batch):
        expected, unit = evaluate(network, vector)
        assert [layer[index].tolist() for layer in layers] == expected
        assert units[index, 0] == pytest.approx(float(unit), rel=1e-12)
    assert network.forward(array).logits.tolist() == layers[-1].tolist()


def test_sizes_of_layers_and_network():
    assert (FIRST.inputs, FIRST.outputs, SECOND.inputs, SECOND.outputs) == (3, 3, 3, 2)
    assert TINY.trits == 9 + 6


def test_a_layer_keeps_its_own_weights_as_int8():
    weights = np.array([[1.0, -1.0]])
    layer = Layer(weights, 1.0, relu=False)
    weights[0, 0] = 0.0
    assert layer.weights.dtype == np.int8
    assert layer.weights.tolist() == [[1, -1]]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros((1, 3), np.int8), "the input has dtype int8; tiny-2 takes uint8"),
        (np.zeros((1, 3), np.float32), "the input has dtype float32; tiny-2 takes uint8"),
        (np.zeros((1, 4), np.uint8), r"the input has shape \(1, 4\); tiny-2 takes \(n, 3\)"),
        (np.zeros((0, 3), np.uint8), r"the input has shape \(0, 3\); tiny-2 takes \(n, 3\), n at least 1"),
        (np.zeros(3, np.uint8), r"the input has shape \(3,\); tiny-2 takes \(n, 3\)"),
        (np.zeros((1, 1, 3), np.uint8), r"the input has shape \(1, 1, 3\); tiny-2 takes \(n, 3\)"),
    ],
)
def test_a_batch_of_the_wrong_kind_is_refused(batch, message):
    with pytest.raises(TritweaveError, match=message):
        TINY.forward(batch)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(3, np.int8), r"weights have shape \(3,\)"),
        (np.zeros((0, 3), np.int8), r"weights have shape \(0, 3\)"),
        (np.zeros((3, 0), np.int8), r"weights have shape \(3, 0\)"),
        (np.zeros((1, 1, 1), np.int8), r"weights have shape \(1, 1, 1\)"),
        (np.array([[0, 1], [1, 2]], np.int8), r"weights hold 2 at \[1, 1\]; a trit is -1, 0 or \+1"),
        (np.array([[0.0, np.nan]]), r"weights hold nan at \[0, 1\]; a trit is -1, 0 or \+1"),
        (np.array([[True]]), "weights have dtype bool"),
    ],
)
def test_weights_that_no_layer_has_are_refused(weights, message):
    with pytest.raises(TritweaveError, match=message):
        Layer(weights, 1.0, relu=False)


@pytest.mark.parametrize("value", [0.0, -0.5, float("nan"), float("inf")])
def test_scale_and_unit_are_finite_and_above_zero(value):
    with pytest.raises(TritweaveError, match=f"the weight scale is {value}; it must be finite and above 0"):
        Layer(np.ones((1, 1), np.int8), value, relu=False)
    with pytest.raises(TritweaveError, match=f"the input unit is {value}; it must be finite and above 0"):
        Network("n", (FIRST,), "uint8", value)


@pytest.mark.parametrize(
    ("name", "layers", "input_type", "message"),
    [
        ("", (FIRST,), "uint8", "the network's name is ''; letters, digits, '-' and '_' are allowed"),
        ("a b", (FIRST,), "uint8", "the network's name is 'a b'"),
        ("../a", (FIRST,), "uint8", "the network's name is '../a'"),
        ("-_", (FIRST,), "uint8", "the network's name is '-_'"),
        ("n", (FIRST,), "int16", "the input type is 'int16'; it is uint8 or int8"),
        ("n", (), "uint8", "the network has no layers; it needs at least one"),
        ("n", (FIRST, SECOND, FIRST), "uint8", "layer 1 gives 2 values where layer 2 takes 3"),
    ],
)
def test_networks_that_cannot_be_are_refused(name, layers, input_type, message):
    with pytest.raises(TritweaveError, match=message):
        Network(name, layers, input_type)
