import gzip
import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Encoder
from tokenizers import decoders, models, pre_tokenizers, trainers

from gen.language.text import beginning, documents, read_text
from gen.language.tokenizer import STAND_INS, Tokenizer
from golden.errors import TritweaveError
from support.tokenizers_made import byte_pairs, characters

TEXT = "Once upon a time, there was a cat. The cat's name was Café!\nIt ran 12 times.\n" * 3


def test_documents_lie_between_marks() -> None:
    text = "one\n<|endoftext|>\n\ntwo<|endoftext|><|endoftext|>\n<|endoftext|>three\n"
    assert documents(text) == ["one\n", "\ntwo", "three\n"]
    assert documents("") == []


def test_beginnings_are_whole_characters_without_white_space_at_the_end() -> None:
    assert beginning("a cat\n", 2) == "a"
    assert beginning("a cat\n", 9) == "a cat"
    assert [beginning("aé€", size) for size in range(1, 8)] == ["a", "a", "aé", "aé", "aé", "aé€", "aé€"]


def test_texts_are_read_gzipped_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Café", encoding="utf-8")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("Café".encode()))
    assert read_text(tmp_path / "a.txt") == read_text(tmp_path / "a.txt.gz") == "Café"
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "b.gz").write_bytes(b"no gzip")
    for name in ("b.txt", "b.gz"):
        with pytest.raises(TritweaveError, match=f"{name} is no .* file of UTF-8 text"):
            read_text(tmp_path / name)
    with pytest.raises(TritweaveError, match=r"cannot read text .*c\.txt: No such file"):
        read_text(tmp_path / "c.txt")


def test_stand_ins_are_those_of_the_package() -> None:
    assert sorted(STAND_INS) == sorted(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(STAND_INS.values()) == list(range(256))
    encoder = Encoder(models.BPE())
    encoder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for character in ("\0", " ", "\n", "é", "\xad", "\x7f"):
        [(stands, _)] = encoder.pre_tokenizer.pre_tokenize_str(character)
        assert bytes(STAND_INS[one] for one in stands) == character.encode()


def test_byte_pairs_and_characters_spell_what_they_encode(tmp_path: Path) -> None:
    for made, size in ((byte_pairs(TEXT, 64), 64), (characters(TEXT), 1 + len(set(TEXT.encode())))):
        made.save(str(tmp_path / "tokenizer.json"))
        tokenizer = Tokenizer(tmp_path / "tokenizer.json", size)
        tokens, none = tokenizer.encode([TEXT, ""])
        assert b"".join(map(tokenizer.spell, tokens)).decode() == TEXT
        assert none == []
        assert tokenizer.spell(0) == b""
        assert tokenizer.special == {0}
        assert tokens == made.encode(TEXT).ids
    assert len(tokens) == len(TEXT.encode())


def test_unknown_characters_and_other_sizes(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    characters("abc").save(str(path))
    with pytest.raises(TritweaveError, match=r"the text has 'd', for which .* has no token"):
        Tokenizer(path, 4).encode(["abc", "abd"])
    with pytest.raises(TritweaveError, match="has 4 tokens; the model's embedding has 5 rows"):
        Tokenizer(path, 5)
    with pytest.raises(TritweaveError, match="cannot read tokenizer"):
        Tokenizer(tmp_path / "none.json", 4)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"model": {"type": "BPE"}}'])
def test_damaged_tokenizers(content: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(TritweaveError, match="is no tokenizer that can be read"):
        Tokenizer(tmp_path / "tokenizer.json", 4)


def test_tokenizers_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    other = Encoder(models.WordLevel({"a": 0}, unk_token="a"))
    other.pre_tokenizer, other.decoder = pre_tokenizers.Whitespace(), decoders.ByteLevel()
    other.train_from_iterator(["a b"], trainers.WordLevelTrainer())
    other.save(str(path))
    with pytest.raises(TritweaveError, match=r"the tokenizer is WordLevel of \['Whitespace'\]; BPE of ByteLevel is"):
        Tokenizer(path, 2)
    characters("ab").save(str(path))
    described = json.loads(path.read_text())
    described["model"]["vocab"] = {"<|endoftext|>": 0, "a": 1, "€": 2}
    path.write_text(json.dumps(described))
    with pytest.raises(TritweaveError, match="token 2 is '€', no row of bytes"):
        Tokenizer(path, 3)
