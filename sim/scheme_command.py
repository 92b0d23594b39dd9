"""The command `tritweave compare`: every published scheme on one network and one engine, and trained ones beside."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from gen.command import JsonOption, console, progress_bar, write_json
from gen.imports.command import LayersOption
from gen.imports.opening import open_source
from gen.plan.examples import LabelsOption, VectorsOption, read_examples, require_labels
from gen.plan.plan import Fold
from gen.plan.presets import TRAINED, float_weights, load_network, scheme_of
from gen.schemes.quantising import chosen_layers, float_matrix, interface_of
from gen.tools import find_tools
from golden.errors import TritweaveError
from golden.formats import PACKINGS
from golden.schemes.network import AnyNetwork, integer_network
from golden.schemes.quantisers import SCHEMES, quantise, scheme_named
from sim.scheme_plot import plot_schemes
from sim.schemes import SchemeRow, measure_scheme

_SIMULATED = 1000


class _Candidate(NamedTuple):
    scheme: str
    network: AnyNetwork
    weights: int
    trained: bool


def compare_schemes(
    source: Annotated[Path, typer.Argument(help="Float weights of a network: .safetensors, a folder, or mnist-float.")],
    schemes: Annotated[
        list[str] | None, typer.Option("--scheme", help=f"Repeatable. Default: {', '.join(SCHEMES)}.")
    ] = None,
    trained: Annotated[
        list[str] | None,
        typer.Option("--trained", metavar="MODEL", help=f"Also a trained one: {', '.join(TRAINED)}, or a file."),
    ] = None,
    layers: LayersOption = None,
    images: Annotated[
        int | None, typer.Option("--images", min=1, help="Vectors for the golden model. Default: 10,000, or all.")
    ] = None,
    vectors: VectorsOption = None,
    labels: LabelsOption = None,
    simulated: Annotated[
        int | None, typer.Option("--simulate", min=1, help=f"How many of them run in Verilator. Default: {_SIMULATED}.")
    ] = None,
    fold: Annotated[str, typer.Option("--fold", metavar="RxCxL", help="Of every engine.")] = "16x16x8",
    packing: Annotated[str, typer.Option("--packing", help=f"One of {', '.join(PACKINGS)}.")] = "3t5b",
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Simulations at a time.")] = 2,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw accuracy against cost, PNG.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Quantise a float network by every published scheme, and run each on the same engine (a minute a scheme).

    Networks that were trained with a scheme (`tritweave train mnist --scheme …`) stand beside them with --trained.

    `tritweave train mnist --float` makes such a network. The exit status is 0 only if every logit that was simulated is
    the golden model's, and every cycle as predicted.
    """
    chosen = schemes or list(SCHEMES)
    for scheme in chosen:
        scheme_named(scheme)
    opened = open_source(float_weights(source))
    names = chosen_layers(opened, layers or ())
    batch, found = read_examples(interface_of(opened, names), images, vectors, labels, default=10_000)
    answers = require_labels(found)
    run = min(_SIMULATED, len(batch)) if simulated is None else simulated
    if run > len(batch):
        raise TritweaveError(f"--simulate is {run}; at most the {len(batch)} of --images can be simulated")
    learnt = [_learnt(model, batch.shape[1]) for model in trained or ()]
    weights = [float_matrix(opened, name).array() for name in names]
    find_tools("ecp5")  # the last step's, which should not be missed after the others
    rows = []
    for scheme, network, count, flag in (*_quantised(chosen, weights), *learnt):
        with progress_bar(scheme, run) as advance:
            settings = {"fold": Fold.parse(fold), "packing": packing, "workers": workers, "trained": flag}
            row = measure_scheme(scheme, network, count, batch, answers, simulated=run, progress=advance, **settings)
        rows.append(row)
    console.print(_table(f"{source.name} on {fold}, {packing}: {run:,} images simulated", rows))
    write_json(
        json_file,
        {"source": opened.description, "fold": fold, "packing": packing, "schemes": [row.figures() for row in rows]},
    )
    if plot:
        plot_schemes(rows, plot)
    if wrong := [row.label for row in rows if not row.simulated.exact]:
        raise TritweaveError(f"the simulation is not what the model and the plan say with {', '.join(wrong)}")


def _quantised(schemes: Sequence[str], weights: Sequence[NDArray[np.floating[Any]]]) -> Iterator[_Candidate]:
    """The float network by each scheme, one in memory at a time."""
    count = sum(layer.size for layer in weights)
    for scheme in schemes:
        matrices = [quantise(scheme, layer) for layer in weights]
        network = integer_network(scheme.replace(".", "-"), matrices, input_unit=1 / 255)
        yield _Candidate(scheme, network, count, False)


def _learnt(model: str, inputs: int) -> _Candidate:
    """A trained network; an error says so if it takes other vectors."""
    network, _ = load_network(model)
    scheme, weights = scheme_of(model)
    if network.inputs != inputs:
        raise TritweaveError(f"{model} takes {network.inputs} values where the vectors have {inputs}")
    return _Candidate(scheme, network, weights, True)


def _table(title: str, rows: list[SchemeRow]) -> Table:
    table = Table(title=title)
    for heading in ("scheme", "bits", "golden", "RTL", "exact", "cycles", "LUT4", "DSP", "RAM"):
        table.add_column(heading, justify="left" if heading == "scheme" else "right")
    for row in rows:
        run = row.simulated
        exact = min(run.logits_equal, run.times_equal)
        equal = f"{exact:,}" if run.exact else f"[bold red]{exact:,} of {run.images:,}[/]"
        accuracies = [f"{row.golden:.2%}", f"{run.accuracy or 0:.2%}"]
        cells = [f"{number:,}" for number in (row.lut4, row.multipliers, row.block_rams)]
        table.add_row(row.label, f"{row.bits:.2f}", *accuracies, equal, f"{run.period:,.10g}", *cells)
    return table
