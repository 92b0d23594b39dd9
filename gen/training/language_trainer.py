"""The trainer of language models: steps of the optimisers, and a state that survives being killed at any moment.

On a CPU it works on one thread, so that sums run in one order: what a run that was interrupted comes to is what it
would have come to anyway.
"""
# pyright: reportMissingImports=false
# PyTorch is optional, so the types must also check where it is not installed.

import math
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch.nn import functional

from gen.training.corpus import Corpus
from gen.training.decoder import Decoder
from gen.training.language_recipes import LanguageRecipe
from gen.training.optimisers import Muon, Schedule
from golden.errors import TritweaveError
from golden.files.disk import write_bytes
from golden.language.format import LanguageFormat, Shape

SAVED: Final = 60.0
"""Seconds between two states on the disk."""


class Progress(NamedTuple):
    """Where a run stands."""

    step: int
    """Steps done."""
    loss: float
    """Of the last step's batch, in nats a token."""


class Run:
    """A training run; what it is after `step` steps depends on recipe, corpus and seed alone.

    Parameters
    ----------
    recipe
        What to train, and how.
    corpus
        What to learn from.
    vocabulary
        Number of tokens.
    seed
        0 to 2**63 - 1.
    quantised
        False for the float twin.

    """

    def __init__(
        self, recipe: LanguageRecipe, corpus: Corpus, vocabulary: int, *, seed: int, quantised: bool = True
    ) -> None:
        if not 0 <= seed < 1 << 63:
            raise TritweaveError(f"the seed is {seed}; it must be 0 to 2**63 - 1")
        if not 0 <= corpus.tokens.min() <= corpus.tokens.max() < vocabulary:
            raise TritweaveError(f"the text holds token {corpus.tokens.max()}; the vocabulary has {vocabulary}")
        self.recipe, self.corpus, self.seed, self.quantised = recipe, corpus, seed, quantised
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        form = LanguageFormat(recipe.embedding_digits, recipe.key_digits, recipe.value_digits)
        self.model = Decoder(shape_of(recipe, vocabulary), form, torch.Generator().manual_seed(seed)).to(self.device)
        matrices = [parameter for name, parameter in self.model.named_parameters() if "_proj." in name]
        others = [parameter for name, parameter in self.model.named_parameters() if "_proj." not in name]
        self.muon = Muon(matrices, recipe.matrices)
        self.adam = torch.optim.AdamW(others, recipe.others, betas=(0.9, 0.98), weight_decay=0.0)
        self.losses: list[float] = []

    def step(self) -> Progress:
        """One step of the optimisers."""
        number, recipe = len(self.losses), self.recipe
        working = self.quantised and number >= recipe.floats
        self.model.precision.weights = self.model.precision.activations = working
        share = Schedule(recipe.steps, recipe.warm_up, recipe.decay)(number)
        for optimiser, rate in ((self.muon, recipe.matrices), (self.adam, recipe.others)):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
        rows = torch.from_numpy(self.corpus.batch(self.seed, number, recipe.batch)).to(self.device)
        loss = loss_of(self.model, rows)
        loss.backward()
        value = loss.item()
        if not math.isfinite(value):
            raise TritweaveError(f"the loss is {value} in step {number}; lower the learning rates")
        for optimiser in (self.muon, self.adam):
            optimiser.step()
            optimiser.zero_grad()
        self.losses.append(value)
        return Progress(number + 1, value)

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        content = BytesIO()
        torch.save(self._state(), content)
        write_bytes(path, content.getvalue())

    def load(self, path: Path) -> None:
        """Go on from a state; only the number of steps, and of those with falling rates, may have changed."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            differences = {key for key, value in self._identity().items() if state["identity"].get(key) != value}
            if differences:
                raise TritweaveError(
                    f"{path} is of a run with another {', '.join(sorted(differences))}; "
                    f"give the same, or another output folder"
                )
            self.model.load_state_dict(state["model"])
            self.muon.load_state_dict(state["muon"])
            self.adam.load_state_dict(state["adam"])
            self.losses = state["losses"]
        except TritweaveError:
            raise
        except Exception as error:
            raise TritweaveError(f"{path} is no state of a training run: {error}") from error

    def _identity(self) -> dict[str, Any]:
        fixed = {key: value for key, value in asdict(self.recipe).items() if key not in ("steps", "decay", "prefix")}
        text = zlib.crc32(self.corpus.tokens.tobytes())
        return fixed | {"seed": self.seed, "quantised": self.quantised, "text": text}

    def _state(self) -> dict[str, Any]:
        return {
            "identity": self._identity(),
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "losses": self.losses,
        }


def shape_of(recipe: LanguageRecipe, vocabulary: int) -> Shape:
    """The shape of the recipe's model."""
    return Shape(
        vocabulary=vocabulary,
        hidden=recipe.width,
        blocks=recipe.layers,
        heads=recipe.heads,
        key_heads=recipe.key_heads,
        head=recipe.width // recipe.heads,
        intermediate=recipe.inner,
        context=recipe.context,
    )


def loss_of(model: Decoder, rows: torch.Tensor) -> torch.Tensor:
    """Mean nats a token of rows of tokens, shape (B, T + 1); nothing sees beyond the start of its document."""
    inputs, targets = rows[:, :-1], rows[:, 1:]
    return functional.cross_entropy(model(inputs, visible(inputs)).flatten(0, 1), targets.flatten())


def visible(tokens: torch.Tensor) -> torch.Tensor:
    """The mask, shape (B, T, T), that keeps attention within documents and behind time."""
    document = (tokens == 0).cumsum(1)
    seen = (document[:, :, None] == document[:, None, :]).tril()
    return torch.zeros(seen.shape, device=tokens.device).masked_fill_(~seen, -math.inf)


def train(run: Run, state: Path, progress: Callable[[Progress], None] | None = None) -> None:
    """Do what is left of a run, from the state on the disk if there is one.

    Parameters
    ----------
    run
        A run without a step.
    state
        File of the state. Where the rates begin to fall a second one, ``constant-STATE``, is left to go on from.
    progress
        Called after every step.

    """
    if state.exists():
        run.load(state)
    saved = time.monotonic()
    while len(run.losses) < run.recipe.steps:
        if len(run.losses) == run.recipe.steps - run.recipe.decay:
            run.save(state.with_name(f"constant-{state.name}"))
        done = run.step()
        if progress is not None:
            progress(done)
        if time.monotonic() - saved > SAVED:
            run.save(state)
            saved = time.monotonic()
    run.save(state)


@torch.no_grad()
def evaluate(model: Decoder, documents: list[list[int]], *, quantised: bool, batch: int = 64) -> tuple[float, int]:
    """Nats that all documents cost, each after one start token, and their tokens; they must fit the context."""
    model.precision.weights = model.precision.activations = quantised
    device = next(model.parameters()).device
    nats, count = 0.0, 0
    ordered = sorted(documents, key=len)
    for start in range(0, len(ordered), batch):
        chunk = ordered[start : start + batch]
        length = max(map(len, chunk))
        rows = torch.full((len(chunk), length + 1), -100)
        for row, tokens in zip(rows, chunk, strict=True):
            row[1 : len(tokens) + 1] = torch.tensor(tokens)
        rows[:, 0] = 0
        inputs = rows[:, :-1].clamp(min=1).to(device)
        inputs[:, 0] = 0
        logits = model(inputs, visible(inputs))
        targets = rows[:, 1:].to(device)
        nats += functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").item()
        count += sum(map(len, chunk))
    return nats, count
