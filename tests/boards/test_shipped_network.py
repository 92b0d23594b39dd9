"""The shipped network on the smallest board, weights in SPRAM: MNIST images at the pins of its serial line."""

import numpy as np

from boards.catalogue import board_named
from boards.planning import plan_for
from boards.simulated_board import SimulatedBoard
from gen.plan.presets import TEST_VECTORS, load_network
from golden.files.idx import read_idx

IMAGES = 3


def test_a_shipped_network_goes_over_the_link_and_gives_the_golden_logits() -> None:
    network, _ = load_network("mnist")
    board = board_named("icebreaker")
    plan = plan_for(board, network)
    assert (plan.config.spram, plan.config.packing) == (True, "5t8b")
    vectors = read_idx(TEST_VECTORS)[:IMAGES].reshape(IMAGES, -1)
    with SimulatedBoard(board, plan) as device:
        device.load(plan.image)
        logits = device.run(plan.image, vectors, 10)
        counters = device.counters()
    np.testing.assert_array_equal(logits, network.forward(vectors).logits)
    assert counters[1:3] == (0, 0)
