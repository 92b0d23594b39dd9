from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from boards.catalogue import BOARDS
from boards.flash import flash_command
from golden.errors import TritweaveError
from tritweave import app


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, with a working directory beside it."""
    folder, work = tmp_path / "bin", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, name: str, status: int = 0) -> None:
    """A program that writes its arguments into a file."""
    program = folder / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder.parent}/arguments\nexit {status}\n')
    program.chmod(0o755)


def build(name: str, file: str) -> Path:
    folder = Path.cwd() / "build" / name
    folder.mkdir(parents=True)
    (folder / file).write_bytes(b"bits")
    return folder / file


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["flash", *arguments])


@pytest.mark.parametrize(
    ("arguments", "program", "file", "expected"),
    [
        (("icebreaker",), "openFPGALoader", "tritweave.flash", ["-b", "ice40_generic", "-f"]),
        (("upduino-v3",), "iceprog", "tritweave.flash", []),
        (("ice40-hx8k", "--ram"), "iceprog", "tritweave.bin", ["-S"]),
        (("ulx3s-45f", "--ram"), "openFPGALoader", "tritweave.bit", ["-b", "ulx3s", "-m"]),
        (("ulx3s-45f",), "openFPGALoader", "tritweave.bit", ["-b", "ulx3s", "-f"]),
        (("orangecrab-25f",), "openFPGALoader", "tritweave.bit", ["-b", "orangeCrab"]),
        (("orangecrab-25f",), "dfu-util", "tritweave.bit", ["-d", "1209:5af0", "-a", "0", "-D"]),
        (("icebreaker",), "iceprog", "tritweave.flash", []),
        (("icesugar-pro",), "icesprog", "tritweave.bit", []),
    ],
)
def test_the_last_build_goes_to_the_boards_program(
    arguments: tuple[str, ...], program: str, file: str, expected: list[str], programs: Path
) -> None:
    install(programs, program)
    bitstream = build(arguments[0], file)
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert (programs.parent / "arguments").read_text().splitlines() == [*expected, str(bitstream)]


def test_another_file_can_be_given(programs: Path) -> None:
    install(programs, "openFPGALoader")
    other = programs.parent / "other.bit"
    other.write_bytes(b"bits")
    assert invoke("ulx3s-12f", "--bitstream", str(other)).exit_code == 0
    assert (programs.parent / "arguments").read_text().splitlines()[-1] == str(other)


def test_what_stands_in_the_way_is_named(programs: Path) -> None:
    def refused(*arguments: str) -> str:
        error = invoke(*arguments).exception
        assert isinstance(error, TritweaveError)
        return str(error)

    assert "build one with: tritweave build ulx3s-12f MODEL" in refused("ulx3s-12f")
    build("ulx3s-12f", "tritweave.bit")
    assert "needs openFPGALoader, not found on PATH; install" in refused("ulx3s-12f")
    build("orangecrab-85f", "tritweave.bit")
    assert "needs dfu-util or openFPGALoader, not found on PATH; " in refused("orangecrab-85f")
    install(programs, "openFPGALoader", status=3)
    assert "openFPGALoader failed with status 3; see that ulx3s-12f is connected" in refused("ulx3s-12f")
    assert "icebreaker is not configured through its RAM here; flash it without --ram" in refused("icebreaker", "--ram")
    assert "board 'x' is not known" in refused("x")


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_can_be_configured(name: str, programs: Path) -> None:
    board, file = BOARDS[name], programs / "any.bit"
    file.write_bytes(b"bits")
    assert board.ram or board.flash
    for ram, ways in ((True, board.ram), (False, board.flash)):
        for program, *arguments in reversed(ways):
            install(programs, program)
            assert flash_command(board, file, ram=ram) == [str(programs / program), *arguments, str(file)]
