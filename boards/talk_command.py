"""The command `tritweave talk`."""

import codecs
import sys
import time
from typing import Annotated

import typer

from boards.catalogue import board_named
from boards.voices import BITSTREAM, GOLDEN, NETLIST, SIMULATED, Engine, check_port, open_voice
from gen.command import JsonOption, errors, write_json
from gen.language.command import ContextOption, LanguageModelArgument
from gen.language.models import load_speaker
from gen.plan.command import FOLD_HELP, PackingOption
from gen.plan.plan import Fold
from golden.errors import TritweaveError
from golden.language.sampler import Sampler

_BOARD = "ulx3s-85f"


def talk(
    model: LanguageModelArgument,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="How the text begins. Default: as the model likes.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=1, help="At most so many. Default: as the context allows.")
    ] = None,
    temperature: Annotated[
        float, typer.Option("--temperature", help="0: always the likeliest token. 1: as the model has learnt.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, another text, unless the temperature is 0.")] = 0,
    port: Annotated[
        str,
        typer.Option(
            "--port",
            help=f"What computes: `{GOLDEN}`, the model; compared with it, `{SIMULATED}`: the engine in Verilator, "
            f"`{NETLIST}`: a board as synthesised, `{BITSTREAM}`: as decoded (HX8K); or a board's serial port.",
        ),
    ] = GOLDEN,
    board: Annotated[
        str | None,
        typer.Option("--board", help=f"The board, or whose clock counts. Default: {_BOARD}.", show_default=False),
    ] = None,
    fold: Annotated[str | None, typer.Option("--fold", metavar="RxCxL", help=FOLD_HELP)] = None,
    packing: PackingOption = None,
    context: ContextOption = None,
    json_file: JsonOption = None,
) -> None:
    """Let a language model write, token by token, until it ends, or its context is full.

    A board has the fold, packing and context that it was built with.

    With an engine, the exit status is 0 only if every token, logit and cycle is as it should be.
    """
    if prompt == "":
        raise TritweaveError("the prompt is empty; leave --prompt out to let the model begin")
    speaker = load_speaker(model)
    begun = [speaker.model.start, *speaker.tokenizer.encode([prompt or ""])[0]]
    sampler, chosen = Sampler(temperature, seed), board_named(board or _BOARD)
    check_port(port, given=any(option is not None for option in (board, fold, packing, context)))
    text, made = codecs.getincrementaldecoder("utf-8")("replace"), []
    engine = Engine(chosen, Fold.parse(fold) if fold else None, packing, context)
    with open_voice(port, speaker, begun, tokens, sampler, engine) as voice:
        _say(prompt or "")
        started = time.perf_counter()
        for token in voice.generation:
            made.append(token)
            _say(text.decode(speaker.tokenizer.spell(token)))
        seconds = time.perf_counter() - started
    _say(text.decode(b"", final=True) + "\n")
    rate = len(made) / seconds
    errors.print(f"{len(made)} tokens, {rate:.0f} a second, ended by: {voice.generation.reason}")
    figures: dict[str, object] = {
        "port": port,
        "prompt_tokens": len(begun),
        "tokens": len(made),
        "token_numbers": made,
        "text": b"".join(map(speaker.tokenizer.spell, made)).decode(errors="replace"),
        "reason": voice.generation.reason,
        "tokens_per_s": rate,
    }
    found = voice.comparison
    if found:
        clock_hz = chosen.clock_hz
        figures |= {**found.figures(clock_hz), "simulated_tokens_per_s": rate}
        simulated, predicted = sum(found.cycles_simulated), sum(found.cycles_predicted)
        cycles = f", {simulated:,} cycles, {predicted:,} predicted" if predicted else ""
        errors.print(
            f"{found.tokens_equal} of {len(found.choices)} choices and the logits of {found.logits_equal} equal to the "
            f"model{cycles}: {found.tokens_per_s(clock_hz):,.0f} tokens a second at {clock_hz / 1e6:g} MHz"
        )
    write_json(json_file, figures)
    if found and not found.exact:
        raise TritweaveError("the simulation is not what the model and the plan say; see the figures")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
