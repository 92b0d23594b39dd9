"""The command `tritweave estimate`: what published schemes would cost a language model."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from boards.catalogue import BOARDS, board_named
from gen.command import JsonOption, console, write_json
from gen.estimate.estimate import Estimate, estimate_model, make_target
from gen.estimate.model_shapes import MODELS, model_named
from gen.estimate.published import compare_published
from gen.plan.command import FoldOption
from gen.plan.devices import DEVICES, device_named
from gen.plan.plan import Fold
from gen.tables import figures_table
from golden.errors import TritweaveError
from golden.formats import PACKINGS


def estimate(
    model: Annotated[
        str, typer.Argument(help=f"A config.json, its folder, or one of {', '.join(MODELS)}.", show_default=False)
    ],
    device: Annotated[
        str | None, typer.Option("--device", help=f"Largest fold and memory of {', '.join(DEVICES)}.")
    ] = None,
    board: Annotated[str | None, typer.Option("--board", help=f"Device and clock of {', '.join(BOARDS)}.")] = None,
    fold: FoldOption = None,
    packing: Annotated[str, typer.Option("--packing", help=f"One of {', '.join(PACKINGS)}.")] = "5t8b",
    mhz: Annotated[
        float | None,
        typer.Option(
            "--mhz", help="The engine's clock. Default: the board's, or that of the device's engines, or 100."
        ),
    ] = None,
    bandwidth: Annotated[
        float, typer.Option("--bandwidth", help="Of external memory, GB/s. Default: 16 bits of DDR3 at 800 MT/s.")
    ] = 1.6,
    json_file: JsonOption = None,
) -> None:
    """Estimate a language model's bytes, cycles, time and energy of a token by scheme, against FP16.

    For models of the BitNet b1.58 paper, its own figures stand beside.
    """
    if board and device:
        raise TritweaveError(f"both --board {board} and --device {device} are given; one of them says what it runs on")
    shape = model_named(model)
    chosen = device_named(device) if device else None
    if board:
        found = board_named(board)
        chosen, mhz = found.device, found.clock_hz / 1e6 if mhz is None else mhz
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
    console.print(_time_table(estimates))
    console.print(_energy_table(estimates))
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
        "board": board,
        "device": chosen.name if chosen else None,
        "device_bytes": target.memory,
        "schemes": [estimate.figures() for estimate in estimates],
        "published": [comparison._asdict() for comparison in comparisons],
    }
    write_json(json_file, figures)


def _needed(fold: Fold, packing: str, mhz: float) -> str:
    code = PACKINGS[packing]
    rate = fold.rows * fold.columns * code.bits / code.trits / 8 * mhz * 1e6
    return f"{rate / 1e9:.3g} GB/s keep the array busy"


def _time_table(estimates: list[Estimate]) -> Table:
    table = _table("a token, batch 1, linear layers only", "bits", "MB", "cycles", "ms array", "ms memory", "tokens/s")
    for estimate in estimates:
        token = estimate.token_milliseconds
        table.add_row(
            estimate.scheme,
            f"{estimate.bits:.2f}",
            f"{estimate.weight_bytes / 1e6:,.1f}",
            _number(estimate.cycles, ",.0f"),
            _number(estimate.milliseconds, ",.3g"),
            f"{estimate.memory_milliseconds:,.4g}",
            _number(None if token is None else 1e3 / token, ",.3g"),
        )
    return table


def _energy_table(estimates: list[Estimate]) -> Table:
    processes = list(estimates[0].millijoules)
    energies = [f"mJ {process}" for process in processes]
    table = _table("all weights, and a token's arithmetic", "GB in all", "on chip", *energies, "mJ, 32-bit sums")
    for estimate in estimates:
        table.add_row(
            estimate.scheme,
            f"{estimate.model_bytes / 1e9:.3g}",
            "yes" if estimate.on_chip else "no",
            *(_number(estimate.millijoules[process], ".3g") for process in processes),
            _number(estimate.wide_millijoules, ".3g"),
        )
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table("scheme", title=title)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
