"""Layers of layer files as networks: norms as factors and addends of the rows before them."""

from pathlib import Path

import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.files.layer_file import TernaryLayer, write_layers
from golden.files.norm import Norm, NormSpec
from golden.network import Network
from golden.quantise import quantise_activations
from golden.schemes.layers import matrices_of, obstacle, read_network
from golden.schemes.network import SegmentedNetwork

RANDOM = np.random.default_rng(8)
METADATA = {"source": "a test", "name": "n", "input_type": "uint8", "input_unit": repr(1 / 255)}


def layer(name: str, outputs: int, inputs: int, **parts) -> TernaryLayer:
    trits = RANDOM.integers(-1, 2, (outputs, inputs)).astype(np.int8)
    return TernaryLayer(name, trits, parts.pop("scale", np.array([0.5], np.float32)), **parts)


def vector(length: int) -> np.ndarray:
    return RANDOM.normal(size=length).astype(np.float32)


def batch_norm(length: int, place: str = "activation") -> Norm:
    return Norm(NormSpec("batch", 0.25, place), vector(length), vector(length), vector(length), vector(length) ** 2)


def network(path: Path, *layers: TernaryLayer, activations: str) -> SegmentedNetwork:
    write_layers(path, [layer.spec for layer in layers], layers, METADATA | {"activations": activations})
    found = read_network(path)
    assert isinstance(found, SegmentedNetwork)
    return found


def test_a_batch_norm_is_factors_and_addends_of_the_rows_before_it():
    norm = Norm(NormSpec("batch", 1, "activation"), *np.array([[4, -2], [1, 2], [3, 5], [3, 0]], np.float32))
    first, second = layer("a", 2, 3, bias=np.array([1, 2], np.float32)), layer("b", 1, 2, norm=norm)
    folded, after = matrices_of([first, second], [True, False])
    # Over the root of variance and 1: gains of 2 and -2.
    assert folded.scales.tolist() == [[[1], [-1]]]
    assert folded.bias is not None
    assert folded.bias.tolist() == [(1 - 3) * 2 + 1, (2 - 5) * -2 + 2]
    assert after.bias is None


@pytest.mark.parametrize("place", ["activation", "quantiser"])
def test_layers_with_biases_and_batch_norms_follow_their_definition(tmp_path, place):
    layers = [
        layer("a", 20, 30, bias=vector(20), scale=np.abs(vector(20))[:, None]),
        layer("b", 10, 20, bias=vector(10), norm=batch_norm(20, place), scale=np.abs(vector(10))[:, None]),
        layer("c", 5, 10, norm=batch_norm(10, place)),
    ]
    relu = place == "activation"
    found = network(tmp_path / "x", *layers, activations="relu,relu,none" if relu else "none,none,none")
    batch = RANDOM.integers(0, 256, (40, 30)).astype(np.uint8)
    values = batch / 255
    for item in layers:
        if item.norm:
            norm = item.norm
            assert norm.bias is not None
            assert norm.mean is not None
            assert norm.variance is not None
            values = (values - norm.mean) / np.sqrt(norm.variance + norm.spec.epsilon) * norm.gain + norm.bias
            values = np.maximum(values, 0) if relu else values
        peak = np.abs(values).max(axis=1, keepdims=True)
        weights = item.trits * item.scale
        values = np.rint(127 * values / peak) * peak / 127 @ weights.T + (0 if item.bias is None else item.bias)
    logits, units = found.forward(found.prepare(batch))
    np.testing.assert_allclose(logits * units, values, atol=np.abs(values).max() * 4 / 255)


def test_gains_of_an_rms_norm_are_scales_of_rows_and_signs_of_weights(tmp_path):
    norm = Norm(NormSpec("rms", 1e-6), np.array([2, -1, 0.5], np.float32))
    first, second = layer("a", 3, 4), layer("b", 2, 3, norm=norm)
    found = network(tmp_path / "x", first, second, activations="relu,none")
    batch = RANDOM.integers(0, 256, (30, 4)).astype(np.uint8)
    hidden = np.maximum(quantise_activations(batch)[0].astype(int) @ first.trits.T, 0)
    normed = quantise_activations(hidden * np.array([4, -2, 1]))[0].astype(int)
    logits = found.forward(batch).logits
    expected = normed @ second.trits.T
    # Mantissas of 2 : 1 : 0.5 are not exact, so a quotient near a tie may round the other way.
    assert np.isclose(logits / np.abs(logits).max(), expected / np.abs(expected).max(), atol=2 / 127).all()


def test_two_scales_a_layer_are_a_network(tmp_path):
    found = network(tmp_path / "x", layer("a", 3, 4, scale=np.array([[1], [2], [4]], np.float32)), activations="none")
    (only,) = found.layers
    assert only.parts[0].mantissas.tolist() == [8192, 16384, 32767]


def test_layer_norms_and_biases_that_count_in_sums_are_the_engine_s_own(tmp_path):
    layers = [
        layer("a", 8, 12, norm=Norm(NormSpec("layer", 1e-5), vector(12), vector(12)), bias=vector(8) * 40),
        layer("b", 3, 8, norm=Norm(NormSpec("layer", 1e-5), vector(8), vector(8)), bias=vector(3) * 40),
    ]
    metadata = METADATA | {"activations": "relu,none", "bias_unit": "sums"}
    write_layers(tmp_path / "x", [item.spec for item in layers], layers, metadata)
    found = read_network(tmp_path / "x")
    assert isinstance(found, Network)
    values = RANDOM.integers(0, 256, (40, 12)).astype(np.uint8)
    reals: np.ndarray = values / 255
    for item in layers:
        assert item.norm is not None
        assert item.norm.bias is not None
        assert item.bias is not None
        deviation = np.sqrt(reals.var(axis=1, keepdims=True))
        normal = (reals - reals.mean(axis=1, keepdims=True)) / deviation * item.norm.gain + item.norm.bias
        peak = np.abs(normal).max(axis=1, keepdims=True)
        sums = np.rint(127 * normal / peak) @ item.trits.T + np.rint(item.bias)
        reals = sums * peak / 127 * 0.5 if item is layers[1] else np.maximum(sums, 0) * peak / 127 * 0.5
    logits, units = found.forward(values)
    np.testing.assert_allclose(logits * units, reals, atol=np.abs(reals).max() * 4 / 127)


@pytest.mark.parametrize(
    ("change", "unit", "message"),
    [
        ({}, "sums", None),
        ({"bias": True}, "results", "and a real bias, for which an engine has no place yet; --bias-unit sums where"),
        ({"norm": None}, "sums", "b has no LayerNorm where others have; on an engine all layers have one, or none"),
        ({"norm": NormSpec("rms", 1.0)}, "sums", "b has a RMSNorm (epsilon 1) in front of its quantiser, for which"),
        ({"groups": 1}, "sums", "b has scales of rows, for which an engine has no place yet beside these norms"),
        ({}, "reals", "the bias unit is 'reals'; it is one of results, sums"),
    ],
)
def test_what_does_not_go_with_layer_norms_is_named(change, unit, message):
    normed = NormSpec("layer", 1e-5)
    specs = [layer(name, 3, 3).spec._replace(norm=normed) for name in "ab"]
    found = obstacle([specs[0], specs[1]._replace(**change)], [True, False], (), unit)
    assert (found is None) == (message is None)
    assert (message or "") in (found or "")


@pytest.mark.parametrize(
    ("norm", "relu", "bias", "message"),
    [
        (NormSpec("batch", 1.0), True, False, r"b has a BatchNorm \(epsilon 1\) in front of its quantiser, for which"),
        (NormSpec("batch", 1.0), False, True, ""),
        (NormSpec("batch", 1.0, "activation"), True, True, ""),
        (NormSpec("rms", 1.0), True, False, ""),
        (NormSpec("rms", 1.0), True, True, r"b has a RMSNorm \(epsilon 1\) in front of its quantiser, and b behind it"),
        (NormSpec("layer", 1.0), True, False, "a has no LayerNorm where others have; on an engine all layers have one"),
        (
            NormSpec("layer", 1.0, "activation"),
            True,
            False,
            r"b has a LayerNorm \(epsilon 1\) in front of the activation before it, for which",
        ),
    ],
)
def test_what_the_rows_before_cannot_do_is_named(norm, relu, bias, message):
    specs = [layer("a", 3, 4).spec, layer("b", 2, 3).spec._replace(norm=norm, bias=bias)]
    found = obstacle(specs, [relu, False])
    assert (found or "").startswith(message.replace("\\", ""))
    assert bool(found) == bool(message)


def test_a_norm_before_the_first_layer_is_named():
    spec = layer("a", 3, 4).spec._replace(norm=NormSpec("batch", 1.0))
    assert "a has a BatchNorm" in str(obstacle([spec], [False]))


def test_gains_of_nothing_but_zeros_are_an_error(tmp_path):
    norm = Norm(NormSpec("rms", 1e-6), np.zeros(4, np.float32))
    write_layers(
        tmp_path / "x", [(first := layer("a", 3, 4, norm=norm)).spec], [first], METADATA | {"activations": "none"}
    )
    with pytest.raises(TritweaveError, match="all input scales are 0"):
        read_network(tmp_path / "x")
