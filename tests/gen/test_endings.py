import os
import subprocess
import sys
from pathlib import Path

import pytest

from gen.endings import as_a_program

PLAN = "from tritweave import main; import sys; sys.argv = ['tritweave', 'plan', 'mnist-small', *sys.argv[1:]]; main()"


def plan(*arguments: str, **settings) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", PLAN, *arguments], stderr=subprocess.PIPE, text=True, **settings)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "there"), "there: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
    ],
)
def test_an_error_of_the_system_is_one_line(error: OSError, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"), as_a_program():
        raise error
    assert capsys.readouterr().err == f"error: {line}\n"


def test_a_full_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = plan(stdout=full)
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def test_a_terminal_without_utf8_gets_what_it_can_show() -> None:
    done = plan(stdout=subprocess.PIPE, env=os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "outputs x inputs" in done.stdout
    assert done.stdout.isascii()


def test_figures_reach_a_pipe_behind_the_tables() -> None:
    done = plan("--json", "/dev/stdout", stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("}\n")
