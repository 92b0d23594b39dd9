"""How well a language model foretells text: bits a byte, of the float reference and of the integers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gen.language.models import Speaker
from gen.language.text import beginning
from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from golden.language.reference import Reference

BATCH: Final = 1024
"""Positions computed at once, about: what a cache of a few MB holds."""


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Parameters
    ----------
    documents, cut
        How many there were, and how many were longer than the context and cut to it.
    tokens, bytes
        Of all documents, the start tokens not counted.
    nats, nats_float
        Summed over the tokens: of the integers, if the model has an integer form, and of the float reference.
    saturated
        Elements of the residual that were cut to its width.

    """

    documents: int
    cut: int
    tokens: int
    bytes: int
    nats: float | None
    nats_float: float
    saturated: int

    def figures(self) -> dict[str, Any]:
        """As JSON has it; what a model of floats has not is null."""
        per_byte = 1 / np.log(2) / self.bytes
        return {
            "documents": self.documents,
            "documents_cut": self.cut,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "bits_per_byte": None if self.nats is None else self.nats * per_byte,
            "bits_per_byte_float": self.nats_float * per_byte,
            "nats_per_token": None if self.nats is None else self.nats / self.tokens,
            "nats_per_token_float": self.nats_float / self.tokens,
            "distance": None if self.nats is None else self.nats / self.nats_float - 1,
            "saturated": self.saturated,
        }

    def rows(self) -> list[tuple[str, str]]:
        """For a table."""
        found = self.figures()
        rows = [
            ("documents", f"{self.documents:,}" + (f", {self.cut:,} cut to the context" if self.cut else "")),
            ("tokens", f"{self.tokens:,} of {self.bytes:,} bytes"),
            ("float form", f"{found['bits_per_byte_float']:.4f} bits a byte, {found['nats_per_token_float']:.4f} nats"),
        ]
        if self.nats is not None:
            rows += [
                ("integers", f"{found['bits_per_byte']:.4f} bits a byte, {found['nats_per_token']:.4f} nats a token"),
                ("distance", f"{found['distance']:+.4%}"),
                ("saturated", f"{self.saturated:,}"),
            ]
        return rows


@dataclass(frozen=True)
class Documents:
    """Documents as tokens, each behind the start token and at most as long as the context.

    Parameters
    ----------
    inputs
        What the model takes: the start token, then all tokens but the last.
    targets
        What it is to foretell.
    bytes
        That the targets spell.
    cut
        Documents that were too long.

    """

    inputs: list[NDArray[np.int64]]
    targets: list[NDArray[np.int64]]
    bytes: int
    cut: int

    @classmethod
    def of(cls, speaker: Speaker, texts: list[str], prefix: int | None = None) -> "Documents":
        """Of texts, or of their first `prefix` bytes."""
        if prefix is not None:
            texts = [beginning(text, prefix) for text in texts]
        context, start = speaker.model.shape.context, speaker.model.start
        encoded = [tokens for tokens in speaker.tokenizer.encode(texts) if tokens]
        if not encoded:
            raise TritweaveError("there is no document in the text; at least one of at least one token is needed")
        targets = [np.array(tokens[:context]) for tokens in encoded]
        return cls(
            [np.concatenate([[start], tokens[:-1]]) for tokens in targets],
            targets,
            sum(len(speaker.tokenizer.spell(int(token))) for tokens in targets for token in tokens),
            sum(len(tokens) > context for tokens in encoded),
        )

    def batches(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Inputs and targets of about `BATCH` positions, of documents of similar length; -1 behind a target's end."""
        order = sorted(range(len(self.targets)), key=lambda index: len(self.targets[index]))
        while order:
            length = len(self.targets[order[-1]])
            count = max(BATCH // length, 1)
            chosen, order = order[-count:], order[:-count]
            inputs = np.zeros((len(chosen), length), np.int64)
            targets = np.full((len(chosen), length), -1)
            for row, index in enumerate(chosen):
                inputs[row, : len(self.inputs[index])] = self.inputs[index]
                targets[row, : len(self.targets[index])] = self.targets[index]
            yield inputs, targets


def evaluate(speaker: Speaker, documents: Documents, progress: Callable[[int], None] | None = None) -> Evaluation:
    """Measure; `progress` is told how many tokens are done."""
    reference = Reference(speaker.model)
    decoder = Decoder(speaker.model) if speaker.model.ternary else None
    nats, nats_float, saturated = 0.0, 0.0, 0
    for inputs, targets in documents.batches():
        nats_float += surprise(reference.forward(inputs), targets)
        if decoder:
            sequences = decoder.start(*inputs.shape)
            # Bases of logarithms are factors: these logits are in log2.
            nats += surprise(decoder.forward(inputs, sequences).reals() * np.log(2), targets)
            saturated += sequences.saturated
        if progress:
            progress(int(np.count_nonzero(targets >= 0)))
    return Evaluation(
        documents=len(documents.targets),
        cut=documents.cut,
        tokens=sum(map(len, documents.targets)),
        bytes=documents.bytes,
        nats=nats if decoder else None,
        nats_float=nats_float,
        saturated=saturated,
    )


def surprise(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Nats of all targets that are not negative."""
    peak = logits.max(axis=-1, keepdims=True)
    total = np.log(np.exp(logits - peak).sum(axis=-1)) + peak[..., 0]
    found = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    return float((total - found)[targets >= 0].sum())
