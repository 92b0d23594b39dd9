"""The command `tritium`: ternary networks to Verilog, and the proof that both compute the same."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gen.bench import Bench, bench_array, bench_decoder, steps
from gen.devices import DEVICES, device_named
from gen.fit import fit
from gen.output import write_output
from gen.plan import Fold, Plan, plan_network
from gen.presets import TEST_LABELS, TEST_VECTORS, load_network
from gen.tools import DEFAULT_PARTS, PARTS, part_named
from gen.training_data import RECIPES, recipe_named
from golden.checkpoint import write_checkpoint
from golden.errors import TritiumError
from golden.files import write_bytes
from golden.formats import PACKINGS
from rtl.array import ArrayConfig
from rtl.config import ARRAYS
from sim.compare import Comparison, compare, read_vectors

app = typer.Typer(
    name="tritium",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="""
    Turn a ternary network into an FPGA matrix engine, and prove that the two compute the same.

    A [bold]MODEL[/] is the name of a shipped network (mnist, mnist-small) or the path of a
    checkpoint (.safetensors; the format is described in golden/checkpoint.py).

    [bold]First steps[/]

      tritium plan mnist                      its engine's cycles and size
      tritium plan mnist --device ecp5-25f    the fastest that fits a device
      tritium generate mnist                  its Verilog and memory image
      tritium simulate mnist --images 1000    Verilator against the model
      tritium bench array                     the array's size and speed, placed and routed
    """,
)
bench = typer.Typer(no_args_is_help=True, help="Measure a component as built: synthesised, placed and routed.")
app.add_typer(bench, name="bench")
console = Console()

Model = Annotated[str, typer.Argument(help="A shipped network's name, or a checkpoint's path.", show_default=False)]
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
    str, typer.Option("--array", help=f"How the array is made: {', '.join(ARRAYS)} (for ECP5 devices only).")
]
InFlightOption = Annotated[
    int, typer.Option("--in-flight", min=1, max=2, help="Vectors in flight: 2 hide each other's latencies.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to a file.")]

FamilyOption = Annotated[str, typer.Option("--family", help=f"{' or '.join(DEFAULT_PARTS)}.")]
PartOption = Annotated[
    str | None,
    typer.Option("--device", help=f"One of {', '.join(PARTS)}. Default: {' or '.join(DEFAULT_PARTS.values())}."),
]
BuildPackingOption = Annotated[str, typer.Option("--packing", help=f"One of {', '.join(PACKINGS)}.")]
SeedsOption = Annotated[int, typer.Option("--seeds", help="Placements; the clock is their median.")]


@app.command()
def plan(
    model: Model,
    fold: FoldOption = None,
    packing: PackingOption = None,
    array: ArrayOption = "portable",
    in_flight: InFlightOption = 2,
    device: Annotated[
        str | None, typer.Option("--device", help=f"Choose the fastest fold that fits: {', '.join(DEVICES)}.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Predict an engine's cycles, memories and area, and choose its fold for a device."""
    if fold and device:
        raise TritiumError(f"both --fold {fold} and --device {device} are given; one of them decides the fold")
    network, preset = load_network(model)
    if device:
        chosen = fit(network, device_named(device), packing=packing or preset.packing, array=array, vectors=in_flight)
    else:
        chosen = _plan(model, fold, packing, array, in_flight)
    _show_plan(chosen, device)
    if json_file:
        _write_json(json_file, chosen.figures())


@app.command()
def generate(
    model: Model,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Default: build/MODEL.")
    ] = None,
    fold: FoldOption = None,
    packing: PackingOption = None,
    array: ArrayOption = "portable",
    in_flight: InFlightOption = 2,
    empty: Annotated[
        bool, typer.Option("--empty", help="Leave the memories empty, to be loaded through the load port.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Write an engine's Verilog, its memory image and its lint waivers."""
    chosen = _plan(model, fold, packing, array, in_flight)
    folder = output or Path("build") / chosen.network.name
    with console.status("generating Verilog"):
        files = write_output(chosen, folder, initialised=not empty)
    table = Table("file", "bytes", "what")
    for file, what in files.items():
        table.add_row(str(file), f"{file.stat().st_size:,}", what)
    console.print(table)
    if json_file:
        _write_json(json_file, chosen.figures() | {"files": [str(file) for file in files]})


@app.command()
def simulate(
    model: Model,
    images: Annotated[int, typer.Option("--images", min=1, help="How many of the vectors to run.")] = 1000,
    vectors: Annotated[
        Path, typer.Option("--vectors", metavar="FILE", help="IDX file of input vectors. Default: MNIST test images.")
    ] = TEST_VECTORS,
    labels: Annotated[Path | None, typer.Option("--labels", metavar="FILE", help="IDX file of their labels.")] = None,
    fold: FoldOption = None,
    packing: PackingOption = None,
    array: ArrayOption = "portable",
    in_flight: InFlightOption = 2,
    alone: Annotated[
        bool, typer.Option("--alone", help="Offer each vector only once the one before has left: batch 1.")
    ] = False,
    load: Annotated[
        bool, typer.Option("--load", help="Bring the weights in through the load port instead of building them in.")
    ] = False,
    waves: Annotated[
        Path | None, typer.Option("--waves", metavar="FILE", help="Write a trace, .fst or .vcd (use few images).")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Simulations at a time.")] = 2,
    json_file: JsonOption = None,
) -> None:
    """Run a network's Verilog in Verilator and compare every logit and cycle with the model.

    The exit status is 0 only if every logit is equal and the simulated cycles are the predicted ones.
    """
    chosen = _plan(model, fold, packing, array, in_flight)
    answers = labels or (TEST_LABELS if vectors == TEST_VECTORS else None)
    batch, wanted = read_vectors(chosen, images, vectors, answers)
    with _progress(f"simulating {chosen.network.name}", len(batch)) as advance:
        result = compare(
            chosen, batch, wanted, alone=alone, loaded=load, workers=workers, waves=waves, progress=advance
        )
    _show_comparison(chosen, result)
    if json_file:
        _write_json(json_file, result.figures())
    if not result.exact:
        raise TritiumError("the simulation is not what the model and the plan say; see the table")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help=f"{' or '.join(RECIPES)}.", show_default=False)],
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Where the four MNIST IDX files (.gz) are.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: build/RECIPE.safetensors.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Default: the recipe's.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same machine: same checkpoint.")] = 0,
    json_file: JsonOption = None,
) -> None:
    """Train a ternary network and export its checkpoint (needs the optional extra `train`)."""
    chosen = recipe_named(recipe)
    try:
        from gen.training import Epoch
        from gen.training import train as run_training
    except ImportError as error:
        raise TritiumError(
            f"training needs PyTorch ({error}); install it with: pip install 'tritium[train]'"
        ) from error
    with _progress(f"training {recipe}", epochs or chosen.epochs) as advance:

        def show(epoch: Epoch) -> None:
            advance(1)

        trained = run_training(chosen, data, seed=seed, epochs=epochs, progress=show)
    file = output or Path("build") / f"{recipe}.safetensors"
    write_checkpoint(file, trained.network)
    table = _figures(f"{recipe}, seed {seed}")
    table.add_row("checkpoint", str(file))
    table.add_row("trits", f"{trained.network.trits:,}")
    table.add_row("float accuracy", f"{trained.float_accuracy:.2%}")
    table.add_row("integer accuracy", f"{trained.integer_accuracy:.2%}")
    console.print(table)
    if json_file:
        figures = {"float_accuracy": trained.float_accuracy, "integer_accuracy": trained.integer_accuracy}
        _write_json(json_file, {"recipe": recipe, "seed": seed, "trits": trained.network.trits} | figures)


@bench.command()
def array(
    family: FamilyOption = "ecp5",
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
    with _progress(f"{implementation} array on {part.name}", steps(seeds)) as advance:
        result = bench_array(part, config, packing=packing, array=implementation, seeds=seeds, progress=advance)
    _show_bench(f"{implementation} array {rows} x {columns}, {packing}", result, json_file)


@bench.command()
def decoder(
    family: FamilyOption = "ecp5",
    device: PartOption = None,
    packing: BuildPackingOption = "5t8b",
    groups: Annotated[int, typer.Option("--groups", help="Decoders side by side.")] = 8,
    seeds: SeedsOption = 3,
    json_file: JsonOption = None,
) -> None:
    """Measure the decoder of a packing: LUT4 a group and a trit, clock."""
    part = part_named(family, device)
    with _progress(f"{packing} decoder on {part.name}", steps(seeds)) as advance:
        result = bench_decoder(part, packing, groups=groups, seeds=seeds, progress=advance)
    _show_bench(f"{groups} decoders, {packing}", result, json_file)


def _plan(model: str, fold: str | None, packing: str | None, array: str, in_flight: int) -> Plan:
    network, preset = load_network(model)
    shape = Fold.parse(fold) if fold else preset.fold
    return plan_network(network, shape, packing=packing or preset.packing, array=array, vectors=in_flight)


def _show_plan(chosen: Plan, device: str | None) -> None:
    config, cycles, area = chosen.config, chosen.cycles, chosen.area
    layers = Table("layer", "outputs x inputs", "tiles x chunks", "array cycles", title=f"{chosen.network.name}")
    for index, (layer, (tiles, chunks)) in enumerate(zip(chosen.network.layers, chosen.tiling, strict=True)):
        shape = f"{layer.outputs} x {layer.inputs}"
        layers.add_row(str(index), shape, f"{tiles} x {chunks}", f"{tiles * chunks:,}")
    console.print(layers)
    table = _figures("engine")
    table.add_row("fold", f"{config.rows} rows x {config.columns} columns, {config.lanes} lanes")
    table.add_row("weights", f"{chosen.network.trits:,} trits, packed as {config.packing}")
    table.add_row("accumulators", f"{config.accumulator_width} bits")
    table.add_row("a vector alone", f"{cycles.latency:,} cycles, {cycles.compute:,} of them from its first chunk on")
    table.add_row("vectors in flight", f"{config.vectors}")
    table.add_row("cycles per vector", f"{cycles.period:,.10g} in steady state, array busy {cycles.busy:.1%}")
    table.add_row("utilisation", f"{cycles.utilisation:.1%}")
    for name, depth in config.depths.items():
        table.add_row(f"{name} memory", f"{depth:,} words of {sum(config.transfers[name]):,} bits")
    _add_area(table, chosen)
    if device:
        limit = device_named(device)
        table.add_row(device, f"{limit.lut4:,} LUT4 ({area.lut4 / limit.lut4:.0%} used), {limit.block_rams} block RAMs")
    console.print(table)


def _show_comparison(chosen: Plan, result: Comparison) -> None:
    table = _figures(f"{result.model} in Verilator, {result.fold}")
    if result.accuracy is not None:
        table.add_row("accuracy", f"{result.accuracy:.2%}")
    table.add_row(
        "logits equal to golden",
        _checked(f"{result.logits_equal:,} of {result.images:,} images", result.logits_equal == result.images),
    )
    table.add_row(
        "in and out in the predicted cycles",
        _checked(f"{result.times_equal:,} of {result.images:,} images", result.times_equal == result.images),
    )
    table.add_row("cycles, all images", f"{result.cycles_simulated:,} simulated, {result.cycles_predicted:,} predicted")
    table.add_row("cycles per image", f"{result.period:,.10g}{' alone' if result.alone else ', steady state'}")
    table.add_row("longest way through", f"{result.latency_simulated:,} cycles")
    table.add_row("array utilisation", f"{result.utilisation:.1%} (busy {result.array_busy:.1%})")
    _add_area(table, chosen)
    table.add_row("time", f"{result.seconds:.1f} s, build included")
    console.print(table)


def _show_bench(title: str, result: Bench, json_file: Path | None) -> None:
    cells, part = result.cells, result.part
    table = _figures(f"{title} on {part.family} {part.name}")
    table.add_row("LUT4", f"{cells.lut4:,} {part.logic_cell}")
    table.add_row("registers", f"{cells.registers:,}")
    table.add_row("block RAMs, multipliers", f"{cells.block_rams}, {cells.multipliers}")
    for unit, number in result.units.items():
        table.add_row(f"{unit}s a cycle", f"{number:,}")
        table.add_row(f"LUT4 per {unit}", f"{result.lut_per[unit]:.2f}")
    speeds = ", ".join(f"{speed:.1f}" for speed in result.fmax_mhz_seeds)
    table.add_row("fmax, median", f"{result.fmax_mhz:.1f} MHz of {speeds}")
    if result.rates:
        table.add_row("GMAC/s", f"{result.rates['gmac_per_s']:.1f}")
        table.add_row("GMAC/s per kLUT4", f"{result.rates['gmac_per_s_per_klut']:.2f}")
    for program, version in result.tools.items():
        table.add_row(program, version)
    console.print(table)
    console.print(result.rule, style="dim")
    if json_file:
        _write_json(json_file, result.figures())


def _figures(title: str) -> Table:
    table = Table(title=title, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    return table


def _add_area(table: Table, chosen: Plan) -> None:
    area = chosen.area
    parts = f"array {area.array:,}, decoder {area.decoder:,}, quantiser {area.quantiser:,}, rest {area.rest:,}"
    table.add_row(f"{area.family} estimate", f"{area.lut4:,} LUT4 ({parts}), {area.block_rams} block RAMs")


def _checked(text: str, good: bool) -> str:
    return f"[green]{text}[/]" if good else f"[bold red]{text}[/]"


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
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


def _write_json(path: Path, figures: dict[str, Any]) -> None:
    write_bytes(path, (json.dumps(figures, indent=2) + "\n").encode())


def main() -> None:
    """Run the command; input that cannot be used ends it with one line and status 1."""
    try:
        app()
    except TritiumError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
