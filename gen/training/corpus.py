"""Texts for language models: read, split into documents, made into tokens, and drawn from in batches.

A batch depends on the seed and its number alone, so that a run that was interrupted goes on with the same ones.
"""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from golden.errors import TritweaveError
from golden.files.disk import read_bytes

START: Final = "<|endoftext|>"
"""The start token, number 0; in a text it stands behind every document."""


class Texts(NamedTuple):
    """Documents to learn from and documents held out."""

    train: list[str]
    valid: list[str]


@dataclass(frozen=True)
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

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where rows begin: at every document, and again after each row of a long one."""
        documents = np.flatnonzero(self.tokens == 0)
        lengths = np.diff(documents)
        pieces = np.maximum(1, (lengths + self.row // 2) // self.row)
        first = np.repeat(documents[:-1], pieces)
        return first + self.row * (np.arange(len(first)) - np.repeat(np.cumsum(pieces) - pieces, pieces))

    def batch(self, seed: int, number: int, size: int) -> NDArray[np.int64]:
        """Rows of `row` + 1 tokens, shape (size, row + 1): of every epoch each once, in an order of its own."""
        running = np.count_nonzero(self.tokens == 0) == 2
        starts = self.starts
        places = number * size + np.arange(size)
        rows = np.empty((size, self.row + 1), np.int64)
        for index, place in enumerate(places):
            epoch, turn = divmod(int(place), len(starts))
            random = _shuffled(seed, epoch, len(starts))
            start = int(starts[random.order[turn]])
            if running:
                # One document cut at another place in every epoch; each piece is a document to the model.
                start = min(start + int(random.phase * self.row), len(self.tokens) - 2 - self.row)
                rows[index, 0], rows[index, 1:] = 0, self.tokens[start + 1 : start + 1 + self.row]
            else:
                start = min(start, len(self.tokens) - 1 - self.row)
                rows[index] = self.tokens[start : start + 1 + self.row]
        return rows


class _Shuffle(NamedTuple):
    order: NDArray[np.int64]
    phase: float


_shuffles: dict[tuple[int, int, int], _Shuffle] = {}


def _shuffled(seed: int, epoch: int, count: int) -> _Shuffle:
    key = seed, epoch, count
    if key not in _shuffles:
        _shuffles.clear()
        random = np.random.default_rng((seed, epoch))
        _shuffles[key] = _Shuffle(random.permutation(count), random.random())
    return _shuffles[key]


def read_text(folder: Path, name: str) -> str:
    """The text file of that name, or the same with ``.gz``."""
    path = folder / name
    packed = folder / f"{name}.gz"
    if not path.exists() and packed.exists():
        try:
            return gzip.decompress(read_bytes(packed, "text")).decode()
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise TritweaveError(f"{packed} is no compressed UTF-8 text: {error}") from error
    try:
        return read_bytes(path, "text").decode()
    except UnicodeDecodeError as error:
        raise TritweaveError(f"{path} is no UTF-8 text: {error}") from error


def documents(text: str) -> list[str]:
    """What lies between the marks, less one newline behind each; empty ones are dropped."""
    found = (document.removeprefix("\n") for document in text.split(START))
    return [document for document in found if document]


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


def make_tokenizer(texts: list[str], vocabulary: int | None) -> Tokenizer:
    """Byte-level pair encoding with that many tokens; None: one for every character that the texts hold."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    characters = sorted({character for text in texts for character in set(text)})
    # A row at a time: the pairs of a whole book cost as much as its words.
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary or 0, special_tokens=[START], show_progress=False, initial_alphabet=characters[:0]
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Tokens of every document; a character that the tokenizer has not is an error."""
    known = set(tokenizer.get_vocab())
    byte_names = {name for text in texts for name in set(text)}
    alphabet = {character for character in byte_names if not _spelt(tokenizer, character, known)}
    if alphabet:
        raise TritweaveError(f"the tokenizer lacks {min(alphabet)!r}, which the text holds; train with a text that has it")
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def _spelt(tokenizer: Tokenizer, character: str, known: set[str]) -> bool:
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(character)
    return all(byte in known for piece, _ in pieces for byte in piece)


def make_corpus(tokenizer: Tokenizer, texts: list[str], row: int) -> Corpus:
    """Documents as one row of tokens."""
    pieces = [np.array([0, *tokens]) for tokens in encode(tokenizer, texts)]
    return Corpus(np.concatenate([*pieces, np.array([0])]), row)
