"""The commands `tritweave evaluate` and `tritweave talk`."""

import codecs
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from gen.command import JsonOption, console, errors, progress_bar, write_json
from gen.language.evaluate import Documents, evaluate
from gen.language.models import load_speaker
from gen.language.text import documents, read_text
from gen.tables import figures_table
from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from golden.language.generation import Generation
from golden.language.sampler import Sampler

PORTS: Final = ("golden",)
"""What can talk."""

LanguageModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A shipped language model's name, or a folder.", show_default=False)
]


def evaluate_model(
    model: LanguageModelArgument,
    texts: Annotated[list[Path], typer.Argument(help="Text files (.txt or .gz); <|endoftext|> between documents.")],
    prefix: Annotated[
        int | None, typer.Option("--prefix", min=1, metavar="BYTES", help="Of each document only its first bytes.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Measure how well a language model foretells text, as floats and as integers: bits a byte, nats a token."""
    speaker = load_speaker(model)
    found = [document for path in texts for document in documents(read_text(path))]
    chosen = Documents.of(speaker, found, prefix)
    total = sum(map(len, chosen.targets))
    with progress_bar(f"evaluating {speaker.model.name}", total) as advance:
        result = evaluate(speaker, chosen, advance)
    table = figures_table(f"{speaker.model.name} on {', '.join(path.name for path in texts)}")
    for what, text in result.rows():
        table.add_row(what, text)
    console.print(table)
    write_json(json_file, result.figures())


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
    port: Annotated[str, typer.Option("--port", help=f"What computes: {', '.join(PORTS)}.")] = "golden",
    json_file: JsonOption = None,
) -> None:
    """Let a language model write, token by token, until it ends, or its context is full."""
    if port not in PORTS:
        raise TritweaveError(f"port {port!r} is not known; the ports are {', '.join(PORTS)}")
    if prompt == "":
        raise TritweaveError("the prompt is empty; leave --prompt out to let the model begin")
    speaker = load_speaker(model)
    begun = [speaker.model.start, *speaker.tokenizer.encode([prompt or ""])[0]]
    generation = Generation(Decoder(speaker.model), Sampler(temperature, seed), begun, tokens)
    text, made = codecs.getincrementaldecoder("utf-8")("replace"), []
    _say(prompt or "")
    started = time.perf_counter()
    for token in generation:
        made.append(token)
        _say(text.decode(speaker.tokenizer.spell(token)))
    seconds = time.perf_counter() - started
    _say(text.decode(b"", final=True) + "\n")
    rate = len(made) / seconds
    errors.print(f"{len(made)} tokens, {rate:.0f} a second, ended by: {generation.reason}")
    spelt = b"".join(map(speaker.tokenizer.spell, made)).decode(errors="replace")
    write_json(
        json_file,
        {
            "prompt_tokens": len(begun),
            "tokens": len(made),
            "token_numbers": made,
            "text": spelt,
            "reason": generation.reason,
            "tokens_per_s": rate,
        },
    )


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
