"""How the command ends: in one line where it cannot go on, without a traceback, and leaving nothing half done."""

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from rich.console import Console
from rich.markup import escape

from golden.errors import TritweaveError

_ENDING = ("SIGTERM", "SIGHUP")


@contextmanager
def as_a_program() -> Iterator[None]:
    """Run a command line: what a terminal cannot show is replaced, signals clean up, errors are a line and status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    before = {number: signal.signal(number, _end) for name in _ENDING if (number := getattr(signal, name, None))}
    try:
        yield
    except (TritweaveError, OSError) as error:
        with suppress(OSError):
            line = f"[bold red]error:[/] {escape(_line(error))}"
            Console(stderr=True).print(line, highlight=False, soft_wrap=True)
        _drop_output()
        sys.exit(1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    """End as with an exception, so that every folder and process of a build goes too."""
    raise SystemExit(128 + number)


def _line(error: TritweaveError | OSError) -> str:
    if isinstance(error, TritweaveError):
        return str(error)
    reason = error.strerror or str(error) or type(error).__name__
    return f"{os.fsdecode(error.filename)}: {reason}" if isinstance(error.filename, str | bytes) else reason


def _drop_output() -> None:
    """Forget what standard output does not take, or Python would complain of it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
