# amaranth: UnusedElaboratable=no
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import PACKING_NAMES, PAUSES, folds, random_network

from gen.plan import Fold, plan_network
from golden.errors import TritiumError
from golden.formats import IMAGE_CRC_OFFSET, IMAGE_HEADER_BYTES
from rtl.config import EngineConfig
from rtl.flash_loader import FlashLoader
from sim.pysim import Bench, Driver, Pauses, never

WAKE = 20
FOLD = Fold(2, 2, 1)


class Flash:
    """A 25-series flash in power-down at its pins: mode 0, commands 0xAB and 0x03."""

    def __init__(self, content: dict[int, bytes]):
        self.content = content
        self.asleep, self.awake_at = True, 0
        self.miso, self._clock, self._bits, self._out = 1, 0, [], iter(())

    def see(self, cycle: int, select: int, clock: int, mosi: int) -> None:
        """The pins in a cycle; `miso` is what the flash puts out from then on."""
        if not select:
            if self._bits == [1, 0, 1, 0, 1, 0, 1, 1]:
                self.asleep, self.awake_at = False, cycle + WAKE
            self._bits, self._out, self.miso = [], iter(()), 1
        elif clock and not self._clock:
            self._bits.append(mosi)
        elif self._clock and not clock:
            number = int("".join(map(str, self._bits)), 2)
            if len(self._bits) == 32 and number >> 24 == 3 and not self.asleep and cycle > self.awake_at:
                self._out = self._read(number & 0xFFFFFF)
            self.miso = next(self._out, 1)
        self._clock = clock

    def _read(self, address: int) -> Iterator[int]:
        start, content = next((base, bytes_) for base, bytes_ in self.content.items() if base <= address)
        for byte in content[address - start :]:
            yield from (byte >> bit & 1 for bit in reversed(range(8)))


class Run:
    """A loader with a flash; ends some cycles after it says how it went."""

    def __init__(self, config: EngineConfig, content: bytes, offset: int, taking: Pauses = never):
        self.loader = FlashLoader(config, offset=offset, wake=WAKE)
        bench = Bench(self.loader, limit=100_000)
        self.transfers: list[dict[str, Any]] = []
        self.outcome, self.cycle = (0, 0), -1
        flash = Flash({offset: content})

        def driver() -> Driver:
            end, cycle = None, 0
            while end is None or cycle < end:
                ready = not taking(cycle)
                seen = yield {"miso": flash.miso, "load.ready": ready}
                flash.see(cycle, seen["select"], seen["clock"], seen["mosi"])
                if seen["load.valid"] and ready:
                    self.transfers.append(seen["load.payload"])
                self.outcome = (seen["done"], seen["fault"])
                if end is None and any(self.outcome):
                    self.cycle, end = cycle, cycle + 40
                cycle += 1

        bench.play(driver(), "select", "clock", "mosi", "load.valid", "load.payload", "done", "fault")
        bench.run()


@settings(max_examples=6, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=3).map(tuple),
    fold=folds(2, 2),
    packing=PACKING_NAMES,
    offset=st.sampled_from((0, 0x100000, 0xFFF000)),
    taking=PAUSES,
)
def test_an_image_in_flash_becomes_its_transfers(
    sizes: tuple[int, ...], fold: Fold, packing: str, offset: int, taking: Pauses
) -> None:
    plan = plan_network(random_network(sizes, 4), fold, packing=packing)
    content = plan.image.to_bytes()
    run = Run(plan.config, content, offset, taking)
    assert run.outcome == (1, 0)
    assert run.transfers == [load._asdict() for load in plan.image.loads()]
    first = 80 + WAKE + 16 * len(content)
    assert first <= run.cycle <= first + 32


@pytest.mark.parametrize("place", [0, 9, IMAGE_CRC_OFFSET, IMAGE_HEADER_BYTES - 1, IMAGE_HEADER_BYTES, -1])
def test_any_damaged_byte_is_a_fault(place: int) -> None:
    plan = plan_network(random_network((5, 3), 4), FOLD)
    content = bytearray(plan.image.to_bytes())
    content[place] ^= 0x10
    assert Run(plan.config, bytes(content), 0).outcome == (0, 1)


def test_empty_flash_is_a_fault() -> None:
    plan = plan_network(random_network((5, 3), 4), FOLD)
    assert Run(plan.config, b"", 0).outcome == (0, 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"offset": 1 << 24}, "offset is 16777216; it must be an integer from 0 to 16777215"),
        ({"wake": 0}, "wake is 0; it must be an integer from 1 to 65535"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, int], message: str) -> None:
    config = plan_network(random_network((5, 3), 4), FOLD).config
    with pytest.raises(TritiumError, match=f"^flash loader: {message}$"):
        FlashLoader(config, **({"offset": 0, "wake": 1} | parameters))
