import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gen.processes import run_program
from golden.errors import TritweaveError

SLEEPER = "echo $$ > pid; sleep 60 & wait"


def test_output_comes_back_and_a_failure_shows_its_end(tmp_path: Path) -> None:
    assert run_program(["sh", "-c", "echo out; echo err >&2"], tmp_path) == "out\n"
    assert run_program(["sh", "-c", "echo $X"], tmp_path, {"X": "1"}) == "1\n"
    with pytest.raises(TritweaveError, match=r"(?s)sh failed with status 3:\nwhy"):
        run_program(["sh", "-c", "echo why >&2; exit 3"], tmp_path)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_program_outlives_the_command(number: signal.Signals, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from gen.endings import as_a_program; from gen.processes import run_program\n"
        f"with as_a_program(): run_program(['sh', '-c', {SLEEPER!r}], Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as process:
        _until(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text().strip())
        process.send_signal(number)
    group = Path("/proc") / (tmp_path / "pid").read_text().strip()
    _until(lambda: not group.exists())


def _until(reached) -> None:
    """Wait until something is so, ten seconds at most."""
    end = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)
