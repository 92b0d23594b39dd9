"""Small real builds: a bitstream of each family, and what a build says that cannot be."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from boards import placement
from boards.build import BoardBuild, build_board
from boards.catalogue import board_named
from boards.placement import STEPS
from boards.planning import board_verilog, plan_for
from gen.plan.plan import Fold, Plan
from golden.errors import TritweaveError
from golden.files.checkpoint import write_checkpoint
from golden.files.image import MemoryImage
from golden.link.frames import Frame
from golden.network import Network
from support.link_plans import link_plan
from tritweave import app

NETWORK = link_plan().network
FOLD = Fold(4, 4, 2)
PREAMBLES = {"icebreaker": bytes.fromhex("7eaa997e"), "ulx3s-12f": bytes.fromhex("ffffbdb3")}
"""What the FPGAs look for in a bitstream."""


def small_plan(name: str) -> Plan:
    return plan_for(board_named(name), NETWORK, FOLD, "2b")


@pytest.mark.parametrize("name", PREAMBLES)
def test_a_bitstream_is_built_once_and_its_figures_agree(name: str, tmp_path: Path) -> None:
    checkpoint, figures = tmp_path / "net.safetensors", tmp_path / "figures.json"
    assert isinstance(NETWORK, Network)
    write_checkpoint(checkpoint, NETWORK)
    arguments = ["build", name, str(checkpoint), "--fold", str(FOLD), "--packing", "2b", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--json", str(figures)])
    assert result.exit_code == 0, result.output
    made, board = json.loads(figures.read_text()), board_named(name)
    assert made["timing_met"]
    assert made["fmax_mhz"] >= made["clock_mhz"] == board.clock_hz / 1e6
    assert made["images_per_s"] == board.clock_hz / small_plan(name).cycles.period
    pll, _ = made["utilisation"]["ICESTORM_PLL" if board.device.family == "ice40" else "EHXPLLL"]
    assert pll == 1
    assert made["utilisation"].get("ICESTORM_SPRAM", [0])[0] == (2 if board.spram else 0)
    (bitstream,) = (tmp_path / "out").glob("tritweave.bi[nt]")
    assert PREAMBLES[name] in bitstream.read_bytes()[:200]
    image = (tmp_path / "out" / "tritweave.image").read_bytes()
    assert MemoryImage.from_bytes(image).to_bytes() == small_plan(name).image.to_bytes()
    flash = tmp_path / "out" / "tritweave.flash"
    assert flash.exists() == board.spram
    if board.spram:
        assert flash.read_bytes() == bitstream.read_bytes().ljust(1 << 17, b"\xff") + image

    assert json.loads((tmp_path / "out" / "report.json").read_text()) == made
    calls: list[int] = []
    again = build_board(board, small_plan(name), progress=calls.append)
    assert calls == [1] * STEPS
    assert json.loads(json.dumps(again.figures())) | {"model": ""} == made | {"model": ""}


def test_the_rate_over_the_line_is_that_of_its_bytes() -> None:
    board, plan = board_named("icebreaker"), small_plan("icebreaker")
    made = BoardBuild(board, 1, placement.find_tools("ice40"), Path(), {"utilization": {}, "fmax": {}}, plan)
    # Number of the image, 20 values and 4 results of 4 bytes, each frame with header, CRC-32, code and delimiter.
    sizes = [len(Frame(1, 1, bytes(count)).to_bytes()) for count in (4 + 20, 4 * 4)]
    assert sizes == [24 + 12, 16 + 12]
    expected = 10 * sum(sizes) / board.baud + plan.cycles.latency / board.clock_hz
    assert made.hosted_images_per_s == pytest.approx(1 / expected)


def test_a_clock_that_is_missed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    placed = {"utilization": {}, "fmax": {"clk": {"achieved": 17.9}, "other": {"achieved": 99.0}}}
    monkeypatch.setattr(placement, "_place", lambda *_: (Path(), placed))
    with pytest.raises(
        TritweaveError, match=r"icebreaker misses its clock: 17.9 MHz of 24 MHz with --seed 7; try --seed 8"
    ):
        build_board(board_named("icebreaker"), small_plan("icebreaker"), seed=7)


def test_a_plan_that_does_not_fit_is_refused_before_anything_is_built() -> None:
    board = board_named("ice40-hx8k")
    plan = plan_for(board, NETWORK, Fold(64, 64, 2))
    with pytest.raises(
        TritweaveError, match=r"does not fit ice40-hx8k at 64x64x2, 5t8b: it needs .* LUT4 of 6,528; --fold"
    ):
        build_board(board, plan)


def test_spram_is_filled_out_of_flash_and_block_ram_starts_with_the_network() -> None:
    found = {
        name: board_verilog(board_named(name), small_plan(name)).split("network", 1)[1].split("\n", 1)[0].strip()
        for name in PREAMBLES
    }
    assert found == {"icebreaker": f"{NETWORK.name}, in SPI flash from byte 131072 on", "ulx3s-12f": NETWORK.name}
