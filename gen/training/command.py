"""The command `train`: ternary networks and language models, and their float twins."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gen.command import JsonOption, console, errors, progress_bar, write_json
from gen.tables import figures_table
from gen.training.data import RECIPES, SCHEMES, Dataset, Recipe, read_mnist, recipe_named
from gen.training.labelled import read_labelled
from gen.training.language_recipes import LANGUAGE_RECIPES, language_recipe
from golden.errors import TritweaveError

MLP = "mlp"
"""The recipe for anybody's shape and data."""

NAMES = (*RECIPES, MLP, *LANGUAGE_RECIPES)

SMOOTHING = 0.98
"""How much of the shown loss is the one before."""


def train(
    recipe: Annotated[str, typer.Argument(help=f"{', '.join(NAMES)}.", show_default=False)],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="PATH",
            help="The folder of the four MNIST IDX files (.gz) or of the texts; for mlp an .npz with x and y, "
            "perhaps x_test and y_test, or vectors as IDX or .npy.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="Default: build/RECIPE.safetensors, or build/RECIPE."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option("--layers", metavar="N,…,N", help="mlp only: length of the input and of every layer's output."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="mlp only: labels as IDX or .npy, if --data holds none."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Not of language models. Default: the recipe's, of mlp 30.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Language models only: another value (layers=4, steps=500)."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same machine: same weights.")] = 0,
    floats: Annotated[
        bool, typer.Option("--float", help="Train the float twin: weights for `tritweave quantise`. Default: ternary.")
    ] = False,
    scheme: Annotated[
        str | None, typer.Option("--scheme", help=f"Not of language models: {', '.join(SCHEMES)}. Default: ternary.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Train a ternary network or language model, or its float twin (needs the optional extra `train`).

    A language model's run goes on where it was when it is started again.
    """
    if recipe not in NAMES:
        raise TritweaveError(f"recipe {recipe!r} is not known; the recipes are {', '.join(NAMES)}")
    if (changes and recipe not in LANGUAGE_RECIPES) or (epochs and recipe in LANGUAGE_RECIPES):
        raise TritweaveError(f"{recipe} takes no {'--set' if changes else '--epochs; give --set steps=N'}")
    if recipe != MLP and (layers or labels):
        raise TritweaveError(f"{recipe} takes no {'--layers' if layers else '--labels'}; {MLP} does")
    if scheme is not None and (scheme not in SCHEMES or floats or recipe in LANGUAGE_RECIPES):
        what = f"--scheme {scheme} with {'--float' if floats else recipe}"
        raise TritweaveError(f"{what} cannot be trained; networks are, with one of {', '.join(SCHEMES)}")
    name = f"{recipe}{'-float' if floats else f'-{scheme}' if scheme else ''}"
    try:
        if recipe not in LANGUAGE_RECIPES:
            file = output or Path("build") / f"{name}.safetensors"
            way = "float" if floats else scheme
            result = _train_network(*_examples(recipe, data, layers, labels, seed), file, seed, epochs, way)
        else:
            folder = output or Path("build") / name
            result = _train_language(recipe, data, folder, seed, changes or [], floats)
    except ImportError as error:
        raise TritweaveError(
            f"training needs PyTorch ({error}); install it with: pip install 'tritweave[train]'"
        ) from error
    table = figures_table(f"{recipe}, seed {seed}")
    for what, text in result.rows():
        table.add_row(what, text)
    console.print(table)
    write_json(json_file, {"recipe": recipe, "seed": seed} | result.figures())


def _examples(
    name: str, path: Path, layers: str | None, labels: Path | None, seed: int
) -> tuple[Recipe, Callable[[], Dataset]]:
    """What to train, and the way to what it learns from."""
    if name != MLP:
        return recipe_named(name), lambda: read_mnist(path)
    parts = (layers or "").split(",")
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise TritweaveError(f"--layers is {layers!r}; it is two sizes or more, each at least 1, e.g. 784,128,10")
    sizes = tuple(map(int, parts))
    return Recipe(MLP, sizes, 30, None), lambda: read_labelled(path, labels, sizes, seed)


def _train_network(
    chosen: Recipe, read: Callable[[], Dataset], file: Path, seed: int, epochs: int | None, way: str | None
) -> Any:
    """Train what `way` says: ``float``, a scheme, or None for trits; and write it."""
    from gen.training.published import train_scheme
    from gen.training.trainer import Epoch, train_float
    from gen.training.trainer import train as train_ternary

    run = {None: train_ternary, "float": train_float}.get(way) or partial(train_scheme, str(way))
    data = read()
    with progress_bar(f"training {chosen.name}", epochs or chosen.epochs) as advance:

        def show(epoch: Epoch) -> None:
            advance(1)

        trained = run(chosen, data, seed=seed, epochs=epochs, progress=show)
    trained.write(file)
    console.print(f"weights: {file}")
    parts = f"{len(data.train.labels):,} examples to learn from, {len(data.test.labels):,} to test with"
    console.print(f"{parts}; the input is {data.input_type}, its unit {data.unit:.4g}")
    return trained


def _train_language(recipe: str, data: Path, folder: Path, seed: int, changes: list[str], floats: bool) -> Any:
    chosen = language_recipe(recipe, changes)
    from gen.training.language import train_language

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        task = progress.add_task(f"training {recipe}", total=chosen.steps)
        show = _shower(lambda step, text: progress.update(task, completed=step, description=f"{recipe}: loss {text}"))
        return train_language(chosen, data, folder, seed=seed, quantised=not floats, progress=show)


def _shower(update: Callable[[int, str], None]) -> Callable[[Any], None]:
    shown: float | None = None

    def show(done: Any) -> None:
        nonlocal shown
        shown = done.loss if shown is None else SMOOTHING * shown + (1 - SMOOTHING) * done.loss
        update(done.step, f"{shown:.3f}")

    return show
