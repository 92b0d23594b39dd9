"""What all commands share: the console, progress bars, and the figures that they print and write."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from golden.files.disk import write_bytes

console = Console()

JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to a file.")]


@contextmanager
def progress_bar(what: str, total: int, output: Console = console) -> Iterator[Callable[[int], None]]:
    """A progress bar; the first step comes after the build."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=output) as progress:
        task = progress.add_task(f"{what}: preparing", total=total)

        def advance(count: int) -> None:
            progress.update(task, advance=count, description=what)

        yield advance


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write figures to a file, if there is one."""
    if path:
        write_bytes(path, (json.dumps(figures, indent=2) + "\n").encode())
