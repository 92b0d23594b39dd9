"""Texts for language models: read, split into documents, made into tokens, and drawn from in batches.

A batch depends on the seed and its number alone, so that a run that was interrupted goes on with the same ones.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from gen.language.text import MARK, documents, read_text
from gen.training.language_recipes import LanguageRecipe
from golden.errors import TritweaveError


class Texts(NamedTuple):
    """Documents to learn from and documents held out."""

    train: list[str]
    valid: list[str]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tokens of documents, each behind a start token; one stands at the end, too.

    Parameters
    ----------
    tokens
        Shape (n,).
    row
        Tokens that a row of a batch predicts.

    """

    tokens: NDArray[np.int64]
    row: int

    def __post_init__(self) -> None:
        if len(self.tokens) < self.row + 2:
            raise TritweaveError(f"the text has {len(self.tokens)} tokens; a row of {self.row} needs more")

    def batch(self, seed: int, number: int, size: int) -> NDArray[np.int64]:
        """Rows of `row` + 1 tokens, shape (size, row + 1): of every epoch each once, in an order of its own."""
        epochs, turns = np.divmod(number * size + np.arange(size), len(self.starts))
        rows = np.empty((size, self.row + 1), np.int64)
        for index, (epoch, turn) in enumerate(zip(epochs, turns, strict=True)):
            order, phase = self._epoch(seed, int(epoch))
            start = int(self.starts[order[turn]])
            if self.running:
                # One document, cut at another place in every epoch; each piece is a document to the model.
                first = min(start + 1 + int(phase * self.row), len(self.tokens) - 1 - self.row)
                rows[index, 0], rows[index, 1:] = 0, self.tokens[first : first + self.row]
            else:
                first = min(start, len(self.tokens) - 1 - self.row)
                rows[index] = self.tokens[first : first + self.row + 1]
        return rows

    @cached_property
    def running(self) -> bool:
        """Whether it is a single document."""
        return int(np.count_nonzero(self.tokens == 0)) == 2

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where rows begin: at every document, and again after each row of a long one."""
        documents = np.flatnonzero(self.tokens == 0)
        pieces = np.maximum(1, (np.diff(documents) + self.row // 2) // self.row)
        turns = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        return np.repeat(documents[:-1], pieces) + self.row * turns

    # Two: a batch may lie across the end of an epoch.
    @lru_cache(maxsize=2)  # noqa: B019 - a run has one corpus
    def _epoch(self, seed: int, epoch: int) -> tuple[NDArray[np.int64], float]:
        random = np.random.default_rng((seed, epoch))
        return random.permutation(len(self.starts)), random.random()


def read(folder: Path, name: str) -> str:
    """The text file of that name, or the same with ``.gz``."""
    packed = folder / f"{name}.gz"
    return read_text(packed if packed.exists() else folder / name)


def names(text: str) -> Texts:
    """One name a line, which stays a part of it; the tenth whose SHA-256 says so is held out."""
    lines = [f"{line.strip()}\n" for line in text.splitlines() if line.strip()]
    held = [int(hashlib.sha256(line.strip().encode()).hexdigest(), 16) % 10 == 0 for line in lines]
    return Texts(
        [line for line, out in zip(lines, held, strict=True) if not out],
        [line for line, out in zip(lines, held, strict=True) if out],
    )


def last_tenth(text: str, context: int) -> Texts:
    """The last tenth of a running text held out, cut into pieces of `context` characters."""
    cut = len(text) * 9 // 10
    return Texts([text[:cut]], [text[start : start + context] for start in range(cut, len(text), context)])


def texts_of(recipe: LanguageRecipe, folder: Path) -> Texts:
    """The documents that a recipe is for: names.txt, input.txt, or train.txt and valid.txt, each with or without .gz.

    `text` takes train.txt alone, too: a tenth of its documents, or of itself if it is one, is then held out.
    """
    if recipe.name == "names":
        return names(read(folder, "names.txt"))
    if recipe.name == "shakespeare":
        return last_tenth(read(folder, "input.txt"), recipe.context)
    train = documents(read(folder, "train.txt"))
    if recipe.name != "text" or any((folder / name).exists() for name in ("valid.txt", "valid.txt.gz")):
        return Texts(train, documents(read(folder, "valid.txt")))
    if len(train) == 1:
        return last_tenth(train[0], recipe.context)
    cut = len(train) * 9 // 10
    return Texts(train[:cut], train[cut:])


def make_tokenizer(texts: Texts, vocabulary: int | None) -> Tokenizer:
    """Byte-level pair encoding of so many tokens, learnt from the training texts; None: characters alone.

    It knows the characters of all texts.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted({byte for spelling in _spellings([*texts.train, *texts.valid]).values() for byte in spelling})
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary or 0, special_tokens=[MARK], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts.train, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Tokens of every document; a character that the tokenizer has not is an error."""
    known = tokenizer.get_vocab()
    for character, spelling in _spellings(texts).items():
        # Unknown bytes would be left out without a word.
        if not all(byte in known for byte in spelling):
            raise TritweaveError(f"the tokenizer lacks {character!r}; what it is made from must hold every character")
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def _spellings(texts: list[str]) -> dict[str, str]:
    """What the byte-level alphabet makes of every character that comes up."""
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    characters = sorted({character for text in texts for character in set(text)})
    return {character: splitter.pre_tokenize_str(character)[0][0] for character in characters}


def make_corpus(tokenizer: Tokenizer, texts: list[str], row: int) -> Corpus:
    """Documents as one row of tokens."""
    pieces = [np.array([0, *tokens]) for tokens in encode(tokenizer, texts)]
    return Corpus(np.concatenate([*pieces, np.array([0])]), row)
