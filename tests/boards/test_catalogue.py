import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from boards.catalogue import BOARDS, Board, board_named
from boards.planning import misfits, plan_for
from gen.plan.plan import Fold
from gen.plan.presets import load_network
from golden.errors import TritweaveError
from rtl.demo.displays import Leds, Pulses
from tritweave import app

PINS = {
    "icebreaker": ("35", "6", "9"),
    "icesugar": ("35", "4", "6"),
    "upduino-v3": ("20", "9", "6"),
    "ice40-hx8k": ("J3", "B10", "B12"),
    "ulx3s-12f": ("G2", "M1", "L4"),
    "ulx3s-25f": ("G2", "M1", "L4"),
    "ulx3s-45f": ("G2", "M1", "L4"),
    "ulx3s-85f": ("G2", "M1", "L4"),
    "orangecrab-25f": ("A9", "N17", "M18"),
    "orangecrab-85f": ("A9", "N17", "M18"),
    "icesugar-pro": ("P6", "A9", "B9"),
    "ecpix5-45f": ("K23", "R26", "R24"),
}
"""Clock, line from the host, line to the host: from the boards' schematics."""


def test_the_pins_are_those_of_the_boards() -> None:
    for name, board in BOARDS.items():
        ports = board.pins().ports
        assert tuple(ports[port].site for port in ("clk", "rx", "tx")) == PINS[name]
        flash = tuple(pin.site for port, pin in ports.items() if port.startswith("flash_"))
        assert flash == (("16", "15", "14", "17") if board.spram else ())
        assert board.pins().inverted.issuperset(("flash_select", "light") if board.spram else ())


def test_the_constraints_say_where_ports_are_and_how_fast_the_clock_is() -> None:
    assert board_named("icebreaker").pins().constraints("ice40", ("clk", "rx", "light")) == (
        "set_io clk 35\nset_io -pullup yes rx 6\nset_io light 37\nset_frequency clk 12.0\n"
    )
    assert board_named("icesugar-pro").pins().constraints("ecp5", ("clk", "rx", "tx")).splitlines()[2:] == [
        'LOCATE COMP "rx" SITE "A9";',
        'IOBUF PORT "rx" IO_TYPE=LVCMOS33 PULLMODE=UP;',
        'LOCATE COMP "tx" SITE "B9";',
        'IOBUF PORT "tx" IO_TYPE=LVCMOS33 PULLMODE=UP;',
        'FREQUENCY PORT "clk" 25.0 MHZ;',
    ]


def test_the_part_is_the_boards_own() -> None:
    part = board_named("orangecrab-85f").part
    assert part.placement == ("--85k", "--package", "CSFBGA285", "--speed", "8")
    assert (part.device, part.mhz) == ("ecp5-85f", 48)
    assert board_named("ulx3s-12f").part.placement[0] == "--12k"
    assert board_named("upduino-v3").part.placement == ("--up5k", "--package", "sg48")


def test_models_fit_where_the_memories_allow() -> None:
    small, large = (load_network(name)[0] for name in ("mnist-small", "mnist"))
    for board in BOARDS.values():
        assert misfits(board, plan_for(board, small)) == []
        expected = {"ice40-hx8k": ["130 block RAMs of 32"], "ulx3s-12f": ["49 block RAMs of 32"]}
        assert misfits(board, plan_for(board, large)) == expected.get(board.name, [])
    reasons = misfits(board_named("icebreaker"), plan_for(board_named("icebreaker"), large, Fold(18, 10, 2)))
    assert [reason.split(" ", 1)[1] for reason in reasons] == ["LUT4 of 4,488", "SPRAM of 4"]


def test_an_unknown_board_is_named() -> None:
    with pytest.raises(TritweaveError, match="board 'icebraker' is not known; the boards are icebreaker, "):
        board_named("icebraker")


def test_a_board_says_everything_that_is_its_own() -> None:
    said = {field.name: getattr(BOARDS["ulx3s-12f"], field.name) for field in fields(Board)}
    for name in ("link", "baud", "ram", "flash", "ports", "display", "image_offset"):
        with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{name}'"):
            Board(**{field: value for field, value in said.items() if field != name})


@pytest.mark.parametrize(
    ("board", "change", "message"),
    [
        ("icebreaker", {"image_offset": None}, "image_offset is None; ice40-up5k has SPRAM; say where in its flash"),
        ("ulx3s-12f", {"image_offset": 1 << 17}, "image_offset is 131072; ecp5-12f has no SPRAM; it takes None"),
        ("icesugar", {"flash": ()}, "neither ram nor flash names a program that configures it"),
        (
            "icebreaker",
            {"display": Pulses},
            r"its ports are display\[0\], .*; its tops have display\[0\], display\[1\], f",
        ),
        ("ulx3s-12f", {"ports": {}}, r"its ports are ; its tops have display\[0\], "),
    ],
)
def test_what_a_board_took_from_another_is_an_error(board: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^{board}: {message}"):
        replace(BOARDS[board], **change)


def test_a_pin_that_the_board_lacks_is_an_error() -> None:
    board = replace(BOARDS["icesugar-pro"], ports=BOARDS["ulx3s-12f"].ports, display=Leds)
    with pytest.raises(TritweaveError, match=r"^port display\[0\]: ICESugarProPlatform has no 'led 0' \(.*led#0"):
        board.pins()


def test_the_command_lists_every_board_and_what_fits(tmp_path: Path) -> None:
    file = tmp_path / "boards.json"
    result = CliRunner().invoke(app, ["boards", "--json", str(file)])
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    assert list(found) == list(BOARDS)
    assert found["upduino-v3"]["link"] == "header pins 9 (from the host) and 6 (to the host)"
    assert (found["upduino-v3"]["spram"], found["ulx3s-85f"]["spram"]) == (True, False)
    assert found["ulx3s-12f"]["models"] == {
        "mnist": {"fits": False, "lacks": ["49 block RAMs of 32"]},
        "mnist-small": {"fits": True, "lacks": []},
    }
