"""Bitstreams of language models: with their host link, or telling stories without a host."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from boards.catalogue import Board
from boards.language import hosted_language_verilog, story_beside, story_verilog
from boards.language_planning import check_language_fit, language_plan_for
from boards.placement import OUTPUTS, Placed, bitstream_folder, place_board
from boards.planning import board_figures
from gen.language.models import Speaker
from gen.output.files import write_files
from gen.output.hosted_decoder import identify_decoder, link_config
from gen.plan.plan import Fold
from gen.transformer.figures import token_figures
from gen.transformer.fit import host_link
from gen.transformer.plan import DecoderPlan


class LanguageOptions(NamedTuple):
    """What is built of a language model.

    Parameters
    ----------
    fold, packing, context
        As for `boards.language_planning.language_plan_for`.
    demo
        Stories without a host instead of the host link.

    """

    fold: Fold | None = None
    packing: str | None = None
    context: int | None = None
    demo: bool = False


@dataclass(frozen=True)
class LanguageBuild(Placed):
    """A bitstream of a language model.

    Parameters
    ----------
    plan
        What was built.
    demo
        Whether it tells stories without a host.

    """

    plan: DecoderPlan
    demo: bool

    def figures(self) -> dict[str, object]:
        """Everything, for a JSON file."""
        config, identity = self.plan.config, identify_decoder(link_config(self.plan), self.board.clock_hz)
        return {
            **board_figures(self.board),
            "model": self.plan.model.name,
            "demo": self.demo,
            "fold": str(self.plan.fold),
            "packing": config.packing,
            "array": config.array,
            "context": config.shape.context,
            "config": f"{identity.config:08x}",
            **self.place_figures(),
            **token_figures(self.plan, self.board.clock_hz),
        }

    def rows(self) -> list[tuple[str, str]]:
        """For a table."""
        found = token_figures(self.plan, self.board.clock_hz)
        middle = f"{found['cycles_middle']:,} cycles in the middle of a context"
        return [*self.place_rows(), ("tokens a second", f"{found['tokens_per_s']:,.0f} in the decoder; {middle}")]

    def write(self, folder: Path | None = None) -> dict[Path, str]:
        """Write its files and leave no older ones, by default in `bitstream_folder`; each with what it is."""
        report = (json.dumps(self.figures(), indent=2) + "\n").encode()
        contents = {
            self.bitstream.name: (self.bitstream.read_bytes(), "bitstream"),
            "report.json": (report, "everything that is known of it"),
        }
        return write_files(folder or bitstream_folder(self.board), contents, OUTPUTS)


def plan_for_options(board: Board, speaker: Speaker, options: LanguageOptions) -> DecoderPlan:
    """The plan, which fits the board as far as is known before it is built."""
    beside = story_beside(speaker) if options.demo else host_link
    plan = language_plan_for(board, speaker.model, options.fold, options.packing, options.context, beside=beside)
    check_language_fit(board, plan, beside)
    return plan


def language_verilog(board: Board, plan: DecoderPlan, speaker: Speaker, *, demo: bool) -> str:
    """The Verilog of the board's FPGA."""
    return story_verilog(board, plan, speaker) if demo else hosted_language_verilog(board, plan)


def build_language_board(
    board: Board,
    speaker: Speaker,
    options: LanguageOptions,
    *,
    seed: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> LanguageBuild:
    """Build a board's FPGA with a language model; seed and progress as for `place_board`."""
    plan = plan_for_options(board, speaker, options)
    made = place_board(
        board, lambda: language_verilog(board, plan, speaker, demo=options.demo), seed=seed, progress=progress
    )
    return LanguageBuild(**vars(made), plan=plan, demo=options.demo)
