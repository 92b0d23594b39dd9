"""The language models that are trained by name, and everything but data and seed that makes them."""

from dataclasses import dataclass, fields, replace
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
        Sizes: those of `golden.language.format.Shape` by shorter names.
    embedding_digits, key_digits, value_digits
        As in `golden.language.format.LanguageFormat`.
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
    prefix
        Bytes of a held-out document that are scored; None: as many as the context takes.

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
    prefix: int | None = None

    def __post_init__(self) -> None:
        counts = {"steps": self.steps, "row": self.row, "batch": self.batch, "warm_up": self.warm_up}
        for name, count in counts.items():
            if count < 1:
                raise TritweaveError(f"{name} is {count}; it must be at least 1")
        for name, rate in (("matrices", self.matrices), ("others", self.others)):
            if not 0 < rate < 10:
                raise TritweaveError(f"the learning rate {name} is {rate}; it must be above 0 and below 10")
        if not 0 <= self.decay <= self.steps:
            raise TritweaveError(f"decay is {self.decay} steps of {self.steps}; it must be 0 to all of them")


_STORIES: Final = LanguageRecipe(
    "stories", 512, 256, 128, 5, 4, 1, 320, 40000, 10000, 256, 24, matrices=0.02, others=1e-2, prefix=600
)

LANGUAGE_RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        LanguageRecipe("names", None, 16, 32, 2, 2, 1, 36, 3000, 2000, 64, 32, matrices=0.01, others=1e-2),
        LanguageRecipe("shakespeare", None, 128, 64, 3, 2, 1, 104, 5500, 2700, 128, 32, matrices=0.02, others=1e-2),
        _STORIES,
        replace(_STORIES, name="stories-small", width=96, layers=4, heads=3, inner=128, steps=8900, decay=2100),
        replace(_STORIES, name="text", prefix=None),
    )
}
"""What is shipped, and `text`, for any other."""


def language_recipe(name: str, changes: list[str]) -> LanguageRecipe:
    """The recipe of that name with some values replaced, each written as ``layers=4``."""
    if name not in LANGUAGE_RECIPES:
        raise TritweaveError(f"recipe {name!r} is not known; the recipes are {', '.join(LANGUAGE_RECIPES)}")
    recipe = LANGUAGE_RECIPES[name]
    kinds = {field.name: field.type for field in fields(LanguageRecipe) if field.name != "name"}
    values: dict[str, int | float] = {}
    for change in changes:
        key, _, text = change.partition("=")
        if key not in kinds:
            raise TritweaveError(f"{change!r} sets no value of a recipe; those are {', '.join(kinds)}")
        kind = float if kinds[key] is float else int
        try:
            values[key] = kind(text)
        except ValueError as error:
            raise TritweaveError(f"{change!r} has no {kind.__name__} behind the =") from error
    return replace(recipe, **values)
