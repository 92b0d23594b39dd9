"""What can talk: the golden model, or an engine in Verilator, compared with it token by token."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from boards.catalogue import Board
from gen.language.models import Speaker
from gen.plan.plan import Fold
from gen.transformer.plan import plan_decoder
from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from golden.language.generation import Generation
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
    plan = plan_decoder(speaker.model, fold)
    with SimulatedDecoder(plan.verilog(), plan.config) as simulated:
        yield Voice(*generate(plan, simulated, sampler, prompt, limit))
