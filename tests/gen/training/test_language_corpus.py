import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gen.training.language_recipes import LANGUAGE_RECIPES
from golden.errors import TritweaveError

pytest.importorskip("tokenizers")

from gen.training.corpus import Corpus, Texts, encode, make_tokenizer, texts_of

NAMES = ["anna", "otto", "eva", "ida", "max", "noah", "mia", "leo", "elias", "paul", "emma", "ben", "lina", "finn"]


def test_every_epoch_has_each_row_once() -> None:
    tokens = np.array([0, *range(1, 6), 0, *range(1, 20), 0, 1, 0])
    corpus = Corpus(tokens, 6)
    assert corpus.starts.tolist() == [0, 6, 12, 18, 26]
    rows = np.concatenate([corpus.batch(3, number, 2) for number in range(5)])
    expected = [tokens[min(start, len(tokens) - 7) :][:7].tolist() for start in corpus.starts]
    assert sorted(rows[:5].tolist()) == sorted(rows[5:].tolist()) == sorted(expected)
    np.testing.assert_array_equal(corpus.batch(3, 4, 2), rows[8:])


def test_a_running_text_is_cut_elsewhere_in_every_epoch() -> None:
    tokens = np.array([0, *range(1, 100), 0])
    corpus = Corpus(tokens, 10)
    rows = np.concatenate([corpus.batch(0, number, 5) for number in range(12)])
    assert (rows[:, 0] == 0).all()
    assert (np.diff(rows[:, 1:]) == 1).all()
    assert len(set(rows[:, 1] % 10)) > 2


def test_names_are_held_out_by_hash(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    texts = texts_of(LANGUAGE_RECIPES["names"], tmp_path)
    for name in set(NAMES):
        held = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10 == 0
        assert (f"{name}\n" in texts.valid, f"{name}\n" in texts.train) == (held, not held)


def test_texts_are_read_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(b"one\n<|endoftext|>\n\ntwo<|endoftext|>\n<|endoftext|>"))
    (tmp_path / "valid.txt").write_text("three")
    assert texts_of(LANGUAGE_RECIPES["stories"], tmp_path) == (["one\n", "\ntwo"], ["three"])
    (tmp_path / "valid.txt").unlink()
    (tmp_path / "train.txt.gz").unlink()
    (tmp_path / "train.txt").write_text("x" * 300)
    assert [len(text) for text in texts_of(replace(LANGUAGE_RECIPES["text"], context=20), tmp_path).valid] == [20, 10]


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names.txt.gz").write_bytes(gzip.compress(b"text" * 99)[:-9])
    with pytest.raises(TritweaveError, match=r"no \.gz file of UTF-8 text"):
        texts_of(LANGUAGE_RECIPES["names"], tmp_path)


def test_characters_that_the_tokenizer_lacks_are_refused() -> None:
    with pytest.raises(TritweaveError, match="the tokenizer lacks 'é'"):
        encode(make_tokenizer(Texts(["cafe"], []), None), ["café"])


def test_the_tokenizer_spells_every_character() -> None:
    texts = ["Once upon a time, there was\n", "a café."]
    for vocabulary in (None, 40):
        tokenizer = make_tokenizer(Texts(texts[:1], texts[1:]), vocabulary)
        assert [tokenizer.decode(tokens) for tokens in encode(tokenizer, texts)] == texts
        assert tokenizer.token_to_id("<|endoftext|>") == 0
