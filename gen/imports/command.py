"""The commands `tritweave import` and `tritweave inspect`: weights made elsewhere."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gen.command import JsonOption, console, progress_bar, write_json
from gen.imports.importing import Chain, import_layers, network_name
from gen.imports.inspecting import describe
from gen.imports.opening import open_source
from gen.imports.weights import Convention, Reading
from gen.tables import figures_table
from golden.files.layer_file import BIAS_UNITS
from golden.files.packing_i2s import LAYOUTS

LayersOption = Annotated[
    list[str] | None,
    typer.Option("--layers", metavar="PATTERN", help="Layers by name: a glob, or a regular expression as /…/."),
]
ScaleOption = Annotated[
    str | None, typer.Option("--scale", help="divide or multiply: what results have to do with the scales.")
]
ScalesOption = Annotated[
    list[str] | None,
    typer.Option("--scales", metavar="NAME", help="What follows a layer's name in its scales' name; or a whole name."),
]
I2sOption = Annotated[
    str | None, typer.Option("--i2s", metavar="LAYOUT", help=f"How I2_S is laid out: {', '.join(LAYOUTS)}.")
]
EpsilonOption = Annotated[
    float | None, typer.Option("--norm-epsilon", min=0, help="Of the norms of a source that does not say it.")
]


def import_weights(
    source: Annotated[Path, typer.Argument(help="A folder of safetensors, or one file of any kind that is read.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The layer file to write.")],
    layers: LayersOption = None,
    scale: ScaleOption = None,
    scales: ScalesOption = None,
    i2s: I2sOption = None,
    norm_epsilon: EpsilonOption = None,
    name: Annotated[str | None, typer.Option("--name", help="The network's name. Default: the output's.")] = None,
    input_type: Annotated[str, typer.Option("--input-type", help="What the network takes: uint8 or int8.")] = "uint8",
    input_unit: Annotated[float, typer.Option("--input-unit", help="What one unit of it is worth.")] = 1.0,
    relu: Annotated[bool, typer.Option("--relu/--no-relu", help="Between the network's layers.")] = True,
    bias_unit: Annotated[
        str,
        typer.Option("--bias-unit", help="What biases count in: results, or sums (of trits and int8 activations)."),
    ] = BIAS_UNITS[0],
    json_file: JsonOption = None,
) -> None:
    """Import ternary layers from transformers', GGUF, PyTorch, numpy or ONNX files into a layer file.

    Where each layer takes what the one before gives, the file is a MODEL for the other commands.
    """
    opened = open_source(source, _reading(scale, scales, norm_epsilon), i2s)
    names = opened.select(layers or ())
    chain = Chain(name or network_name(output), input_type, input_unit, relu, bias_unit)
    with progress_bar(f"importing {source.name}", len(names)) as advance:
        result = import_layers(opened, names, output, chain, advance)
    table = figures_table(str(output))
    for what, text in result.rows(output):
        table.add_row(what, escape(text))
    console.print(table)
    write_json(json_file, result.figures())


def inspect_file(
    file: Annotated[Path, typer.Argument(help="Any SOURCE of an import, or what it wrote, or a checkpoint.")],
    layers: LayersOption = None,
    scale: ScaleOption = None,
    scales: ScalesOption = None,
    i2s: I2sOption = None,
    json_file: JsonOption = None,
) -> None:
    """List the tensors of a file: type, shape, and a ternary layer's scale and share of -1, 0 and +1."""
    source = open_source(file, _reading(scale, scales), i2s)
    pending = describe(source, layers or ())
    table = Table(title=escape(source.description))
    for heading in ("tensor", "type", "shape", "scale", "-1, 0, +1 in %"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "tensor")
    figures, problems = [], []
    with progress_bar(f"reading {file.name}", len(pending)) as advance:
        for tell in pending:
            tensor = tell()
            table.add_row(*map(escape, tensor.row()))
            figures.append(tensor.figures())
            if tensor.problem:
                problems.append(f"cannot be imported: {tensor.problem}")
            advance(1)
    console.print(table)
    for note in (*source.notes(), *problems):
        console.print(f"note: {escape(note)}")
    write_json(json_file, {"source": source.description, "tensors": figures, "notes": source.notes()})


def _reading(scale: str | None, scales: list[str] | None, epsilon: float | None = None) -> Reading:
    convention: Convention | None = scale  # pyright: ignore[reportAssignmentType] - open_source checks it
    return Reading(convention, tuple(scales or ()), epsilon)
