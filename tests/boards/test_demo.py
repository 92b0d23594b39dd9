"""The demonstration without a host, at a board's pins."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from boards import build, placement
from boards.build import flash_content
from boards.catalogue import BOARDS, board_named
from boards.demo import demo_verilog, shown_images
from boards.planning import plan_for
from gen.plan.plan import Fold, Plan
from gen.plan.presets import load_network
from gen.tools import Tools
from golden.errors import TritweaveError
from golden.network import Layer, Network
from sim.display import watch_display
from tritweave import app

BOARD = board_named("icebreaker")
TICK = 9600
PATTERNS = (0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F)
"""Segments of the digits, A lowest, as the data sheets of decoders have them."""
FAULT, RIGHT_DIGIT, LOW_ACTIVE = 0x79, 0x80, 0x7F


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_for(BOARD, load_network("mnist-small")[0])


def watched(plan: Plan, flash: bytes, cycles: int) -> list[int]:
    """What the display shows one after another, 1 for lit, without what it shows for less than half a tick."""
    changes = watch_display(demo_verilog(BOARD, plan, tick_seconds=TICK / BOARD.clock_hz), cycles, flash)
    ends = [change.cycle for change in changes[1:]] + [cycles]
    pairs = zip(changes, ends, strict=True)
    return [change.display ^ LOW_ACTIVE for change, end in pairs if end - change.cycle > TICK // 2]


def test_the_digit_shows_the_models_answer_to_each_image_in_turn(plan: Plan) -> None:
    answers = shown_images(plan).answers
    assert answers == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    flash = flash_content(BOARD, b"", plan.image)
    shown = watched(plan, flash, 16 * (len(plan.image.to_bytes()) + 100) + 25 * BOARD.display.TICKS * TICK)
    assert shown[0] == RIGHT_DIGIT
    expected = [PATTERNS[answer] | RIGHT_DIGIT for answer in answers] * 3
    assert len(shown) - 1 in (24, 25, 26)
    assert shown[1:] == expected[: len(shown) - 1]


def test_damaged_flash_blinks(plan: Plan) -> None:
    flash = bytearray(flash_content(BOARD, b"", plan.image))
    flash[-9] ^= 4
    shown = watched(plan, bytes(flash), 16 * (len(plan.image.to_bytes()) + 100) + 20 * TICK)
    assert len(shown) in range(18, 24)
    assert shown == ([RIGHT_DIGIT, FAULT | RIGHT_DIGIT] * 20)[: len(shown)]


def test_every_board_has_the_pins_of_its_display() -> None:
    for board in BOARDS.values():
        ports = board.pins().ports
        assert len({ports[f"display[{bit}]"].site for bit in range(board.display.WIDTH)}) == board.display.WIDTH
    ports = BOARD.pins().ports
    assert [ports[f"display[{bit}]"].site for bit in range(8)] == ["4", "2", "47", "45", "3", "48", "46", "44"]
    assert [ports[f"display[{bit}]"].inverted for bit in range(8)] == [True] * 7 + [False]


def test_a_network_that_takes_no_images_is_refused() -> None:
    layers = tuple(Layer(np.ones(shape, np.int8), 1.0, False) for shape in ((3, 20),))
    plan = plan_for(BOARD, Network("other", layers), Fold(4, 4, 2))
    with pytest.raises(
        TritweaveError, match="other takes 20 values of uint8; the demonstration has images of 784 uint8"
    ):
        demo_verilog(BOARD, plan)


def test_the_command_builds_it_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: Plan) -> None:
    bitstream, seen = tmp_path / "tritweave.bin", []
    bitstream.write_bytes(b"bits")
    placed = {"utilization": {}, "fmax": {"clk": {"achieved": 99.0}}}
    monkeypatch.setattr(Tools, "synthesise", lambda _, part, name, verilog: seen.append(verilog))
    monkeypatch.setattr(placement, "_place", lambda *_: (bitstream, placed))
    monkeypatch.setattr(build, "demo_verilog", lambda board, _: f"demo of {board.name}")
    arguments = ["build", "icebreaker", "mnist-small", "--demo", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert seen == ["demo of icebreaker"]
    assert "over the host link" not in result.output
    assert json.loads((tmp_path / "out" / "report.json").read_text())["demo"]
    assert (tmp_path / "out" / "tritweave.flash").read_bytes() == flash_content(BOARD, b"bits", plan.image)
