from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gen.cycles import Cycles, predict
from gen.plan import Fold, plan_network
from golden.network import Layer, Network


def network(*sizes: int) -> Network:
    """A network of those sizes; cycles do not depend on the weights."""
    layers = tuple(Layer(np.zeros((outputs, inputs), np.int8), 1.0, True) for inputs, outputs in pairwise(sizes))
    return Network("sized", layers)


@pytest.mark.parametrize(
    ("sizes", "fold", "expected"),
    [
        # One multiplication: in 1, quantiser 12, buffer 1, memory 2, array 2, drain 3 (heard of a cycle early), out 2.
        ((1, 1), Fold(1, 1, 1), Cycles(latency=1 + 12 + 1 + 2 + 2 - 1 + 3 + 2, period=16, array=1, useful=1.0)),
        # The first layer's last chunk starts in cycle 17, the second layer's only one in cycle 39.
        ((3, 2, 1), Fold(2, 2, 1), Cycles(latency=49, period=42, array=3, useful=8 / 12)),
        # Three tiles of one chunk, four cycles apart for the drain.
        ((1, 12), Fold(4, 1, 1), Cycles(latency=33, period=24, array=3, useful=1.0)),
        # The second vector waits for the sixteen words of the first.
        ((1, 16), Fold(16, 1, 1), Cycles(latency=37, period=24, array=1, useful=1.0)),
        ((784, 256, 256, 10), Fold(16, 16, 8), Cycles(latency=1312, period=1301, array=1056, useful=268800 / 270336)),
    ],
    ids=str,
)
def test_known_networks_take_known_cycles(sizes: tuple[int, ...], fold: Fold, expected: Cycles) -> None:
    assert plan_network(network(*sizes), fold).cycles == expected


def test_totals_and_shares_follow_from_latency_and_period() -> None:
    cycles = Cycles(latency=100, period=80, array=40, useful=0.5)
    assert [cycles.total(vectors) for vectors in (1, 2, 10)] == [100, 180, 820]
    assert (cycles.busy, cycles.utilisation) == (0.5, 0.25)


@pytest.mark.parametrize("packing", ["2b", "3t5b", "5t8b"])
def test_packing_and_spare_room_cost_no_cycle(packing: str) -> None:
    plan = plan_network(network(9, 7, 5), Fold(2, 3, 1), packing=packing)
    # Longer vectors widen accumulators and deepen memories, which no latency depends on.
    roomy = replace(plan.config, max_inputs=4000, max_outputs=4000, layers=9, weight_words=999, correction_words=999)
    reference = plan_network(network(9, 7, 5), Fold(2, 3, 1)).cycles
    assert plan.cycles == reference == predict(roomy, plan.network.layers)


def test_a_layer_used_twice_takes_as_long_as_two_equal_ones() -> None:
    layer = Layer(np.zeros((20, 20), np.int8), 1.0, True)
    twice = plan_network(Network("twice", (layer, layer)), Fold(20, 20, 1))
    assert twice.cycles == plan_network(network(20, 20, 20), Fold(20, 20, 1)).cycles


def test_more_rows_and_columns_save_cycles_of_the_array() -> None:
    arrays = [plan_network(network(64, 64), Fold(side, side, 1)).cycles.array for side in (1, 2, 4, 8, 64, 128)]
    assert arrays == [4096, 1024, 256, 64, 1, 1]
