"""The language models that are trained by name, and everything but data and seed that makes them."""

from dataclasses import dataclass, replace
from typing import Final

from golden.errors import TritweaveError


@dataclass(frozen=True)
class LanguageRecipe:
    """Everything but the data and the seed.

    Parameters
    ----------
    name
        The model's name.
    tokens
        Size of a vocabulary of byte-level pair encoding; None: characters.
    context, width, layers, heads, key_heads, inner
        As in `gen.training.decoder.Shape`.
    embedding_digits, key_digits, value_digits
        As there.
    steps, decay
        Steps of the optimiser, and how many of them, at the end, the learning rate falls.
    row, batch
        Tokens that a row predicts, and rows in a step.
    floats
        Steps at the beginning without quantisers.
    matrices, others
        Largest learning rate of Muon and of AdamW.
    warm_up
        Steps in which the rates rise.

    """

    name: str
    tokens: int | None
    context: int
    width: int
    layers: int
    heads: int
    key_heads: int
    inner: int
    steps: int
    decay: int
    row: int
    batch: int
    embedding_digits: int = 3
    key_digits: int = 3
    value_digits: int = 3
    floats: int = 0
    matrices: float = 0.05
    others: float = 3e-3
    warm_up: int = 30


RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        LanguageRecipe("names", None, 16, 32, 2, 2, 1, 64, 6000, 3000, row=64, batch=32),
        LanguageRecipe("shakespeare", None, 128, 64, 2, 2, 1, 192, 4000, 2000, row=128, batch=32),
        LanguageRecipe("stories", 512, 256, 128, 5, 4, 1, 320, 20000, 5000, row=256, batch=24),
        LanguageRecipe("stories-small", 512, 256, 96, 4, 3, 1, 192, 20000, 5000, row=256, batch=24),
    )
}


def language_recipe(name: str, **changes: int | float | None) -> LanguageRecipe:
    """The recipe of that name with some values replaced; those that are None stay."""
    if name not in RECIPES:
        raise TritweaveError(f"recipe {name!r} is not known; the recipes are {', '.join(RECIPES)}")
    return replace(RECIPES[name], **{key: value for key, value in changes.items() if value is not None})
