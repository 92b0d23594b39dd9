"""A language model in Verilator beside the golden one: the same tokens into both, and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from golden.language.decoder import Decoder, Sequences
from golden.language.embedding import Logits
from golden.language.generation import Generation
from golden.language.model import LanguageModel
from golden.language.sampler import Sampler
from golden.language.scalars import Scalars
from rtl.transformer.config import DecoderConfig
from sim.tokens import Settings, Taken


class Plan(Protocol):
    """What is known of a decoder before it is simulated."""

    @property
    def model(self) -> LanguageModel:
        """What it runs."""
        ...

    @property
    def config(self) -> DecoderConfig:
        """What it was made for; its context may be shorter than the model's."""
        ...

    def token_cycles(self, position: int, *, sample: bool) -> int:
        """Predicted cycles from a token's being taken until the next one can be, its choice being taken at once."""
        ...


class Takes(Protocol):
    """`sim.tokens.SimulatedDecoder`, or what stands for it."""

    def take(self, token: int, *, first: bool, sample: bool, settings: Settings) -> Taken:
        """Give it a token."""
        ...


class Choice(NamedTuple):
    """A token that was chosen in the simulation, and what golden says of it."""

    token: int
    expected: int
    logits_equal: bool
    cycles: int
    """As predicted, if nobody knows them."""


@dataclass
class Comparison:
    """What two decoders had in common.

    Parameters
    ----------
    choices
        Of each token behind which one was wanted.
    cycles_predicted, cycles_simulated
        Of each token, the prompt's too, whose cycles are known.
    saturated
        Elements of the residual that golden cut to its width.

    """

    choices: list[Choice] = field(default_factory=list)
    cycles_predicted: list[int] = field(default_factory=list)
    cycles_simulated: list[int] = field(default_factory=list)
    saturated: int = 0

    @property
    def tokens_equal(self) -> int:
        """Choices that are golden's."""
        return sum(choice.token == choice.expected for choice in self.choices)

    @property
    def logits_equal(self) -> int:
        """Choices in front of which all logits were golden's."""
        return sum(choice.logits_equal for choice in self.choices)

    @property
    def exact(self) -> bool:
        """Whether there is no difference at all."""
        equal = self.tokens_equal == self.logits_equal == len(self.choices)
        return equal and self.cycles_predicted == self.cycles_simulated

    def tokens_per_s(self, clock_hz: int) -> float:
        """Tokens made a second, the prompt left out."""
        cycles = sum(choice.cycles for choice in self.choices)
        return clock_hz * len(self.choices) / cycles if cycles else 0.0

    def figures(self, clock_hz: int) -> dict[str, object]:
        """Everything, for a JSON file."""
        return {
            "tokens": len(self.choices),
            "tokens_equal": self.tokens_equal,
            "logits_equal": self.logits_equal,
            "cycles_predicted": sum(self.cycles_predicted),
            "cycles_simulated": sum(self.cycles_simulated),
            "cycles_equal": sum(map(int.__eq__, self.cycles_predicted, self.cycles_simulated)),
            "saturated": self.saturated,
            "clock_mhz": clock_hz / 1e6,
            "tokens_per_s": self.tokens_per_s(clock_hz),
        }


def settings_of(config: DecoderConfig, sampler: Sampler) -> Settings:
    """A sampler's settings, before it has chosen anything, as a decoder takes them."""
    if sampler.temperature == 0:
        return Settings(seed=sampler.state)
    scalar = Scalars.constant(1 / sampler.temperature, config.form.scale_bits)
    return Settings(int(scalar.mantissa), int(scalar.exponent), sampler.state)


def generate(
    plan: Plan, simulated: Takes, sampler: Sampler, prompt: Sequence[int], limit: int | None = None
) -> tuple[Generation, Comparison]:
    """A generation whose tokens are those that the simulation chooses, and its comparison, which fills meanwhile.

    Parameters
    ----------
    plan
        The decoder and its model.
    simulated
        The decoder.
    sampler
        How tokens are chosen; one that has chosen nothing yet.
    prompt, limit
        As for `Generation`.

    """
    found = Comparison()
    decoder = _Beside(plan, simulated, settings_of(plan.config, sampler), found)
    chooser = _Chooser(decoder, sampler.temperature)
    chooser.state = sampler.state
    return Generation(decoder, chooser, prompt, limit), found


class _Beside(Decoder):
    """The golden decoder; what it takes, the simulated one takes too."""

    def __init__(self, plan: Plan, simulated: Takes, settings: Settings, found: Comparison):
        super().__init__(replace(plan.model, shape=plan.config.shape))
        self._plan, self._simulated, self._settings, self.found = plan, simulated, settings, found
        self.taken: Taken | None = None
        self.cycles = 0

    def forward(self, tokens: NDArray[np.integer[Any]], sequences: Sequences) -> Logits:
        """One sequence."""
        start = sequences.position
        logits = super().forward(tokens, sequences)
        for position, token in enumerate(tokens[0].tolist(), start):
            sample = position == sequences.position - 1
            self.taken = self._simulated.take(token, first=position == 0, sample=sample, settings=self._settings)
            self.cycles = self._plan.token_cycles(position, sample=sample)
            if self.taken.cycles is not None:
                self.found.cycles_predicted.append(self.cycles)
                self.found.cycles_simulated.append(self.taken.cycles)
                self.cycles = self.taken.cycles
        self.found.saturated = sequences.saturated
        return logits


class _Chooser(Sampler):
    """The golden sampler; what counts is the simulated one's choice."""

    def __init__(self, decoder: _Beside, temperature: float):
        super().__init__(temperature)
        self._decoder = decoder

    def choose(self, logits: Logits, bits: int) -> int:
        """The simulated choice."""
        taken, expected = self._decoder.taken, super().choose(logits, bits)
        assert taken
        assert taken.choice is not None
        assert taken.logits is not None
        equal = np.array_equal(logits.values.reshape(-1), taken.logits)
        self._decoder.found.choices.append(Choice(taken.choice, expected, equal, self._decoder.cycles))
        return taken.choice
