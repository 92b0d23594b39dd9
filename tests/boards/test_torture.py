from random import Random

import numpy as np
import pytest

from boards.device import Device
from gen.output.hosted import hosted_verilog, identify
from golden.link.frames import image_number
from rtl.link.uart import UartConfig
from sim.line import SimulatedLine
from support.link_plans import link_plan, link_vectors
from support.torture import REPLY_FAULTS, REQUEST_FAULTS, TorturedLine

PLANS = [link_plan(seed) for seed in (1, 2)]


def torture(frames: int, seed: int, uart: UartConfig) -> TorturedLine:
    """Work on a device over a tortured line until so many frames were sent; every answer and count is checked."""
    line = TorturedLine(SimulatedLine(hosted_verilog(PLANS[0], uart, initialised=False), uart), seed)
    random = Random(seed)
    identity = identify(PLANS[0].config, uart.clock_hz)
    with Device("the device", line, uart.baud, timeout=600 / uart.baud, attempts=40) as device:
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
                vectors = link_vectors(plan, 1, line.frames)
                np.testing.assert_array_equal(device.run(plan.image, vectors, 4), plan.network.forward(vectors).logits)
            if line.frames > checked + 50:
                checked = line.frames
                check_counters(line, device)
        assert device.identify()[1] == (1, image_number(plan.image))
        line.cycles = line.line.cycles
    return line


def check_counters(line: TorturedLine, device: Device) -> None:
    """The device has counted what passed over the line, frame by frame."""
    line.settle()
    expected = line.done, line.refused, line.chunks - line.done - line.refused
    assert device.counters()[:3] == expected
    line.active = True


@pytest.mark.parametrize(("frames", "clocks"), [(10_250, 4), (1000, 5.5)])
def test_no_wrong_answer_and_no_hang(frames: int, clocks: float) -> None:
    line = torture(frames, 2, UartConfig(int(1_000_000 * clocks), 1_000_000))
    for drawn, faults in ((line.request_faults, REQUEST_FAULTS), (line.reply_faults, REPLY_FAULTS)):
        assert set(drawn) == {*faults, ""}
        print(f"{line.cycles} cycles; {drawn.total()} frames, {drawn.total() - drawn['']} with faults: {dict(drawn)}")
