"""The commands `tritweave plan`, `tritweave generate` and `tritweave build` for language models."""

from pathlib import Path

from boards.catalogue import Board, board_named
from boards.language_build import LanguageOptions, build_language_board, language_verilog, plan_for_options
from boards.language_planning import check_language_fit, language_plan_for
from boards.placement import OUTPUTS, STEPS, bitstream_folder
from boards.planning import board_figures
from boards.sources import verilog_sources
from gen.command import console, errors, progress_bar, write_json
from gen.language.models import Speaker, load_speaker
from gen.output.files import decoder_files, write_files
from gen.plan.devices import device_named
from gen.plan.plan import Fold
from gen.tables import figures_table, files_table
from gen.tools import DEFAULT_PARTS, PARTS
from gen.transformer.figures import decoder_figures, decoder_table
from gen.transformer.fit import area_on, fit_decoder
from gen.transformer.plan import PACKING, plan_decoder
from golden.errors import TritweaveError


def plan_language(
    model: str,
    fold: str | None,
    packing: str | None,
    context: int | None,
    device: str | None,
    board: str | None,
    json_file: Path | None,
) -> None:
    """Print what is known of a language model's decoder."""
    language, chosen = load_speaker(model).model, Fold.parse(fold) if fold else None
    if board:
        if device:
            raise TritweaveError(f"--board {board} decides --device; leave it out")
        target = board_named(board)
        fpga, clock_hz = target.device, target.clock_hz
        plan = language_plan_for(target, language, chosen, packing, context)
        check_language_fit(target, plan)
    else:
        if device and chosen:
            raise TritweaveError(f"both --fold {fold} and --device {device} are given; one of them decides the fold")
        fpga = device_named(device) if device else None
        clock_hz = 1_000_000 * PARTS[fpga.name if fpga else DEFAULT_PARTS["ecp5"]].engine_mhz
        if fpga:
            plan = fit_decoder(language, fpga, packing=packing, context=context)
        else:
            plan = plan_decoder(language, chosen, packing=packing or PACKING, context=context)
    area = area_on(plan, fpga)
    console.print(decoder_table(plan, area, clock_hz, fpga))
    write_json(json_file, decoder_figures(plan, area, clock_hz))


def generate_language(
    model: str,
    output: Path | None,
    fold: str | None,
    packing: str | None,
    context: int | None,
    name: str,
    json_file: Path | None,
) -> None:
    """Write a language model's decoder as Verilog, its memories filled."""
    language = load_speaker(model).model
    plan = plan_decoder(language, Fold.parse(fold) if fold else None, packing=packing or PACKING, context=context)
    with errors.status("generating Verilog"):
        files = write_files(output or Path("build") / language.name, decoder_files(plan, name=name))
    console.print(files_table(files))
    clock_hz = 1_000_000 * PARTS[DEFAULT_PARTS["ecp5"]].engine_mhz
    figures = decoder_figures(plan, area_on(plan, None), clock_hz)
    write_json(json_file, figures | {"files": [str(file) for file in files]})


def build_language(
    board: Board,
    speaker: Speaker,
    options: LanguageOptions,
    seed: int,
    output: Path | None,
    json_file: Path | None,
    *,
    verilog: bool,
) -> None:
    """Build a board's bitstream for a language model, or only write what it is made of."""
    name = speaker.model.name
    if verilog:
        plan = plan_for_options(board, speaker, options)
        contents = verilog_sources(board, language_verilog(board, plan, speaker, demo=options.demo))
        files = write_files(output or bitstream_folder(board), contents, OUTPUTS)
        console.print(files_table(files))
        write_json(json_file, board_figures(board) | {"files": [str(file) for file in files]})
        return
    with progress_bar(f"{name} for {board.name}", STEPS) as advance:
        made = build_language_board(board, speaker, options, seed=seed, progress=advance)
    files = made.write(output)
    table = figures_table(f"{name} on {board.name}, {made.plan.fold}, {made.plan.config.packing}")
    for what, text in made.rows():
        table.add_row(what, text)
    console.print(table)
    console.print(files_table(files))
    write_json(json_file, made.figures())
