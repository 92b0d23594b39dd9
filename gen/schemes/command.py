"""The command `tritweave quantise`: float weights by a published scheme."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gen.command import JsonOption, console, errors, progress_bar, write_json
from gen.imports.command import LayersOption
from gen.imports.opening import open_source
from gen.plan.examples import LabelsOption, VectorsOption, read_examples, require_labels
from gen.plan.presets import float_weights
from gen.schemes.quantising import chosen_layers, interface_of, measure_accuracy, quantise_layers
from gen.tables import figures_table
from golden.errors import TritweaveError
from golden.schemes.quantisers import SCHEMES, scheme_named


def quantise(
    scheme: Annotated[
        str, typer.Argument(help=f"One of {', '.join(SCHEMES)}; docs/schemes.md has the papers.", show_default=False)
    ],
    source: Annotated[
        Path, typer.Argument(help="A .safetensors file of float weights, a folder of them, or mnist-float.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The scheme file to write.")],
    layers: LayersOption = None,
    images: Annotated[
        int, typer.Option("--images", min=0, help="Run the result on so many of the vectors; it must be a network.")
    ] = 0,
    vectors: VectorsOption = None,
    labels: LabelsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Quantise float layers by a published scheme, and say what that loses.

    b1.58: trits and a scale · bitnet: signs and a scale · bwn: signs, a scale a row · xnor: the same, and inputs' signs
    · onebit: signs between two vectors of scales · billm: signs, twice for the columns that matter · group64, 128, 256:
    trits, a scale for so many inputs · atom: int4, the largest inputs' columns int8.

    Without --layers all matrices of the source are taken, in the order of their names.
    """
    if str(source) in SCHEMES and scheme not in SCHEMES:
        raise TritweaveError(f"{source} is a scheme and {scheme} a file; the scheme comes first: {source} {scheme}")
    scheme_named(scheme)
    opened = open_source(float_weights(source))
    names = chosen_layers(opened, layers or ())
    batch, answers = None, None
    if images or vectors:
        takes = interface_of(opened, names)
        batch, answers = read_examples(takes, images or None, vectors, labels, default=sys.maxsize)
        require_labels(answers)
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
    if beside := opened.companions(names):
        more = f" and {len(beside) - 3} more" if len(beside) > 3 else ""
        console.print(f"note: a scheme file has no place for {escape(', '.join(beside[:3]))}{more}")
    figures: dict[str, Any] = {"scheme": scheme, "source": opened.description, "layers": [vars(m) for m in made]}
    if batch is not None and answers is not None:
        with errors.status(f"running {len(batch)} vectors"):
            accuracy = measure_accuracy(output, batch, answers)
        result = figures_table(f"{scheme}, {len(batch):,} images")
        result.add_row("float form", f"{accuracy.floats:.2%}")
        result.add_row("integer form", f"{accuracy.integers:.2%}")
        result.add_row("integer to float", ", ".join(f"{value:.1e}" for value in accuracy.distances))
        console.print(result)
        figures["accuracy"] = accuracy.figures()
    write_json(json_file, figures)
