"""The commands for boards: `tritweave boards`, `build`, `flash` and `infer`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from boards.build import BoardBuild, build_board, write_build
from boards.catalogue import BOARDS, Board, board_named
from boards.flash import flash_board
from boards.infer import BITSTREAM, NETLIST, SIMULATED, infer
from boards.language_build import LanguageOptions
from boards.language_command import build_language
from boards.placement import OUTPUTS, STEPS, bitstream_folder
from boards.planning import board_figures, misfits, plan_for
from boards.sources import board_sources
from gen.command import JsonOption, console, progress_bar, write_json
from gen.language.command import ContextOption, check_options
from gen.language.models import is_language_model, load_speaker
from gen.output.files import write_files
from gen.plan.command import FOLD_HELP, Model, PackingOption
from gen.plan.examples import LabelsOption, LogitsOption, VectorsOption, interface, read_examples, write_logits
from gen.plan.plan import Fold, Plan
from gen.plan.presets import PRESETS, load_network
from gen.tables import figures_table, files_table
from golden.errors import TritweaveError

BoardArgument = Annotated[
    str, typer.Argument(metavar="BOARD", help="A board's name, see `tritweave boards`.", show_default=False)
]
BoardFoldOption = Annotated[
    str | None,
    typer.Option("--fold", metavar="RxCxL", help=f"{FOLD_HELP} Default: the board's."),
]


def list_boards(json_file: JsonOption = None) -> None:
    """List the boards: their FPGAs, default engines, clocks, host links, and the shipped models that fit."""
    networks = {name: load_network(name)[0] for name in PRESETS}
    name = Column("board", no_wrap=True)
    table = Table(name, Column("device", no_wrap=True), "RAM blocks", "MHz", *networks, title="boards")
    details = Table(name.copy(), "default engine", "host link", title="what is built for them")
    figures = {}
    for board in BOARDS.values():
        reasons = {name: misfits(board, plan_for(board, network)) for name, network in networks.items()}
        fits = [f"no: {', '.join(needs)}" if needs else "fits" for needs in reasons.values()]
        device, mhz = board.device, f"{board.clock_hz / 1e6:g}"
        memory = f"{device.block_rams}" + (f" + {device.sprams} SPRAM" if device.sprams else "")
        table.add_row(board.name, device.name, memory, mhz, *fits)
        engine = f"{board.fold}, {board.packing}, {board.array}" + (", weights in SPRAM" if board.spram else "")
        details.add_row(board.name, engine, f"{board.link}, {board.baud:,} baud")
        figures[board.name] = board_figures(board) | {
            "models": {name: {"fits": not needs, "lacks": needs} for name, needs in reasons.items()}
        }
    console.print(table)
    console.print(details)
    write_json(json_file, figures)


def build(
    board: BoardArgument,
    model: Model,
    fold: BoardFoldOption = None,
    packing: PackingOption = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="No host link: built-in images, answers on LEDs or seven segments; or stories on the serial line.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the placement.")] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Default: build/BOARD.")
    ] = None,
    verilog: Annotated[
        bool, typer.Option("--verilog", help="Write the board's Verilog and constraints, and build nothing.")
    ] = False,
    context: ContextOption = None,
    json_file: JsonOption = None,
) -> None:
    """Build a board's bitstream for a model: synthesise, place, route, pack (minutes).

    The exit status is 0 only if the board's clock is reached.
    """
    if is_language_model(model):
        options = LanguageOptions(Fold.parse(fold) if fold else None, packing, context, demo=demo)
        build_language(board_named(board), load_speaker(model), options, seed, output, json_file, verilog=verilog)
        return
    check_options(model, {"--context": context is not None})
    chosen, plan = _plan(board, model, fold, packing)
    if verilog:
        sources = write_files(output or bitstream_folder(chosen), board_sources(chosen, plan, demo=demo), OUTPUTS)
        console.print(files_table(sources))
        write_json(json_file, board_figures(chosen) | {"files": [str(file) for file in sources]})
        return
    with progress_bar(f"{plan.network.name} for {chosen.name}", STEPS) as advance:
        made = build_board(chosen, plan, demo=demo, seed=seed, progress=advance)
    files = write_build(made, output)
    console.print(build_table(made))
    console.print(files_table(files))
    write_json(json_file, made.figures())


def flash(
    board: BoardArgument,
    ram: Annotated[
        bool, typer.Option("--ram", help="Into the FPGA's RAM, until power is off, instead of into flash.")
    ] = False,
    bitstream: Annotated[
        Path | None, typer.Option("--bitstream", metavar="FILE", help="Default: the board's last build.")
    ] = None,
) -> None:
    """Put a bitstream on a board."""
    chosen = board_named(board)
    flash_board(chosen, bitstream, ram=ram)
    console.print(
        f"{chosen.name} is configured; without --demo it has a host link: "
        f"tritweave infer {chosen.name} MODEL --port PORT"
    )


def infer_images(
    board: BoardArgument,
    model: Model,
    port: Annotated[
        str,
        typer.Option(
            "--port",
            help=f"The board's serial port, or `{SIMULATED}`: in Verilator, `{NETLIST}`: as synthesised, "
            f"`{BITSTREAM}`: as decoded by icebox_vlog (HX8K).",
        ),
    ],
    images: Annotated[
        int | None, typer.Option("--images", min=1, help="How many of the vectors to send. Default: 10, or all.")
    ] = None,
    vectors: VectorsOption = None,
    labels: LabelsOption = None,
    output: LogitsOption = None,
    fold: BoardFoldOption = None,
    packing: PackingOption = None,
    json_file: JsonOption = None,
) -> None:
    """Send vectors to a board and print its answers; model and fold are those that it was built with.

    The exit status is 0 only if every logit is the model's.
    """
    chosen, plan = _plan(board, model, fold, packing)
    batch, answers = read_examples(interface(plan.network), images, vectors, labels, default=10)
    count = len(batch)
    with progress_bar(f"{plan.network.name} on {chosen.name}", count) as advance:
        result = infer(chosen, plan, batch, port, progress=advance)
    table = Table("image", "label", "answer", "logits", title=f"{plan.network.name} on {chosen.name}, port {port}")
    shown = ["-"] * count if answers is None else answers
    for index, (label, answer, equal) in enumerate(zip(shown, result.answers, result.equal, strict=True)):
        table.add_row(str(index), str(label), str(answer), "equal" if equal else "[bold red]differ[/]")
    console.print(table)
    right = None if answers is None else int((result.answers == answers).sum())
    equal = int(result.equal.sum())
    told = "" if right is None else f"{right} of {count} answers right, "
    console.print(f"{told}{equal} of {count} equal to the model, {result.cycles:,} cycles")
    write_logits(output, result.logits)
    figures = {"board": chosen.name, "model": plan.network.name, "port": port, "images": count}
    write_json(json_file, figures | {"right": right, "logits_equal": equal, "cycles": result.cycles})
    if equal != count:
        raise TritweaveError(f"{count - equal} of {count} images have other logits than the model; see the table")


def build_table(made: BoardBuild) -> Table:
    """A bitstream's figures."""
    plan, board = made.plan, made.board
    title = f"{plan.network.name} on {board.name}, {plan.fold}, {plan.config.packing}, {board.array} array"
    table = figures_table(title)
    for what, text in made.place_rows():
        table.add_row(what, text)
    table.add_row("images a second", f"{made.images_per_s:,.0f} in the engine")
    if not made.demo:
        table.add_row("over the host link", f"{made.hosted_images_per_s:,.1f} images a second at {board.baud:,} baud")
    for program, version in made.tools.versions.items():
        table.add_row(program, version)
    return table


def _plan(board: str, model: str, fold: str | None, packing: str | None) -> tuple[Board, Plan]:
    if model in BOARDS and board not in BOARDS:
        raise TritweaveError(f"{model} is a board and {board} a model; the board comes first: {model} {board}")
    chosen = board_named(board)
    return chosen, plan_for(chosen, load_network(model)[0], Fold.parse(fold) if fold else None, packing)
