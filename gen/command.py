"""What all commands share: the console, options, progress bars, and the figures that they print and write."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gen.plan import Fold, Plan, plan_network
from gen.presets import load_network
from golden.files import write_bytes
from golden.formats import PACKINGS
from rtl.config import ARRAYS

console = Console()

Model = Annotated[
    str,
    typer.Argument(help="A shipped network's name, or the path of a checkpoint or a scheme file.", show_default=False),
]
FoldOption = Annotated[
    str | None,
    typer.Option(
        "--fold", metavar="RxCxL", help="Outputs a cycle, inputs a cycle, stream lanes. Default: the model's."
    ),
]
PackingOption = Annotated[
    str | None, typer.Option("--packing", help=f"How weights are stored: {', '.join(PACKINGS)}. Default: the model's.")
]
ArrayOption = Annotated[
    str,
    typer.Option(
        "--array", help=f"How the array is made: {', '.join(ARRAYS)}; `ecp5` and `ice40` for their devices only."
    ),
]
InFlightOption = Annotated[
    int, typer.Option("--in-flight", min=1, max=2, help="Vectors in flight: 2 hide each other's latencies.")
]
SpramOption = Annotated[
    bool, typer.Option("--spram", help="Keep the weights in an iCE40 UP5K's SPRAM, to be loaded at run time.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to a file.")]


def plan_model(
    model: str,
    fold: str | None,
    packing: str | None,
    array: str,
    in_flight: int = 2,
    *,
    spram: bool = False,
    writable: bool = True,
) -> Plan:
    """The plan of a model as the options say, the model's own fold and packing where they say nothing."""
    network, preset = load_network(model)
    shape = Fold.parse(fold) if fold else preset.fold
    return plan_network(
        network,
        shape,
        packing=packing or preset.packing,
        array=array,
        vectors=in_flight,
        spram=spram,
        writable=writable,
    )


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar; the first step comes after the build."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{what}: preparing", total=total)

        def advance(count: int) -> None:
            progress.update(task, advance=count, description=what)

        yield advance


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write figures to a file, if there is one."""
    if path:
        write_bytes(path, (json.dumps(figures, indent=2) + "\n").encode())
