"""Language models by name or folder, with their tokenizers."""

from pathlib import Path
from typing import NamedTuple

import golden
from gen.language.tokenizer import Tokenizer
from golden.errors import TritweaveError
from golden.language.folder import CONFIGURATION, TOKENIZER, read_language_model
from golden.language.model import LanguageModel

_SHIPPED = Path(golden.__path__[0]) / "models"


class Speaker(NamedTuple):
    """A language model and its tokenizer."""

    model: LanguageModel
    tokenizer: Tokenizer


def shipped() -> list[str]:
    """Names of the language models that come with the project."""
    return sorted(path.parent.name for path in _SHIPPED.glob(f"*/{CONFIGURATION}"))


def is_language_model(name: str) -> bool:
    """Whether a model's name or path stands for a language model."""
    return name in shipped() or (Path(name) / CONFIGURATION).is_file()


def load_speaker(name: str) -> Speaker:
    """A shipped model by its name, or one from a folder."""
    folder = _SHIPPED / name if name in shipped() else Path(name)
    if not folder.is_dir():
        known = ", ".join(shipped()) or "none"
        raise TritweaveError(f"{name!r} is neither a folder nor a shipped language model; those are {known}")
    model = read_language_model(folder)
    return Speaker(model, Tokenizer(folder / TOKENIZER, model.shape.vocabulary))
