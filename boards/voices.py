"""What can talk: the golden model, or an engine in Verilator, compared with it token by token."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from boards.catalogue import Board
from gen.language.models import Speaker
from gen.plan.plan import Fold
from gen.transformer.plan import DecoderPlan, plan_decoder
from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from golden.language.generation import Generation
from golden.language.model import LanguageModel
from golden.language.sampler import Sampler
from sim.side_by_side import Comparison, generate
from sim.tokens import SimulatedDecoder

GOLDEN, SIMULATED = "golden", "sim"
PORTS = (GOLDEN, SIMULATED)
"""What can talk."""


class Voice(NamedTuple):
    """A sequence that is being made."""

    generation: Generation
    """Its tokens, and why they end."""
    comparison: Comparison | None = None
    """How much of it was golden's; None if it is golden's itself."""


def engine_fold(model: LanguageModel) -> Fold:
    """A fold that any model of the sizes of the shipped ones has room for."""
    half = model.shape.head // 2
    lanes = next(lanes for lanes in (8, 4, 2, 1) if half % lanes == 0)
    return Fold(16, 16, lanes)


def language_plan(speaker: Speaker, fold: Fold | None = None) -> DecoderPlan:
    """The engine of a fold, or of `engine_fold`."""
    return plan_decoder(speaker.model, fold or engine_fold(speaker.model))


@contextmanager
def open_voice(
    port: str,
    speaker: Speaker,
    prompt: Sequence[int],
    limit: int | None,
    sampler: Sampler,
    *,
    board: Board | None = None,
    fold: Fold | None = None,
) -> Iterator[Voice]:
    """Begin a sequence.

    Parameters
    ----------
    port
        One of `PORTS`.
    speaker
        The model.
    prompt, limit, sampler
        As for `Generation`.
    board, fold
        Of the engine; not for the golden model.

    """
    if port not in PORTS:
        raise TritweaveError(f"port {port!r} is not known; the ports are {', '.join(PORTS)}")
    if port == GOLDEN:
        if board or fold:
            raise TritweaveError(
                f"--port {GOLDEN} has no engine; leave out --board and --fold, or use --port {SIMULATED}"
            )
        yield Voice(Generation(Decoder(speaker.model), sampler, prompt, limit))
        return
    speaker.model.check_tokens(np.array([prompt]))
    plan = language_plan(speaker, fold)
    with SimulatedDecoder(plan.verilog(), plan.config) as simulated:
        yield Voice(*generate(plan, simulated, sampler, prompt, limit))
