"""The tokenizer.json of a language model's folder: byte-level pair encoding, or characters, which is the same unmerged.

Format
    As the package `tokenizers` writes it: the model is ``BPE``, the pre-tokenizer and the decoder are ``ByteLevel``. In
    the vocabulary, GPT-2's printable stand-ins for bytes: those of Latin-1 that are printable stand for themselves,
    the others, in order, are the characters from 256 on.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer as Encoder

from golden.errors import TritweaveError
from golden.files.disk import read_bytes

_PRINTABLE: Final = (*range(33, 127), *range(161, 173), *range(174, 256))
_HIDDEN: Final = tuple(byte for byte in range(256) if byte not in _PRINTABLE)
STAND_INS: Final = {chr(byte): byte for byte in _PRINTABLE} | {
    chr(256 + index): byte for index, byte in enumerate(_HIDDEN)
}
"""Character of the vocabulary to byte."""


class Tokenizer:
    """Text to tokens, and tokens to bytes.

    Parameters
    ----------
    path
        The file.
    size
        Rows of the model's embedding, as many as there must be tokens.

    """

    def __init__(self, path: Path, size: int):
        self.path = path
        content = read_bytes(path, "tokenizer").decode(errors="replace")
        try:
            described = json.loads(content)
            parts = (described["model"]["type"], _kinds(described["pre_tokenizer"]), _kinds(described["decoder"]))
            self._encoder = Encoder.from_str(content)
        # The package raises plain exceptions.
        except Exception as error:
            raise TritweaveError(f"{path} is no tokenizer that can be read: {error}") from error
        if parts[0] != "BPE" or "ByteLevel" not in parts[1] or parts[2] != ["ByteLevel"]:
            raise TritweaveError(f"{path}: the tokenizer is {parts[0]} of {parts[1]}; BPE of ByteLevel is read")
        names = self._encoder.get_vocab(with_added_tokens=True)
        if sorted(names.values()) != list(range(size)):
            raise TritweaveError(f"{path} has {len(names)} tokens; the model's embedding has {size} rows")
        self.special = frozenset(self._encoder.get_added_tokens_decoder())
        self._names = {token: name for name, token in names.items()}
        self._bytes = [self._spelt(token) for token in range(size)]
        self._known = {byte for token in range(size) if token not in self.special for byte in self._bytes[token]}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text; a character that the tokenizer has not is an error."""
        unknown = {
            character for text in texts for character in set(text) if not self._known.issuperset(character.encode())
        }
        if unknown:
            raise TritweaveError(f"the text has {min(unknown)!r}, for which {self.path} has no token")
        return [encoding.ids for encoding in self._encoder.encode_batch(list(texts), add_special_tokens=False)]

    def spell(self, token: int) -> bytes:
        """A token's bytes; none for one that stands for no text."""
        return self._bytes[token]

    def _spelt(self, token: int) -> bytes:
        if token in self.special:
            return b""
        try:
            return bytes(STAND_INS[character] for character in self._names[token])
        except KeyError as error:
            raise TritweaveError(f"{self.path}: token {token} is {self._names[token]!r}, no row of bytes") from error


def _kinds(part: dict) -> list[str]:
    """The types of a part of the tokenizer, which may be a sequence of parts."""
    found = part.get("pretokenizers") or part.get("decoders") or [part]
    return [each["type"] for each in found]
