"""What all commands share: the console, progress bars, and the figures that they print and write."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gen.phases import heard_by
from golden.files.disk import check_writable, write_bytes

console = Console()
"""For results; what else there is to say goes to `errors`."""

errors = Console(stderr=True)


def writable(path: Path | None) -> Path | None:
    """Callback of options that name a file or folder to write: refuses early what could not be written late."""
    if path:
        check_writable(path)
    return path


JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", callback=writable, help="Write the figures to a file.")
]


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal's stderr, which also names the phases that `gen.phases` announces."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        task = progress.add_task(f"{what}: preparing", total=total)

        def advance(count: int) -> None:
            progress.update(task, advance=count, description=what)

        with heard_by(lambda phase: progress.update(task, description=f"{what}: {phase}")):
            yield advance


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write figures to a file, if there is one."""
    if path:
        write_bytes(path, (json.dumps(figures, indent=2) + "\n").encode())
