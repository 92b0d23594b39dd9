import numpy as np

from boards.simulated_device import SimulatedDevice
from gen.hosted import identify
from gen.plan import plan_network
from gen.presets import TEST_VECTORS, load_network
from golden.idx import read_idx
from rtl.uart import UartConfig

IMAGES = 30


def test_a_shipped_network_goes_over_the_link_and_gives_the_golden_logits() -> None:
    network, preset = load_network("mnist-small")
    plan = plan_network(network, preset.fold, packing=preset.packing)
    uart = UartConfig(8_000_000, 2_000_000)
    vectors = read_idx(TEST_VECTORS)[:IMAGES].reshape(IMAGES, -1)
    with SimulatedDevice(plan, uart, expected=identify(plan.config, uart.clock_hz)) as device:
        device.load(plan.image)
        logits = device.run(plan.image, vectors, 10)
        counters = device.counters()
    np.testing.assert_array_equal(logits, network.forward(vectors).logits)
    assert counters[1:3] == (0, 0)
