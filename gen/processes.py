"""Programs that a build runs: none of them, and none of what they start, outlives it."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from golden.errors import TritweaveError

# The read ends only when this process has ended, in whichever way, and takes the program's whole group with it.
_GUARD = """
exec 3<&0
"$@" </dev/null 3<&- & program=$!
( read _ <&3; kill -TERM 0 ) >/dev/null 2>&1 & guard=$!
wait $program; status=$?
kill -KILL $guard
exit $status
"""


def run_program(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a step of a build; what it printed, of which the error holds the end if it fails.

    Parameters
    ----------
    command
        Program and arguments.
    folder
        Where it runs.
    environment
        Of the program; this process's if none is given.

    """
    alive, held = os.pipe()
    try:
        with subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", *command],
            cwd=folder,
            env=environment,
            stdin=alive,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate()
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    finally:
        os.close(alive)
        os.close(held)
    if process.returncode:
        tail = "\n".join((output + errors).strip().splitlines()[-20:])
        raise TritweaveError(f"{Path(command[0]).name} failed with status {process.returncode}:\n{tail}")
    return output
