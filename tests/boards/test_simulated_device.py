import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from boards.device import Device
from boards.serial_device import SerialDevice
from boards.simulated_device import SimulatedDevice
from gen.output.hosted import hosted_verilog, identify
from gen.plan.plan import Fold, Plan
from golden.errors import TritweaveError
from golden.link.frames import image_number
from rtl.link.uart import UartConfig
from sim.line import SimulatedLine
from support.link_plans import link_plan, link_vectors

UART = UartConfig(8_000_000, 1_000_000)
PLAN = link_plan()


class PseudoPort:
    """A serial port of the operating system with a simulated device behind it."""

    def __init__(self, plan: Plan, uart: UartConfig):
        self.line = SimulatedLine(hosted_verilog(plan, uart, initialised=False), uart)
        self.line.open()
        self.host, self.port = os.openpty()
        self.name = os.ttyname(self.port)
        os.set_blocking(self.host, False)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._pass_on)
        self._thread.start()

    def _pass_on(self) -> None:
        while not self._ends.wait(0.0005):
            with suppress(BlockingIOError):
                self.line.write(os.read(self.host, 4096))
            while came := self.line.read_frame(1e-4):
                os.write(self.host, came)

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self.line.close()
        os.close(self.host)
        os.close(self.port)


@pytest.fixture(params=["simulated", "serial"])
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    if request.param == "simulated":
        with SimulatedDevice(PLAN, UART, expected=identify(PLAN.config, UART.clock_hz)) as device:
            yield device
    else:
        pytest.importorskip("serial")
        port = PseudoPort(PLAN, UART)
        try:
            with SerialDevice(port.name, 115_200, timeout=2.0, expected=identify(PLAN.config, 1)) as device:
                yield device
        finally:
            port.close()


def test_a_network_is_loaded_and_gives_the_golden_logits(device: Device) -> None:
    identity, state = device.identify()
    assert identity == identify(PLAN.config, UART.clock_hz)
    assert state.loaded == 0
    device.load(PLAN.image)
    assert device.identify()[1] == (1, 1, image_number(PLAN.image))
    vectors = link_vectors(PLAN, 20)
    np.testing.assert_array_equal(device.run(PLAN.image, vectors, 4), PLAN.network.forward(vectors).logits)
    counters = device.counters()
    assert counters[1:3] == (0, 0)
    # Each run, the image's beginning, parts and end, and four times what the device is: to open, to load, and here.
    assert counters.frames == 20 + (1 + 3 + 1) + 4


def test_another_network_replaces_it_and_the_first_is_then_refused(device: Device) -> None:
    other = link_plan(2)
    device.load(PLAN.image)
    device.load(other.image)
    vectors = link_vectors(other, 3)
    np.testing.assert_array_equal(device.run(other.image, vectors, 4), other.network.forward(vectors).logits)
    with pytest.raises(TritweaveError, match="refused run: it does not hold the image; load it"):
        device.run(PLAN.image, vectors, 4)


def test_an_image_for_another_engine_is_refused_before_anything_is_sent(device: Device) -> None:
    frames = device.counters().frames
    for other, message in (
        (link_plan(fold=Fold(8, 4, 2)), "for an engine with rows 8; the device has 4"),
        (link_plan(sizes=(20, 40, 4)), "needs 22 correction words; the device has 6"),
    ):
        with pytest.raises(TritweaveError, match=message):
            device.load(other.image)
    assert device.counters().frames == frames + 1 + 2


def test_vectors_that_do_not_fit_are_named(device: Device) -> None:
    with pytest.raises(TritweaveError, match="have 22 values; the image takes up to 20"):
        device.run(PLAN.image, np.zeros((1, 22), np.uint8), 4)
    with pytest.raises(TritweaveError, match=r"dtype int8, shape \(1, 20\); .* takes uint8"):
        device.run(PLAN.image, np.zeros((1, 20), np.int8), 4)


def test_another_device_than_the_expected_one_is_named() -> None:
    other = link_plan(fold=Fold(8, 4, 2))
    device = SimulatedDevice(PLAN, UART, expected=identify(other.config, UART.clock_hz))
    with pytest.raises(
        TritweaveError, match=r"is another engine, config .* it has rows 4 instead of 8, .*weight_words 12"
    ):
        device.open()


def test_a_built_in_network_needs_no_load() -> None:
    plan = link_plan(3, (9, 5, 3), Fold(3, 6, 3), "int8", packing="5t8b", writable=False)
    vectors = link_vectors(plan, 5)
    with SimulatedDevice(plan, UartConfig(9_000_000, 2_000_000), initialised=True) as device:
        device.load(plan.image)
        np.testing.assert_array_equal(device.run(plan.image, vectors, 3), plan.network.forward(vectors).logits)
        with pytest.raises(TritweaveError, match="cannot be loaded"):
            device.load(link_plan(4, (9, 5, 3), Fold(3, 6, 3), "int8", packing="5t8b").image)


def test_weights_in_spram_are_loaded() -> None:
    plan = link_plan(5, spram=True)
    vectors = link_vectors(plan, 5)
    with SimulatedDevice(plan, UART) as device:
        device.load(plan.image)
        np.testing.assert_array_equal(device.run(plan.image, vectors, 4), plan.network.forward(vectors).logits)


@pytest.mark.parametrize("skew", [-0.02, 0.02])
def test_the_clocks_may_differ(skew: float) -> None:
    line = SimulatedLine(hosted_verilog(PLAN, UART, initialised=False), UART, skew=skew)
    vectors = link_vectors(PLAN, 10)
    with Device("the device", line, UART.baud, attempts=1) as device:
        device.load(PLAN.image)
        np.testing.assert_array_equal(device.run(PLAN.image, vectors, 4), PLAN.network.forward(vectors).logits)


def test_a_device_that_starts_anew_is_loaded_again(device: Device) -> None:
    if not isinstance(device, SimulatedDevice):
        pytest.skip("a port cannot switch its device off")
    device.load(PLAN.image)
    device.line.open()
    vectors = link_vectors(PLAN, 2)
    np.testing.assert_array_equal(device.run(PLAN.image, vectors, 4), PLAN.network.forward(vectors).logits)
    device.line.close()
    np.testing.assert_array_equal(device.run(PLAN.image, vectors, 4), PLAN.network.forward(vectors).logits)
