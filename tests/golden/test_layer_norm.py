"""LayerNorm in integers: against its equation in Python's own integers, and against its definition in floats."""

from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.layer_norm import LayerNorm, floor_roots, shift_for
from golden.network import Layer, Network
from support.networks import normed_network, random_vectors

ONES = np.ones(2)


def written_out(norm: LayerNorm, values: list[int], shift: int) -> list[int]:
    n, total = len(values), sum(values)
    root = max(isqrt(n * sum(value * value for value in values) - total * total), 1)
    results = [
        int(gain) * (n * value - total) + int(bias) * root
        for gain, bias, value in zip(norm.gains, norm.biases, values, strict=True)
    ]
    return [(2 * result + (1 << shift)) // (2 << shift) for result in results]


@given(
    values=st.lists(st.integers(-(2**17), 2**17), min_size=1, max_size=20),
    seed=st.integers(0, 2**16),
    shift=st.integers(0, 20),
)
def test_integers_are_those_of_the_equation(values, seed, shift):
    draws = np.random.default_rng(seed)
    norm = LayerNorm.of(draws.normal(size=len(values)), draws.normal(size=len(values)))
    assert norm.forward(np.array([values]), shift).values.tolist() == [written_out(norm, values, shift)]


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1))
def test_roots_are_rounded_down_next_to_squares(roots):
    squares = np.array([square for root in roots for square in (root * root, max(root * root - 1, 0), root * root + 1)])
    assert floor_roots(squares).tolist() == [isqrt(int(square)) for square in squares]


def test_it_follows_the_definition_and_says_what_its_units_are_worth():
    draws = np.random.default_rng(2)
    values, gains, biases = draws.integers(-900, 900, (30, 200)), draws.normal(size=200), draws.normal(size=200)
    norm = LayerNorm.of(gains, biases)
    normal = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    found, units = norm.forward(values, 4)
    np.testing.assert_allclose(found * units, normal * gains + biases, atol=3e-4)


def test_a_vector_of_equal_values_leaves_the_biases():
    norm = LayerNorm.of(np.array([1.0, 2.0]), np.array([0.5, -2.0]))
    found, units = norm.forward(np.array([[7, 7], [0, 0]]), 0)
    assert found.tolist() == [norm.biases.tolist()] * 2
    np.testing.assert_allclose(found * units, [[0.5, -2.0]] * 2, atol=1e-4)


@given(seed=st.integers(0, 2**16))
def test_no_value_is_beyond_the_bound_and_results_fit(seed):
    network = normed_network((13, 9, 5), seed)
    values = random_vectors(network, 20, seed)
    for layer, found in zip(network.layers, network.forward_layers(values)[0], strict=True):
        assert layer.norm
        normed = layer.norm.forward(values, 0).values
        assert np.abs(normed).max() <= network.norm_bound
        assert np.abs(layer.norm.forward(values, network.norm_shift).values).max() < 1 << network.normed_bits - 1
        low, high = layer.limits
        assert low <= found.min()
        assert found.max() <= high
        values = found


def test_shifts_leave_the_most_bits_that_fit():
    assert [shift_for(bound) for bound in ((1 << 23) - 1, 1 << 23, (1 << 24) - 2, (1 << 24) - 1)] == [0, 1, 1, 2]


def test_addends_are_in_front_of_the_relu():
    layer = Layer(np.array([[1, 1], [1, -1]], np.int8), 0.5, True, addends=np.array([-300, 5]))
    network = Network("net", (layer,), "uint8")
    assert network.forward(np.array([[10, 10]], np.uint8)).logits.tolist() == [[0, 5]]
    assert layer.limits == (0, 259)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LayerNorm.of(np.zeros(2), np.zeros(2)), "gains and biases are all 0"),
        (lambda: normed_layer(3, LayerNorm.of(ONES, ONES)), "the norm has 2 elements; the layer takes 3"),
        (lambda: Layer(np.ones((2, 3), np.int8), 1.0, True, addends=np.ones(3, int)), r"addends have shape \(3,\); 2"),
        (lambda: Layer(np.ones((1, 3), np.int8), 1.0, True, addends=np.array([1 << 15])), "below 2"),
        (
            lambda: Network("net", (normed_layer(3, LayerNorm.of(np.ones(3), np.ones(3))), normed_layer(2, None))),
            "some",
        ),
    ],
)
def test_what_is_none_is_refused(make, message):
    with pytest.raises(TritweaveError, match=message):
        make()


def normed_layer(inputs: int, norm: LayerNorm | None) -> Layer:
    return Layer(np.ones((2, inputs), np.int8), 1.0, True, norm)
