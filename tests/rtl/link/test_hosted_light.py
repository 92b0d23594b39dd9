# amaranth: UnusedElaboratable=no
import pytest

from gen.output.hosted import hosted_engine
from gen.plan.plan import Fold, plan_network
from rtl.link.uart import UartConfig
from sim.pysim import Bench, Driver
from support.networks import random_network
from support.spi_flash import Flash

UART = UartConfig(512, 100)
BLINK = 128


@pytest.mark.parametrize("damage", [0, 1])
def test_the_light_tells_whether_the_image_came_out_of_flash(damage: int) -> None:
    plan = plan_network(random_network((5, 3), 4), Fold(2, 2, 1))
    content = bytearray(plan.image.to_bytes())
    content[-1] ^= damage
    hosted = hosted_engine(plan, UART, offset=1000)
    assert hosted.loader
    bench, flash, light = Bench(hosted), Flash({1000: bytes(content)}, hosted.loader.wake), []
    loaded = 80 + hosted.loader.wake + 16 * len(content)

    def driver() -> Driver:
        for cycle in range(loaded + 32 + 2 * BLINK):
            seen = yield {"flash.miso": flash.miso}
            flash.see(cycle, seen["flash.select"], seen["flash.clock"], seen["flash.mosi"])
            light.append(seen["light"])

    bench.play(driver(), "flash.select", "flash.clock", "flash.mosi", "light")
    bench.run()
    assert not any(light[:loaded])
    after = light[loaded + 32 :]
    if damage:
        half = BLINK // 2
        assert after[half:] == [1 - level for level in after[:-half]]
    else:
        assert all(after)
