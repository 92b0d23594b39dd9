from copy import copy
from random import Random

import numpy as np
import pytest

from boards.device import Device
from gen.output.hosted import hosted_verilog, identify
from golden.link.frames import image_number
from rtl.link.uart import UartConfig
from sim.line import SimulatedLine
from support.link_plans import link_plan, link_vectors
from support.torture import TorturedLine, check_counters, check_faults

PLANS = [link_plan(seed, (6, 4, 2)) for seed in (1, 2)]
UART = UartConfig(4_000_000, 1_000_000)
LONG_SEEDS, LONG_REQUESTS = range(1000, 1050), 20_000


def torture(frames: int, seed: int, uart: UartConfig = UART) -> TorturedLine:
    """Work on a device over a tortured line until so many frames were sent; every answer and count is checked."""
    line = TorturedLine(SimulatedLine(hosted_verilog(PLANS[0], uart, initialised=False), uart), seed)
    random = Random(seed)
    identity = identify(PLANS[0].config, uart.clock_hz)
    with Device("the device", line, uart.baud, timeout=400 / uart.baud, attempts=40, first=seed) as device:
        plan = PLANS[0]
        line.active = True
        checked = 0
        while line.frames < frames:
            task = random.random()
            if task < 0.04 or line.frames < 10:
                plan = random.choice(PLANS)
                device.load(plan.image)
            elif task < 0.1:
                assert device.identify()[0] == identity
            elif task < 0.14:
                device.counters()
            else:
                # Of a copy, so that it would not be loaded again: nothing but `load` may replace an image.
                vectors = link_vectors(plan, 1, line.frames)
                results = device.run(copy(plan.image), vectors, 2)
                np.testing.assert_array_equal(results, plan.network.forward(vectors).logits)
            if line.frames > checked + 50:
                checked = line.frames
                check_counters(line, device)
        assert device.identify()[1][::2] == (1, image_number(plan.image))
        line.cycles = line.line.cycles
    return line


@pytest.mark.parametrize(("frames", "clocks", "seed"), [(7000, 4, 2), (1000, 5.5, 2), (1000, 4, 111)])
def test_no_wrong_answer_and_no_hang(frames: int, clocks: float, seed: int) -> None:
    check_faults(torture(frames, seed, UartConfig(int(1_000_000 * clocks), 1_000_000)))


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_no_wrong_answer_in_a_million_requests(seed: int) -> None:
    check_faults(torture(LONG_REQUESTS, seed))
