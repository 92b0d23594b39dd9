"""The command `tritweave evaluate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gen.command import JsonOption, console, progress_bar, write_json
from gen.language.evaluate import Documents, evaluate
from gen.language.models import is_language_model, load_speaker
from gen.language.text import documents, read_text
from gen.tables import figures_table
from golden.errors import TritweaveError

LanguageModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A shipped language model's name, or a folder.", show_default=False)
]

ContextOption = Annotated[
    int | None,
    typer.Option(
        "--context", min=1, metavar="TOKENS", help="Of a language model: tokens that are kept. Default: all it knows."
    ),
]


def check_options(model: str, others: Mapping[str, bool]) -> None:
    """Raise if an option is given that is not for the model.

    Parameters
    ----------
    model
        A language model, or a network.
    others
        Options of the other kind, and whether they are given.

    """
    given = [name for name, is_given in others.items() if is_given]
    if given:
        kind = "a language model" if is_language_model(model) else "no language model"
        raise TritweaveError(f"{model} is {kind}; leave out {', '.join(given)}")


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
