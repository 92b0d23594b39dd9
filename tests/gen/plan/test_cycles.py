from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gen.plan.cycles import Cycles
from gen.plan.plan import Fold, plan_network
from golden.network import Layer, Network


def network(*sizes: int) -> Network:
    """A network of those sizes; cycles do not depend on the weights."""
    layers = tuple(Layer(np.zeros((outputs, inputs), np.int8), 1.0, True) for inputs, outputs in pairwise(sizes))
    return Network("sized", layers)


@pytest.mark.parametrize(
    ("sizes", "fold", "latency", "period", "array"),
    [
        # One multiplication: in 1, quantiser 15, buffer 1, choice 1, start 1, memory 3, array 2, drain 3 (heard of a
        # cycle early), out 2.
        ((1, 1), Fold(1, 1, 1), 1 + 15 + 1 + 1 + 1 + 3 + 2 - 1 + 3 + 2, 9.5, 1),
        # The first layer's last chunk starts in cycle 22, the second layer's only one in cycle 50.
        ((3, 2, 1), Fold(2, 2, 1), 61, 17, 3),
        # Three tiles of one chunk, four cycles apart for the drain.
        ((1, 12), Fold(4, 1, 1), 39, 13.5, 3),
        # Sixteen words leave for each vector.
        ((1, 16), Fold(16, 1, 1), 43, 16, 1),
        ((784, 256, 256, 10), Fold(16, 16, 8), 1324, 1056, 1056),
        ((784, 256, 256, 10), Fold(32, 32, 32), 395, 272, 272),
        ((1024, 1024), Fold(32, 32, 32), 1090, 1024, 1024),
    ],
    ids=str,
)
def test_known_networks_take_known_cycles(
    sizes: tuple[int, ...], fold: Fold, latency: int, period: float, array: int
) -> None:
    cycles = plan_network(network(*sizes), fold).cycles
    assert (cycles.latency, cycles.period, cycles.array) == (latency, period, array)


def test_a_large_layer_alone_keeps_the_array_busy_for_98_per_cent_of_its_cycles_fill_and_drain_included() -> None:
    cycles = plan_network(network(1024, 1024), Fold(32, 32, 32)).cycles
    # Memory 3, array 7, drain 3 (heard of a cycle early), out 2.
    assert cycles.compute == 1024 + 3 + 7 - 1 + 3 + 2
    assert cycles.array / cycles.compute > 0.98


def test_one_vector_in_flight_waits_for_its_own_activations() -> None:
    cycles = plan_network(network(784, 256, 256, 10), Fold(32, 32, 32), vectors=1).cycles
    assert (cycles.latency, cycles.period) == (395, 336)


def test_totals_and_shares_follow_from_the_times() -> None:
    cycles = plan_network(network(9, 7, 5), Fold(4, 4, 2)).cycles
    assert cycles.total(4) == cycles.times(4)[-1].left + 1
    assert cycles.total(1) == cycles.latency
    assert cycles.busy == cycles.array / cycles.period
    assert cycles.utilisation == pytest.approx((9 * 7 + 7 * 5) / (cycles.period * 16), rel=1e-15)
    assert cycles.alone(2) == [(0, cycles.latency - 1), (cycles.latency, 2 * cycles.latency - 1)]


@pytest.mark.parametrize("packing", ["2b", "3t5b", "5t8b"])
def test_packing_and_spare_room_cost_no_cycle(packing: str) -> None:
    plan = plan_network(network(9, 7, 5), Fold(2, 3, 1), packing=packing)
    # Longer vectors widen accumulators and deepen memories, which no latency depends on.
    longest = {"max_inputs": 4000, "max_hidden": 4000, "max_outputs": 4000}
    roomy = replace(plan.config, **longest, layers=9, weight_words=999, correction_words=999)
    reference = plan_network(network(9, 7, 5), Fold(2, 3, 1)).cycles
    assert plan.cycles.times(5) == reference.times(5) == Cycles(roomy, plan.network.layers).times(5)


def test_a_layer_used_twice_takes_as_long_as_two_equal_ones() -> None:
    layer = Layer(np.zeros((20, 20), np.int8), 1.0, True)
    twice = plan_network(Network("twice", (layer, layer)), Fold(20, 20, 1))
    assert twice.cycles.times(5) == plan_network(network(20, 20, 20), Fold(20, 20, 1)).cycles.times(5)


def test_more_rows_and_columns_save_cycles_of_the_array() -> None:
    arrays = [plan_network(network(64, 64), Fold(side, side, 1)).cycles.array for side in (1, 2, 4, 8, 64, 128)]
    assert arrays == [4096, 1024, 256, 64, 1, 1]
