"""The commands `tritweave import` and `tritweave inspect`: weights made elsewhere."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gen.command import JsonOption, console, progress_bar, write_json
from gen.imports.importing import Chain, import_layers, network_name, open_source
from gen.imports.inspecting import describe
from gen.tables import figures_table
from golden.files.packing_gguf import I2S_BLOCKS

LayersOption = Annotated[
    list[str] | None,
    typer.Option("--layers", metavar="PATTERN", help="Layers by name: a glob, or a regular expression as /…/."),
]
ScaleOption = Annotated[
    str | None, typer.Option("--scale", help="divide or multiply: what packed weights do that have no config.json.")
]
I2sOption = Annotated[
    int, typer.Option("--i2s-block", help=f"Trits in a block of I2_S: {I2S_BLOCKS[0]}, or {I2S_BLOCKS[1]} from ARM.")
]


def import_weights(
    source: Annotated[Path, typer.Argument(help="A folder of safetensors, or a .safetensors or .gguf file.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The layer file to write.")],
    layers: LayersOption = None,
    scale: ScaleOption = None,
    i2s_block: I2sOption = I2S_BLOCKS[0],
    name: Annotated[str | None, typer.Option("--name", help="The network's name. Default: the output's.")] = None,
    input_type: Annotated[str, typer.Option("--input-type", help="What the network takes: uint8 or int8.")] = "uint8",
    input_unit: Annotated[float, typer.Option("--input-unit", help="What one unit of it is worth.")] = 1.0,
    relu: Annotated[bool, typer.Option("--relu/--no-relu", help="Between the network's layers.")] = True,
    json_file: JsonOption = None,
) -> None:
    """Import ternary layers from Hugging Face BitNet or GGUF weights into a layer file.

    Where each layer takes what the one before gives, the file is a MODEL for the other commands.
    """
    opened = open_source(source, scale, i2s_block)
    names = opened.select(layers or ())
    chain = Chain(name or network_name(output), input_type, input_unit, relu)
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
    i2s_block: I2sOption = I2S_BLOCKS[0],
    json_file: JsonOption = None,
) -> None:
    """List the tensors of a file: type, shape, and a ternary layer's scale and share of -1, 0 and +1."""
    source = open_source(file, scale, i2s_block)
    pending = describe(source, layers or ())
    table = Table(title=escape(source.description))
    for heading in ("tensor", "type", "shape", "scale", "-1, 0, +1 in %"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "tensor")
    figures = []
    with progress_bar(f"reading {file.name}", len(pending)) as advance:
        for tell in pending:
            tensor = tell()
            table.add_row(*map(escape, tensor.row()))
            figures.append(tensor.figures())
            advance(1)
    console.print(table)
    write_json(json_file, {"source": source.description, "tensors": figures})
