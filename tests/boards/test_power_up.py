"""A board whose weights come out of its SPI flash at power-up, at its pins."""

from dataclasses import replace

import pytest

from boards.build import flash_content
from boards.catalogue import board_named
from boards.planning import board_verilog, plan_for
from boards.simulated_board import SimulatedBoard
from gen.plan.plan import Fold, Plan
from golden.errors import TritweaveError
from golden.link.frames import image_number
from support.link_plans import link_plan, link_vectors

BOARD = board_named("icebreaker")
BITSTREAM = bytes.fromhex("7eaa997e") * 20000


def plan(seed: int = 1) -> Plan:
    return plan_for(BOARD, link_plan(seed).network, Fold(4, 4, 2), "2b")


def test_the_file_for_the_flash_holds_the_image_behind_the_bitstream() -> None:
    content, image = flash_content(BOARD, BITSTREAM, plan().image), plan().image.to_bytes()
    assert content.startswith(BITSTREAM + b"\xff")
    offset = BOARD.image_offset
    assert offset is not None
    assert (content[offset:], content[offset - 1]) == (image, 0xFF)


def test_a_bitstream_that_would_cover_the_image_is_refused() -> None:
    with pytest.raises(
        TritweaveError, match=r"^icebreaker: its bitstream has 131,073 bytes, its image_offset is 131072"
    ):
        flash_content(BOARD, bytes((1 << 17) + 1), plan().image)


def test_the_image_lies_where_the_board_says() -> None:
    moved = replace(BOARD, image_offset=1 << 20)
    assert flash_content(moved, BITSTREAM, plan().image)[1 << 20 :] == plan().image.to_bytes()
    assert "in SPI flash from byte 1048576 on" in board_verilog(moved, plan())


def test_the_network_is_there_at_power_up_and_another_can_be_loaded() -> None:
    first, other = plan(), plan(2)
    with SimulatedBoard(BOARD, first, flash=flash_content(BOARD, BITSTREAM, first.image)) as device:
        assert device.identify()[1] == (1, 0, image_number(first.image))
        vectors = link_vectors(first, 3)
        for held in (first, other, first):
            device.load(held.image)
            assert (device.run(held.image, vectors, 4) == held.network.forward(vectors).logits).all()
            assert device.identify()[1][::2] == (1, image_number(held.image))


@pytest.mark.parametrize("damage", ["byte", "other", "empty"])
def test_a_damaged_flash_leaves_a_board_that_a_host_can_load(damage: str) -> None:
    first = plan()
    content = bytearray(flash_content(BOARD, BITSTREAM, (plan(2) if damage == "other" else first).image))
    if damage == "byte":
        content[-1] ^= 1
    with SimulatedBoard(BOARD, first, flash=b"" if damage == "empty" else bytes(content)) as device:
        assert not device.identify()[1].loaded
        device.load(first.image)
        vectors = link_vectors(first, 2)
        assert (device.run(first.image, vectors, 4) == first.network.forward(vectors).logits).all()
