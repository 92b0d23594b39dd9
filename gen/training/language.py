"""A language model from a folder of texts to a folder of Hugging Face's layout, in one call that can be repeated."""
# pyright: reportMissingImports=false
# PyTorch is optional, so the types must also check where it is not installed.

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer

from gen.language.text import MARK, beginning
from gen.pictures import picture
from gen.training.corpus import Texts, encode, make_corpus, make_tokenizer, texts_of
from gen.training.decoder import Decoder
from gen.training.language_folder import write_folder
from gen.training.language_recipes import LanguageRecipe
from gen.training.language_trainer import Progress, Run, evaluate, train
from gen.training.trainer import one_thread
from golden.errors import TritweaveError
from golden.files.disk import read_bytes, write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TrainedLanguage(NamedTuple):
    """What a run came to."""

    folder: Path
    trits: int
    embedding_trits: int
    steps: int
    tokens: int
    """That held-out documents were scored on."""
    bytes: int
    nats_per_token: float
    """Of the float form that was trained."""
    bits_per_byte: float

    def rows(self) -> list[tuple[str, str]]:
        """As words."""
        return [
            ("folder", str(self.folder)),
            ("trits", f"{self.trits:,} and {self.embedding_trits:,} of the embedding"),
            ("steps", f"{self.steps:,}"),
            ("held out", f"{self.tokens:,} tokens, {self.bytes:,} bytes"),
            ("nats a token", f"{self.nats_per_token:.4f}"),
            ("bits a byte", f"{self.bits_per_byte:.4f}"),
        ]

    def figures(self) -> dict[str, Any]:
        """For a file."""
        return self._asdict() | {"folder": str(self.folder)}


def train_language(
    recipe: LanguageRecipe,
    data: Path,
    output: Path,
    *,
    seed: int,
    quantised: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> TrainedLanguage:
    """Train a decoder, or go on with one, and write its folder; what is held out is scored as the model then is.

    Parameters
    ----------
    recipe
        What to train, and how.
    data
        Folder of texts, see `gen.training.corpus.texts_of`.
    output
        Gets ``config.json``, ``model.safetensors`` (packed, or floats) and ``tokenizer.json``; the same with latent
        weights in ``latent``; ``valid.txt``, what was held out; ``losses.json`` and ``losses.png``; and ``state.pt``,
        from which a second call goes on.
    seed
        0 to 2**63 - 1.
    quantised
        False: the float twin.
    progress
        Called after every step.

    """
    with one_thread():
        return _train_language(recipe, data, output, seed, quantised, progress)


def _train_language(
    recipe: LanguageRecipe,
    data: Path,
    output: Path,
    seed: int,
    quantised: bool,
    progress: Callable[[Progress], None] | None,
) -> TrainedLanguage:
    texts = texts_of(recipe, data)
    # Readers drop one newline in front of a document, which may begin with one of its own.
    write_bytes(output / "valid.txt", "".join(f"\n{text}{MARK}" for text in texts.valid).encode())
    tokenizer = _tokenizer(output / "tokenizer.json", recipe, texts)
    corpus = make_corpus(tokenizer, texts.train, recipe.row)
    run = Run(recipe, corpus, tokenizer.get_vocab_size(), seed=seed, quantised=quantised)
    train(run, output / "state.pt", progress)
    _write(run, output, tokenizer.to_str(pretty=True))
    held = [beginning(text, recipe.prefix) for text in texts.valid] if recipe.prefix else texts.valid
    documents = [tokens[: recipe.context] for tokens in encode(tokenizer, held)]
    size = sum(len(tokenizer.decode(tokens).encode()) for tokens in documents)
    nats, count = evaluate(run.model, documents, quantised=quantised)
    shape = run.model.shape
    table = shape.vocabulary * shape.hidden * recipe.embedding_digits
    bits = nats / math.log(2) / size
    return TrainedLanguage(output, shape.trits, table, len(run.losses), count, size, nats / count, bits)


def weights_of(model: Decoder) -> dict[str, np.ndarray]:
    """The latent reals by transformers' names."""
    found = {f"model.{name}": parameter.detach().cpu().numpy() for name, parameter in model.named_parameters()}
    found["model.embed_tokens.weight"] = found.pop("model.embed_tokens")
    return found


def _tokenizer(path: Path, recipe: LanguageRecipe, texts: Texts) -> Tokenizer:
    """The one of an earlier run, or a new one."""
    if not path.exists():
        tokenizer = make_tokenizer(texts, recipe.tokens)
        write_bytes(path, tokenizer.to_str(pretty=True).encode())
    try:
        # A file, even if it was written just now: the same tokenizer in every run.
        return Tokenizer.from_str(read_bytes(path, "tokenizer").decode())
    except Exception as error:
        raise TritweaveError(f"{path} is no tokenizer: {error}") from error


def _write(run: Run, output: Path, tokenizer: str) -> None:
    weights, shape, form = weights_of(run.model), run.model.shape, run.model.form
    if run.quantised:
        write_folder(output / "latent", shape, form, weights, tokenizer, "latent")
    write_folder(output, shape, form, weights, tokenizer, "packed" if run.quantised else "float")
    write_bytes(output / "losses.json", json.dumps(run.losses).encode())
    write_bytes(output / "losses.png", loss_curve(run.recipe.name, run.losses))


def loss_curve(name: str, losses: list[float]) -> bytes:
    """A picture of the losses, each point the mean of a two hundredth of the steps."""

    def draw(axes: "Axes") -> None:
        parts = np.array_split(np.array(losses), min(200, len(losses)))
        axes.plot(np.cumsum([len(part) for part in parts]), [part.mean() for part in parts])
        axes.set(title=f"{name}: training loss", xlabel="steps", ylabel="nats a token")

    return picture(draw)
