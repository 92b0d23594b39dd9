# amaranth: UnusedElaboratable=no
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.plan.plan import Fold, Plan, plan_network
from golden.errors import TritweaveError
from golden.formats import IMAGE_HEADER_BYTES
from golden.link.frames import image_number
from rtl.crc32 import Crc32, serve
from rtl.memory.flash_loader import FlashLoader
from sim.pysim import Bench, Driver, Pauses, never
from support.networks import PACKING_NAMES, PAUSES, folds, random_network
from support.spi_flash import Flash

WAKE = 20
FOLD = Fold(2, 2, 1)


class SummedLoader(wiring.Component):
    """A loader with a CRC-32 of its own."""

    def __init__(self, loader: FlashLoader):
        self.loader = loader
        members = loader.signature.members
        super().__init__({name: members[name] for name in ("flash", "load", "done", "fault")})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.loader = loader = self.loader
        m.submodules.crc = crc = Crc32()
        serve(m, loader.sum, crc)
        for name in ("flash", "load"):
            wiring.connect(m, getattr(loader, name), wiring.flipped(getattr(self, name)))
        m.d.comb += [self.done.eq(loader.done), self.fault.eq(loader.fault)]
        return m


class Run:
    """A loader for a plan's image with a flash; ends some cycles after it says how it went."""

    def __init__(self, plan: Plan, content: bytes, offset: int = 0, taking: Pauses = never):
        loader = FlashLoader(plan.config.memories, image=image_number(plan.image), offset=offset, wake=WAKE)
        self.loader = SummedLoader(loader)
        bench = Bench(self.loader, limit=100_000)
        self.transfers: list[dict[str, Any]] = []
        self.outcome, self.cycle = (0, 0), -1
        flash = Flash({offset: content}, WAKE)

        def driver() -> Driver:
            end, cycle = None, 0
            while end is None or cycle < end:
                ready = not taking(cycle)
                seen = yield {"flash.miso": flash.miso, "load.ready": ready}
                flash.see(cycle, seen["flash.select"], seen["flash.clock"], seen["flash.mosi"])
                if seen["load.valid"] and ready:
                    self.transfers.append(seen["load.payload"])
                self.outcome = (seen["done"], seen["fault"])
                if end is None and any(self.outcome):
                    self.cycle, end = cycle, cycle + 40
                cycle += 1

        pins = ("flash.select", "flash.clock", "flash.mosi")
        bench.play(driver(), *pins, "load.valid", "load.payload", "done", "fault")
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
    run = Run(plan, content, offset, taking)
    assert run.outcome == (1, 0)
    assert run.transfers == [load._asdict() for load in plan.image.loads()]
    first = 80 + WAKE + 16 * len(content)
    assert first <= run.cycle <= first + 32


@pytest.mark.parametrize("place", [0, 9, 24, IMAGE_HEADER_BYTES - 1, IMAGE_HEADER_BYTES, -1])
def test_any_damaged_byte_is_a_fault(place: int) -> None:
    plan = plan_network(random_network((5, 3), 4), FOLD)
    content = bytearray(plan.image.to_bytes())
    content[place] ^= 0x10
    assert Run(plan, bytes(content)).outcome == (0, 1)


def test_another_image_is_a_fault() -> None:
    plan, other = (plan_network(random_network((5, 3), seed), FOLD) for seed in (4, 5))
    assert Run(plan, other.image.to_bytes()).outcome == (0, 1)


def test_empty_flash_is_a_fault() -> None:
    plan = plan_network(random_network((5, 3), 4), FOLD)
    assert Run(plan, b"").outcome == (0, 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"offset": 1 << 24}, "offset is 16777216; it must be an integer from 0 to 16777215"),
        ({"wake": 0}, "wake is 0; it must be an integer from 1 to 65535"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, int], message: str) -> None:
    memories = plan_network(random_network((5, 3), 4), FOLD).config.memories
    with pytest.raises(TritweaveError, match=f"^flash loader: {message}$"):
        FlashLoader(memories, **({"image": 0, "offset": 0, "wake": 1} | parameters))
