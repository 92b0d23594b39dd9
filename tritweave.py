"""The command `tritweave`: ternary networks to Verilog, and the proof that both compute the same."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from boards.catalogue import BOARDS, board_named
from boards.command import build, flash, infer_images, list_boards
from boards.estimate_command import estimate
from boards.language_command import generate_language, plan_language
from boards.planning import fitting_fold, misfits, plan_for
from boards.talk_command import talk
from gen.bench.command import app as bench
from gen.command import JsonOption, console, errors, progress_bar, write_json
from gen.endings import as_a_program
from gen.imports.command import import_weights, inspect_file
from gen.language.command import ContextOption, check_options, evaluate_model
from gen.language.models import is_language_model
from gen.output.files import engine_files, write_files
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
from gen.plan.devices import DEVICES, device_named
from gen.plan.examples import LabelsOption, LogitsOption, VectorsOption, interface, read_examples, write_logits
from gen.plan.fit import fit
from gen.plan.plan import MODULE, Fold
from gen.plan.presets import load_network
from gen.plan.tables import layers_table, plan_table
from gen.schemes.command import quantise
from gen.tables import files_table
from gen.training.command import train
from gen.verilog import check_module_name
from golden.errors import TritweaveError
from sim.compare import compare
from sim.scheme_command import compare_schemes
from sim.tables import comparison_table
from sim.verilog_testbench import bench_files, bench_patterns

app = typer.Typer(
    name="tritweave",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="""
    Turn a ternary network into an FPGA matrix engine, and prove that the two compute the same.

    A [bold]MODEL[/] is the name of a shipped network (mnist, mnist-small) or the path of a
    checkpoint or a scheme file (.safetensors; see golden/files/checkpoint.py and
    golden/schemes/file.py); or a shipped language model (names, shakespeare, stories) or
    the folder of one.

    [bold]First steps[/]

      tritweave plan mnist                      its engine's cycles and size
      tritweave plan mnist --device ecp5-25f    the fastest that fits a device
      tritweave generate mnist                  its Verilog and memory image
      tritweave simulate mnist --images 1000    Verilator against the model
      tritweave bench array                     the array's size and speed, placed and routed
      tritweave bench engine mnist              the whole engine's
      tritweave boards                          the boards, and what fits them
      tritweave build icebreaker mnist-small    a bitstream
      tritweave import FOLDER -o FILE           weights that other programs made
      tritweave quantise SCHEME FILE -o FILE    float weights by a published scheme
      tritweave compare FILE                    every scheme's accuracy and cost on one engine
      tritweave estimate bitnet-3b              a language model's bytes, cycles and energy
      tritweave talk FOLDER                     let a language model write
      tritweave evaluate FOLDER TEXT            its bits a byte
    """,
)


def _version(asked: bool) -> None:
    if asked:
        console.print(f"tritweave {version('tritweave')}", highlight=False)
        raise typer.Exit


@app.callback()
def tritweave(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of the command itself."""


def _network_options(array: str, in_flight: int, divider: str | None, *, spram: bool) -> dict[str, bool]:
    """Options that only networks have, and whether they are given."""
    return {
        "--array": array != "portable",
        "--in-flight": in_flight != 2,
        "--quantiser": divider is not None,
        "--spram": spram,
    }


app.add_typer(bench, name="bench")


@app.command()
def plan(
    model: Model,
    fold: FoldOption = None,
    packing: PackingOption = None,
    array: ArrayOption = "portable",
    in_flight: InFlightOption = 2,
    divider: DividerOption = None,
    spram: SpramOption = False,
    device: Annotated[
        str | None, typer.Option("--device", help=f"Choose the fastest fold that fits: {', '.join(DEVICES)}.")
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", help=f"The engine that `build` puts on a board: {', '.join(BOARDS)}.")
    ] = None,
    context: ContextOption = None,
    json_file: JsonOption = None,
) -> None:
    """Predict an engine's cycles, memories and area, and choose its fold for a device.

    What fits a device or a board fits with the host link that `build` adds. Of a language model, these are a token's
    cycles at its place, and tokens a second.
    """
    if is_language_model(model):
        check_options(model, _network_options(array, in_flight, divider, spram=spram))
        plan_language(model, fold, packing, context, device, board, json_file)
        return
    check_options(model, {"--context": context is not None})
    if fold and device:
        raise TritweaveError(f"both --fold {fold} and --device {device} are given; one of them decides the fold")
    network, preset = load_network(model)
    if board:
        if device or spram or array != "portable" or in_flight != 2 or divider:
            raise TritweaveError(
                f"--board {board} decides --device, --array, --in-flight, --divider and --spram; leave them out"
            )
        chosen_board = board_named(board)
        chosen = plan_for(chosen_board, network, Fold.parse(fold) if fold else None, packing)
        device = chosen_board.device.name
        if reasons := misfits(chosen_board, chosen):
            errors.print(
                f"it does not fit {board}: it needs {', '.join(reasons)}; {fitting_fold(chosen_board, chosen)}"
            )
    elif device:
        choices = {
            "packing": packing or preset.packing,
            "array": array,
            "vectors": in_flight,
            "divider": divider,
            "spram": spram,
        }
        chosen = fit(network, device_named(device), **choices)
    else:
        chosen = plan_model(model, fold, packing, array, in_flight, divider=divider, spram=spram)
    console.print(layers_table(chosen))
    console.print(plan_table(chosen, device))
    write_json(json_file, chosen.figures())


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
    divider: DividerOption = None,
    spram: SpramOption = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="Leave the memories empty, to be loaded through the load port.")
    ] = False,
    name: Annotated[
        str, typer.Option("--name", help="Of the top module and the files; all modules' names begin with it.")
    ] = MODULE,
    testbench: Annotated[
        bool, typer.Option("--testbench", help="Write a testbench in Verilog beside it, which checks itself.")
    ] = False,
    context: ContextOption = None,
    json_file: JsonOption = None,
) -> None:
    """Write an engine's Verilog, its memory image and its lint waivers; of a language model, no image."""
    check_module_name(name)
    if is_language_model(model):
        others = {**_network_options(array, in_flight, divider, spram=spram), "--empty": empty}
        check_options(model, {**others, "--testbench": testbench})
        generate_language(model, output, fold, packing, context, name, json_file)
        return
    check_options(model, {"--context": context is not None})
    chosen = plan_model(model, fold, packing, array, in_flight, divider=divider, spram=spram)
    folder = output or Path("build") / chosen.network.name
    with errors.status("generating Verilog"):
        contents = engine_files(chosen, initialised=not empty, name=name)
        if testbench:
            contents |= bench_files(chosen, name, contents[f"{name}.v"][0].decode(), loaded=empty)
        files = write_files(folder, contents, bench_patterns(name))
    console.print(files_table(files))
    write_json(json_file, chosen.figures() | {"files": [str(file) for file in files]})


@app.command()
def simulate(
    model: Model,
    images: Annotated[
        int | None, typer.Option("--images", min=1, help="How many of the vectors to run. Default: 1000, or all.")
    ] = None,
    vectors: VectorsOption = None,
    labels: LabelsOption = None,
    output: LogitsOption = None,
    fold: FoldOption = None,
    packing: PackingOption = None,
    array: ArrayOption = "portable",
    in_flight: InFlightOption = 2,
    divider: DividerOption = None,
    spram: SpramOption = False,
    alone: Annotated[
        bool, typer.Option("--alone", help="Offer each vector only once the one before has left: batch 1.")
    ] = False,
    load: Annotated[
        bool, typer.Option("--load", help="Bring the weights in through the load port instead of building them in.")
    ] = False,
    waves: Annotated[
        Path | None,
        typer.Option(
            "--waves", metavar="FILE", help="Write a trace, .fst or .vcd, or a picture, .png (use few images)."
        ),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Simulations at a time.")] = 2,
    json_file: JsonOption = None,
) -> None:
    """Run a network's Verilog in Verilator and compare every logit and cycle with the model.

    The exit status is 0 only if every logit is equal and the simulated cycles are the predicted ones.
    """
    chosen = plan_model(model, fold, packing, array, in_flight, divider=divider, spram=spram)
    batch, wanted = read_examples(interface(chosen.network), images, vectors, labels, default=1000)
    with progress_bar(f"simulating {chosen.network.name}", len(batch)) as advance:
        result = compare(
            chosen, batch, wanted, alone=alone, loaded=load, workers=workers, waves=waves, progress=advance
        )
    console.print(comparison_table(chosen, result))
    write_logits(output, result.logits)
    write_json(json_file, result.figures())
    if not result.exact:
        raise TritweaveError("the simulation is not what the model and the plan say; see the table")


app.command()(train)
app.command("import")(import_weights)
app.command("inspect")(inspect_file)
app.command("boards")(list_boards)
app.command()(build)
app.command()(flash)
app.command("infer")(infer_images)
app.command()(estimate)
app.command()(quantise)
app.command("compare")(compare_schemes)
app.command("evaluate")(evaluate_model)
app.command()(talk)


def main() -> None:
    """Run the command; what cannot be used, read or written ends it with one line and status 1."""
    with as_a_program():
        app()


if __name__ == "__main__":
    main()
