"""The command `tritweave bench`: what was built, and what came out."""

from pathlib import Path
from typing import Annotated

import typer

from gen.bench.engine import bench_engine
from gen.bench.measure import Bench, steps
from gen.bench.parts import bench_array, bench_decoder
from gen.bench.plot import plot_benches, read_figures
from gen.bench.tables import bench_table, engine_table
from gen.command import JsonOption, console, progress_bar, write_json
from gen.plan.command import (
    ArrayOption,
    DividerOption,
    FoldOption,
    InFlightOption,
    Model,
    PackingOption,
    SpramOption,
    plan_model,
)
from gen.tables import files_table
from gen.tools import DEFAULT_PARTS, PARTS, part_named
from golden.formats import PACKINGS
from rtl.array.interface import ArrayConfig
from rtl.engine.config import ARRAYS

app = typer.Typer(no_args_is_help=True, help="Measure a component or an engine as built: synthesised, placed, routed.")

FamilyOption = Annotated[
    str | None, typer.Option("--family", help=f"{' or '.join(DEFAULT_PARTS)}. Default: the device's, or ecp5.")
]
PartOption = Annotated[
    str | None,
    typer.Option("--device", help=f"One of {', '.join(PARTS)}. Default: {' or '.join(DEFAULT_PARTS.values())}."),
]
BuildPackingOption = Annotated[str, typer.Option("--packing", help=f"One of {', '.join(PACKINGS)}.")]
SeedsOption = Annotated[int, typer.Option("--seeds", help="Placements; the clock is their median.")]
MhzOption = Annotated[
    int | None,
    typer.Option(
        "--mhz",
        help=f"The clock to aim at. Default: {', '.join(f'{p.engine_mhz} on {p.device}' for p in PARTS.values())}.",
    ),
]


@app.command()
def array(
    family: FamilyOption = None,
    device: PartOption = None,
    rows: Annotated[int, typer.Option("--rows", help="Outputs a cycle.")] = 16,
    columns: Annotated[int, typer.Option("--columns", help="Inputs a cycle.")] = 16,
    packing: BuildPackingOption = "2b",
    implementation: Annotated[str, typer.Option("--array", help=f"One of {', '.join(ARRAYS)}.")] = "portable",
    inputs: Annotated[int, typer.Option("--inputs", help="Longest sum; it sets the accumulators' width.")] = 4128,
    seeds: SeedsOption = 3,
    json_file: JsonOption = None,
) -> None:
    """Measure the array: LUT4 a multiply-accumulate, clock, multiply-accumulates a second."""
    part = part_named(family, device)
    config = ArrayConfig(rows, columns, inputs)
    with progress_bar(f"{implementation} array on {part.device}", steps(seeds)) as advance:
        result = bench_array(part, config, packing=packing, array=implementation, seeds=seeds, progress=advance)
    _show(f"{implementation} array {rows} x {columns}, {packing}", result, json_file)


@app.command()
def decoder(
    family: FamilyOption = None,
    device: PartOption = None,
    packing: BuildPackingOption = "5t8b",
    groups: Annotated[int, typer.Option("--groups", help="Decoders side by side.")] = 8,
    seeds: SeedsOption = 3,
    json_file: JsonOption = None,
) -> None:
    """Measure the decoder of a packing: LUT4 a group and a trit, clock."""
    part = part_named(family, device)
    with progress_bar(f"{packing} decoder on {part.device}", steps(seeds)) as advance:
        result = bench_decoder(part, packing, groups=groups, seeds=seeds, progress=advance)
    _show(f"{groups} decoders, {packing}", result, json_file)


@app.command()
def engine(
    model: Model,
    family: FamilyOption = None,
    device: PartOption = None,
    fold: FoldOption = None,
    packing: PackingOption = None,
    implementation: ArrayOption = "portable",
    in_flight: InFlightOption = 2,
    divider: DividerOption = None,
    spram: SpramOption = False,
    mhz: MhzOption = None,
    load: Annotated[
        bool, typer.Option("--load", help="Build the load port too; without it the weights are in ROMs.")
    ] = False,
    seeds: SeedsOption = 1,
    json_file: JsonOption = None,
) -> None:
    """Measure a whole engine with its network: size, clock, images a second (minutes; for large folds an hour)."""
    part = part_named(family, device)
    plan = plan_model(
        model, fold, packing, implementation, in_flight, divider=divider, spram=spram, writable=load or spram
    )
    with progress_bar(f"{plan.network.name} engine on {part.device}", steps(seeds)) as advance:
        result = bench_engine(part, plan, mhz=part.engine_mhz if mhz is None else mhz, seeds=seeds, progress=advance)
    console.print(engine_table(result))
    console.print(result.rule, style="dim")
    write_json(json_file, result.figures())


@app.command()
def plot(
    files: Annotated[list[Path], typer.Argument(metavar="F.json...", help="What --json of the benches wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the pictures go.")] = Path(
        "build/plots"
    ),
    json_file: JsonOption = None,
) -> None:
    """Draw arrays and engines: LUT4 a multiply-accumulate against clock, and engines against their weight memory."""
    pictures = plot_benches([read_figures(file) for file in files], output)
    console.print(files_table(pictures))
    write_json(json_file, {"files": [str(file) for file in pictures]})


def _show(title: str, result: Bench, json_file: Path | None) -> None:
    console.print(bench_table(title, result))
    console.print(result.rule, style="dim")
    write_json(json_file, result.figures())
