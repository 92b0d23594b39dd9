"""Networks of segmented matrices in integers: what is folded into the layer before, and what alignment leaves alone."""

from dataclasses import replace

import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.network import Network
from golden.quantise import quantise_activations
from golden.schemes.integer import IntegerLayer, Mantissas
from golden.schemes.network import SegmentedNetwork, forward_float, integer_network
from golden.schemes.quantisers import SCHEMES, quantise
from golden.schemes.segmented import SegmentedMatrix

SIZES = ((40, 150), (37, 40), (6, 37))


def matrices(scheme: str) -> list[SegmentedMatrix]:
    draws = np.random.default_rng(3)
    return [quantise(scheme, draws.normal(size=size)) for size in SIZES]


def images(count: int = 20) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (count, SIZES[0][1])).astype(np.uint8)


def segmented(scheme: str) -> SegmentedNetwork:
    network = integer_network("net", matrices(scheme))
    assert isinstance(network, SegmentedNetwork)
    return network


@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"b1.58", "bitnet"}))
def test_integers_follow_the_floats(scheme):
    network = segmented(scheme)
    found, units = network.forward(network.prepare(images()))
    assert found.dtype == np.int32
    floats = forward_float(matrices(scheme), images().astype(float))
    if scheme == "onebit":
        found, floats = (values / np.abs(values).max(axis=1, keepdims=True) for values in (found, floats))
        units = np.float64(1)
    # Where a quotient lies at a tie, a layer's activation differs by one step, of which atom has 15.
    steps = 15 if scheme == "atom" else 255
    np.testing.assert_allclose(found * units, floats, atol=np.abs(floats).max() * 4 / steps)


@pytest.mark.parametrize("scheme", ["b1.58", "bitnet"])
def test_one_scale_a_layer_is_a_network_without_a_scale_step(scheme):
    network = integer_network("net", matrices(scheme))
    assert isinstance(network, Network)
    values = images().astype(np.int64)
    for index, matrix in enumerate(matrices(scheme)):
        values = quantise_activations(values)[0].astype(np.int64) @ matrix.planes[0].T
        values = np.maximum(values, 0) if index < len(SIZES) - 1 else values
    np.testing.assert_array_equal(network.forward(images()).logits, values)


@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"b1.58", "bitnet"}))
@pytest.mark.parametrize("columns", [1, 5, 16])
def test_alignment_changes_no_result(scheme, columns):
    network = segmented(scheme)
    aligned = network.aligned(columns)
    for layer, before in zip(aligned.layers, network.layers, strict=True):
        assert all(end % columns == 0 for end in layer.ends[:-1])
        assert len(layer.parts) == len(before.parts)
        assert layer.bound == before.bound
    expected = network.forward(network.prepare(images()))
    found = aligned.forward(aligned.prepare(images()))
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_allclose(found.units, expected.units)


def test_the_order_of_a_layer_is_that_of_the_rows_before_it():
    draws = np.random.default_rng(5)
    first, second = (quantise("bwn", draws.normal(size=size)) for size in ((7, 9), (4, 7)))
    order = draws.permutation(7).astype(np.int32)
    ordered = replace(second, order=order, planes=second.planes[:, :, order])
    batch = draws.integers(0, 256, (5, 9)).astype(np.uint8)
    plain, folded = (integer_network("net", [first, last]) for last in (second, ordered))
    assert isinstance(plain, SegmentedNetwork)
    assert isinstance(folded, SegmentedNetwork)
    np.testing.assert_array_equal(plain.forward(batch).logits, folded.forward(batch).logits)
    np.testing.assert_array_equal(folded.layers[0].parts[0].mantissas, plain.layers[0].parts[0].mantissas[order])


def test_input_scales_are_part_of_the_scales_before_them_and_of_prepared_vectors():
    draws = np.random.default_rng(6)
    first, second = (quantise("onebit", draws.normal(size=size)) for size in ((7, 9), (4, 7)))
    network = integer_network("net", [first, second])
    assert isinstance(network, SegmentedNetwork)
    assert first.input_scales is not None
    assert second.input_scales is not None
    scales = first.scales[0, :, 0].astype(float) * second.input_scales
    part = network.layers[0].parts[0]
    np.testing.assert_allclose(part.mantissas * network.layers[0].unit, scales, rtol=1e-4)
    batch = draws.integers(0, 256, (5, 9)).astype(np.uint8)
    prepared = network.prepare(batch)
    mantissas = Mantissas.of([first.input_scales]).values[0]
    np.testing.assert_array_equal(prepared, quantise_activations(batch * mantissas)[0])
    assert prepared.dtype == network.input_type == "int8"
    np.testing.assert_array_equal(quantise_activations(prepared)[0], prepared)


def test_prepared_vectors_are_in_order_and_filled_up():
    network = segmented("atom").aligned(16)
    first = matrices("atom")[0]
    assert first.order is not None
    prepared, batch = network.prepare(images()), images()
    inner = first.ends[-1]
    start = -(-inner // 16) * 16
    np.testing.assert_array_equal(prepared[:, :inner], batch[:, first.order[:inner]])
    np.testing.assert_array_equal(prepared[:, start:], batch[:, first.order[inner:]])
    assert not prepared[:, inner:start].any()


def test_networks_that_are_none_are_refused():
    first, second, _ = matrices("onebit")
    assert second.input_scales is not None
    with pytest.raises(TritweaveError, match="layer 1 has an input scale below 0, which does not pass a ReLU"):
        integer_network("net", [first, replace(second, input_scales=-second.input_scales)])
    layers = tuple(IntegerLayer.of(quantise(name, np.ones((3, 3)))) for name in ("bwn", "xnor"))
    with pytest.raises(TritweaveError, match="activations are int8, sign; one rule for all"):
        SegmentedNetwork("net", layers, np.arange(3))
    with pytest.raises(TritweaveError, match=r"the input has shape \(20, 149\); net takes \(n, 150\)"):
        segmented("bwn").forward(images()[:, 1:])
