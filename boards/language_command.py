"""The commands `tritweave plan` and `tritweave generate` for language models."""

from pathlib import Path

from boards.catalogue import board_named
from boards.language_planning import check_language_fit, language_plan_for
from gen.command import console, errors, write_json
from gen.language.models import load_speaker
from gen.output.files import decoder_files, write_files
from gen.plan.devices import device_named
from gen.plan.plan import Fold
from gen.tables import files_table
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
