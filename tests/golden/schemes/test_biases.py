"""Biases as parts over a constant that layers hand on: against the equation, and against integers written out."""

from dataclasses import replace

import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.network import Network
from golden.schemes.alone import distance
from golden.schemes.file import MatrixSpec, read_scheme, write_scheme
from golden.schemes.network import SegmentedNetwork, forward_float, integer_network
from golden.schemes.quantisers import quantise
from golden.schemes.segmented import SegmentedMatrix

SIZES = ((40, 150), (37, 40), (6, 37))
UNIT = 1 / 255


def matrices(scheme: str, size: float, seed: int = 3) -> list[SegmentedMatrix]:
    draws = np.random.default_rng(seed)
    made = [quantise(scheme, draws.normal(size=shape) * np.sqrt(2 / shape[1])) for shape in SIZES]
    return [replace(matrix, bias=(draws.normal(size=matrix.outputs) * size).astype(np.float32)) for matrix in made]


def binary(seed: int = 5) -> list[SegmentedMatrix]:
    first, *others = matrices("bwn", 0.5, seed)
    return [replace(first, activations="static"), *(replace(matrix, activations="binary") for matrix in others)]


def images(count: int = 30) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (count, SIZES[0][1])).astype(np.uint8)


def segmented(made: list[SegmentedMatrix]) -> SegmentedNetwork:
    network = integer_network("net", made, input_unit=UNIT)
    assert isinstance(network, SegmentedNetwork)
    return network


def test_one_layer_by_hand():
    made = SegmentedMatrix(
        np.array([[[1, -1], [0, 1]]], np.int8),
        np.array([[[2], [2]]], np.float32),
        (2,),
        bias=np.array([0.5, -1], np.float32),
    )
    network = integer_network("net", [made], input_unit=0.5)
    assert isinstance(network, SegmentedNetwork)
    # The constant is worth 255 · 0.5, and the biases over it are 0.5 / 127.5 and -1 / 127.5; the largest real is 2.
    (layer,) = network.layers
    assert [part.mantissas.tolist() for part in layer.parts] == [[32767, 32767], [64, -128]]
    assert (layer.rule, layer.ends, network.constant) == ("int8-groups", (2, 3), 255)
    prepared = network.prepare(np.array([[100, 40]], np.uint8))
    assert prepared.tolist() == [[100, 40, 255]]
    # q = 127, 51 | 127; the largest magnitude is 255, so the factors are 100 and 255, times 128.
    sums = [(76 * 100 * 32767 + 127 * 255 * 64) * 128, (51 * 100 * 32767 - 127 * 255 * 128) * 128]
    shift = layer.shift
    assert network.forward(prepared).logits.tolist() == [[(total + (1 << shift >> 1)) >> shift for total in sums]]


@pytest.mark.parametrize("size", [0.01, 0.3, 3, 100])
@pytest.mark.parametrize("scheme", ["b1.58", "bwn", "group64", "billm"])
def test_integers_follow_the_floats(scheme, size):
    made = matrices(scheme, size)
    network = segmented(made)
    assert network.rule == "int8-groups"
    found, units = network.forward(network.prepare(images()))
    floats = forward_float(made, images() * UNIT)
    np.testing.assert_allclose(found * units, floats, atol=np.abs(floats).max() * 4 / 255)
    values, unit = images().astype(np.int64), np.full((1, 1), UNIT)
    # Segments have a largest magnitude each where there is a bias, so they are not what the float form has.
    assert distance(made[0], values, unit) < (1e-3 if len(made[0].ends) == 1 else 1e-2)


def test_a_binary_network_s_thresholds_are_those_of_its_floats():
    made = binary()
    network = segmented(made)
    assert (network.rule, network.input_type, network.source_type, network.constant) == ("binary", "int8", "uint8", 127)
    found, units = network.forward(network.prepare(images()))
    floats = forward_float(made, images() * UNIT)
    np.testing.assert_allclose(found * units, floats, atol=np.abs(floats).max() * 4e-3)
    hidden = forward_float(made[:1], images() * UNIT)
    values = network.layers[0].forward(network.prepare(images()), network.shift).values
    assert (values[:, -1] > 0).all()
    np.testing.assert_array_equal(values[:, :-1] >= 0, hidden >= 0)


@pytest.mark.parametrize("kind", ["bwn", "group64", "binary"])
@pytest.mark.parametrize("columns", [1, 5, 16])
def test_alignment_changes_no_result(kind, columns):
    network = segmented(binary() if kind == "binary" else matrices(kind, 0.3))
    aligned = network.aligned(columns)
    assert all(end % columns == 0 for layer in aligned.layers for end in layer.ends[:-1])
    expected = network.forward(network.prepare(images()))
    found = aligned.forward(aligned.prepare(images()))
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_allclose(found.units, expected.units)


def test_the_constant_ends_with_the_last_bias():
    first, second, third = matrices("bwn", 0.3)
    network = segmented([first, replace(second, bias=None), replace(third, bias=None)])
    assert [layer.outputs for layer in network.layers] == [40, 37, 6]
    assert [layer.ends for layer in network.layers] == [(150, 151), (40,), (37,)]
    network = segmented([replace(first, bias=None), second, replace(third, bias=None)])
    assert [layer.outputs for layer in network.layers] == [41, 37, 6]
    found, units = network.forward(network.prepare(images()))
    floats = forward_float([replace(first, bias=None), second, replace(third, bias=None)], images() * UNIT)
    np.testing.assert_allclose(found * units, floats, atol=np.abs(floats).max() * 4 / 255)


def test_nothing_is_paid_where_there_is_no_bias():
    made = [replace(matrix, bias=None) for matrix in matrices("b1.58", 0)]
    assert isinstance(integer_network("net", made), Network)


def test_a_relu_keeps_the_constant_and_order_and_scales_go_with_the_bias():
    first, second, _ = matrices("bwn", 0.3)
    order = np.random.default_rng(1).permutation(40).astype(np.int32)
    scales = np.full(40, 2, np.float32)
    plain, folded = ([replace(first), last] for last in (second, replace(second, order=order, input_scales=scales)))
    folded[1] = replace(folded[1], planes=second.planes[:, :, order])
    logits = [net.forward(net.prepare(images())) for net in map(segmented, (plain, folded))]
    reals = [found * units for found, units in logits]
    assert second.bias is not None
    # Twice the input is twice the result, less the bias.
    np.testing.assert_allclose(reals[1] - second.bias, 2 * (reals[0] - second.bias), atol=0.02 * np.abs(reals[0]).max())


def test_biases_without_a_unit_or_a_place_are_refused():
    first, second, third = matrices("onebit", 0.3)
    with pytest.raises(TritweaveError, match="layer 0 has input scales, with which its inputs have no unit to add"):
        integer_network("net", [first, second, third])
    atom = quantise("atom", np.random.default_rng(1).normal(size=(40, 150)))
    with pytest.raises(TritweaveError, match="a layer with a side path has no place for a constant"):
        integer_network("net", [replace(atom, order=None), second])


def test_a_first_layer_of_signs_alone_is_refused():
    with pytest.raises(TritweaveError, match="the first layer's activations are binary; an engine takes them static"):
        integer_network("net", binary()[1:])


def test_a_scheme_file_keeps_biases(tmp_path):
    made = binary()
    specs = [MatrixSpec(f"l{index}", matrix.outputs, matrix.structure) for index, matrix in enumerate(made)]
    write_scheme(tmp_path / "x", "xnor", "a test", specs, made)
    opened = read_scheme(tmp_path / "x")
    for name, matrix in zip(opened.specs, made, strict=True):
        read = opened.read(name)
        np.testing.assert_array_equal(read.bias, matrix.bias)
        assert read.activations == matrix.activations
