"""The commands `tritium quantise` and `tritium estimate`: published schemes, and what they would cost."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gen.command import FoldOption, JsonOption, console, progress_bar, write_json
from gen.devices import DEVICES, device_named
from gen.estimate import Estimate, estimate_model, make_target
from gen.estimate_published import compare_published
from gen.import_command import LayersOption
from gen.importing import open_source
from gen.model_shapes import MODELS, model_named
from gen.plan import Fold
from gen.quantising import check_images, measure_accuracy, quantise_layers
from gen.tables import figures_table
from golden.errors import TritiumError
from golden.formats import PACKINGS
from golden.schemes import SCHEMES, scheme_named


def quantise(
    scheme: Annotated[str, typer.Argument(help=f"One of {', '.join(SCHEMES)}.", show_default=False)],
    source: Annotated[Path, typer.Argument(help="A .safetensors file of float weights, or a folder of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The scheme file to write.")],
    layers: LayersOption = None,
    images: Annotated[
        int, typer.Option("--images", min=0, help="Run the result on so many MNIST test images; it must be a network.")
    ] = 0,
    json_file: JsonOption = None,
) -> None:
    """Quantise float layers by a published scheme, and say what that loses.

    Without --layers all matrices of the source are taken, in the order of their names.
    """
    scheme_named(scheme)
    opened = open_source(source)
    names = opened.select(layers or ()) if layers or opened.layers else opened.matrices()
    if not names:
        raise TritiumError(f"{source} holds no matrix whose name ends in {opened.weight}")
    if images:
        check_images(opened, names, images)
    with progress_bar(f"quantising {source.name}", len(names)) as advance:
        made = quantise_layers(scheme, opened, names, output, advance)
    table = Table(title=escape(str(output)))
    for heading in ("layer", "outputs x inputs", "planes x segments", "error", "accumulator", "shift"):
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    for layer in made:
        shape, parts = f"{layer.outputs} x {layer.inputs}", f"{layer.planes} x {layer.segments}"
        bits = f"{layer.accumulator_bits} bits"
        table.add_row(escape(layer.name), shape, parts, f"{layer.error:.1%}", bits, str(layer.shift))
    console.print(table)
    figures: dict[str, Any] = {"scheme": scheme, "source": opened.description, "layers": [vars(m) for m in made]}
    if images:
        with console.status(f"running {images} images"):
            accuracy = measure_accuracy(output, images)
        result = figures_table(f"{scheme}, {images:,} images")
        result.add_row("float form", f"{accuracy.floats:.2%}")
        result.add_row("integer form", f"{accuracy.integers:.2%}")
        result.add_row("integer to float", ", ".join(f"{value:.1e}" for value in accuracy.distances))
        console.print(result)
        figures["accuracy"] = accuracy.figures()
    write_json(json_file, figures)


def estimate(
    model: Annotated[
        str, typer.Argument(help=f"A config.json, its folder, or one of {', '.join(MODELS)}.", show_default=False)
    ],
    device: Annotated[
        str | None, typer.Option("--device", help=f"Largest fold and memory of {', '.join(DEVICES)}.")
    ] = None,
    fold: FoldOption = None,
    packing: Annotated[str, typer.Option("--packing", help=f"One of {', '.join(PACKINGS)}.")] = "5t8b",
    mhz: Annotated[
        float | None, typer.Option("--mhz", help="The engine's clock. Default: that of the device's engines, or 100.")
    ] = None,
    bandwidth: Annotated[
        float, typer.Option("--bandwidth", help="Of external memory, GB/s. Default: 16 bits of DDR3 at 800 MT/s.")
    ] = 1.6,
    json_file: JsonOption = None,
) -> None:
    """Estimate a language model's bytes, cycles, time and energy of a token by scheme, against FP16.

    For models of the BitNet b1.58 paper, its own figures stand beside.
    """
    shape = model_named(model)
    chosen = device_named(device) if device else None
    target = make_target(shape, Fold.parse(fold) if fold else None, packing, chosen, mhz, bandwidth)
    estimates = estimate_model(shape, target)
    table = figures_table(escape(shape.name))
    table.add_row("weights", f"{shape.linear:,} in linear layers, {shape.others:,} in 16 bits")
    table.add_row("keys and values", f"{shape.cache:,} bytes a token of context, in 16 bits")
    table.add_row("engine", f"{target.fold}, {packing}, {target.mhz:g} MHz")
    table.add_row("external memory", f"{bandwidth:g} GB/s; {_needed(target.fold, packing, target.mhz)}")
    if chosen:
        table.add_row(chosen.name, f"{target.memory:,} bytes of memory")
    console.print(table)
    console.print(_estimates_table(estimates))
    comparisons = compare_published(shape, estimates)
    if comparisons:
        published = Table("figure", "paper", "ours", "why they differ", title="beside the paper of BitNet b1.58")
        for comparison in comparisons:
            published.add_row(*comparison.cells())
        console.print(published)
    figures = {
        "model": shape.name,
        "linear_weights": shape.linear,
        "other_weights": shape.others,
        "cache_bytes_per_token": shape.cache,
        "fold": str(target.fold),
        "packing": packing,
        "mhz": target.mhz,
        "bandwidth_bytes_per_s": target.bandwidth,
        "device": device,
        "device_bytes": target.memory,
        "schemes": [estimate.figures() for estimate in estimates],
        "published": [comparison._asdict() for comparison in comparisons],
    }
    write_json(json_file, figures)


def _needed(fold: Fold, packing: str, mhz: float) -> str:
    code = PACKINGS[packing]
    rate = fold.rows * fold.columns * code.bits / code.trits / 8 * mhz * 1e6
    return f"{rate / 1e9:.3g} GB/s keep the array busy"


def _estimates_table(estimates: list[Estimate]) -> Table:
    table = Table(title="a token, batch 1, linear layers only; planes are stored as trits")
    for heading in ("scheme", "bits", "MB", "GB in all", "cycles", "ms array", "ms memory", "tokens/s", "on chip"):
        table.add_column(heading, justify="left" if heading == "scheme" else "right")
    processes = list(estimates[0].millijoules)
    for process in processes:
        table.add_column(f"mJ {process}", justify="right")
    table.add_column("mJ, 32-bit sums", justify="right")
    for estimate in estimates:
        token = estimate.token_milliseconds
        table.add_row(
            estimate.scheme,
            f"{estimate.bits:.2f}",
            f"{estimate.weight_bytes / 1e6:,.1f}",
            f"{estimate.model_bytes / 1e9:.3g}",
            _number(estimate.cycles, ",.0f"),
            _number(estimate.milliseconds, ",.3g"),
            f"{estimate.memory_milliseconds:,.4g}",
            _number(None if token is None else 1e3 / token, ",.3g"),
            "yes" if estimate.on_chip else "no",
            *(_number(estimate.millijoules[process], ".3g") for process in processes),
            _number(estimate.wide_millijoules, ".3g"),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
