"""Bits a byte of llama2.c's stories260K: the figure that the handling of texts is checked against.

python tests/interop/score_stories260k.py stories260K.bin tok512.bin valid.txt.gz gives 0.917 for the first 600 bytes of
the stories of TinyStories' validation text. Nothing but the reading of texts is ours.
"""

import struct
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from gen.language.text import beginning, documents, read_text

START, BYTES = 1, 3
"""Its start token, and what is added to a byte that is no token itself."""


class Model:
    """Version 0 of llama2.c's files: seven numbers, then all tensors as float32."""

    def __init__(self, path: Path):
        content = path.read_bytes()
        sizes = np.frombuffer(content, "<i4", 7)
        self.width, self.inner, self.layers, self.heads, self.key_heads, self.words, _ = map(int, sizes)
        self.head, self._values = self.width // self.heads, np.frombuffer(content, "<f4", offset=28)
        layers, keys = self.layers, self.key_heads * self.head
        self.embedding = self._take(self.words, self.width)
        self.attention_gains = self._take(layers, self.width)
        self.query, self.key = self._take(layers, self.width, self.width), self._take(layers, keys, self.width)
        self.value, self.output = self._take(layers, keys, self.width), self._take(layers, self.width, self.width)
        self.forward_gains = self._take(layers, self.width)
        self.gate, self.down = self._take(layers, self.inner, self.width), self._take(layers, self.width, self.inner)
        self.up = self._take(layers, self.inner, self.width)
        self.final_gains = self._take(self.width)

    def _take(self, *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        taken, self._values = self._values[:size].reshape(shape).astype(np.float64), self._values[size:]
        return taken

    def logits(self, tokens: list[int]) -> np.ndarray:
        """Behind each token."""
        hidden, count = self.embedding[tokens], len(tokens)
        for layer in range(self.layers):
            normal = norm(hidden, self.attention_gains[layer])
            query = self._turned(normal @ self.query[layer].T, self.heads)
            key = np.repeat(self._turned(normal @ self.key[layer].T, self.key_heads), self.heads // self.key_heads, 0)
            value = (normal @ self.value[layer].T).reshape(count, self.key_heads, self.head).swapaxes(0, 1)
            value = np.repeat(value, self.heads // self.key_heads, 0)
            scores = query @ key.swapaxes(1, 2) / np.sqrt(self.head)
            scores[:, ~np.tri(count, dtype=bool)] = -np.inf
            weights = np.exp(scores - scores.max(axis=2, keepdims=True))
            found = weights / weights.sum(axis=2, keepdims=True) @ value
            hidden = hidden + found.swapaxes(0, 1).reshape(count, -1) @ self.output[layer].T
            normal = norm(hidden, self.forward_gains[layer])
            gate = normal @ self.gate[layer].T
            hidden = hidden + (gate / (1 + np.exp(-gate)) * (normal @ self.up[layer].T)) @ self.down[layer].T
        return norm(hidden, self.final_gains) @ self.embedding.T

    def _turned(self, vectors: np.ndarray, heads: int) -> np.ndarray:
        pairs = vectors.reshape(len(vectors), heads, -1, 2)
        angles = np.arange(len(vectors))[:, None] * 10000.0 ** (-2 * np.arange(self.head // 2) / self.head)
        turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)[:, None]
        return np.stack([turned.real, turned.imag], -1).reshape(len(vectors), heads, -1).swapaxes(0, 1)


def norm(vectors: np.ndarray, gains: np.ndarray) -> np.ndarray:
    return vectors / np.sqrt(np.mean(vectors**2, axis=-1, keepdims=True) + 1e-5) * gains


def read_words(path: Path, count: int) -> dict[bytes, tuple[int, float]]:
    """Token and score of every word."""
    content, place, words = path.read_bytes(), 4, {}
    for token in range(count):
        score, length = struct.unpack_from("<fi", content, place)
        words.setdefault(content[place + 8 : place + 8 + length], (token, score))
        place += 8 + length
    return words


def encode(text: str, words: dict[bytes, tuple[int, float]]) -> list[int]:
    """A space in front, then the pair with the best score is joined, again and again."""
    pieces = [character.encode() for character in f" {text}"]
    while True:
        joined = [first + second for first, second in pairwise(pieces)]
        best = max((words[pair][1] for pair in joined if pair in words), default=None)
        if best is None:
            break
        place = next(index for index, pair in enumerate(joined) if pair in words and words[pair][1] == best)
        pieces[place : place + 2] = [joined[place]]
    return [token for piece in pieces for token in tokens_of(piece, words)]


def tokens_of(piece: bytes, words: dict[bytes, tuple[int, float]]) -> list[int]:
    return [words[piece][0]] if piece in words else [byte + BYTES for byte in piece]


if __name__ == "__main__":
    model_path, words_path, text_path = map(Path, sys.argv[1:])
    model = Model(model_path)
    words = read_words(words_path, model.words)
    nats, tokens, size = 0.0, 0, 0
    for document in documents(read_text(text_path)):
        text = beginning(document, 600)
        wanted = encode(text, words)
        found = model.logits([START, *wanted[:-1]])
        nats += float((np.log(np.exp(found).sum(axis=1)) - found[np.arange(len(wanted)), wanted]).sum())
        tokens, size = tokens + len(wanted), size + len(text.encode())
    print(f"{nats / np.log(2) / size:.4f} bits a byte, {tokens:,} tokens, {size:,} bytes")
