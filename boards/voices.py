"""What can talk: the golden model, or an engine, compared with it token by token."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from boards.catalogue import Board
from boards.decode import decoded
from boards.language import hosted_language_verilog
from boards.language_device import LanguageDevice
from boards.language_planning import language_plan_for
from boards.linked_decoder import LinkedDecoder, Spoken
from boards.netlist import synthesised
from boards.placement import place_board
from boards.serial_device import SerialLine
from boards.simulated_board import BoardLine
from gen.language.models import Speaker
from gen.output.hosted_decoder import decoder_image_number, identify_decoder, link_config
from gen.plan.plan import Fold
from gen.transformer.plan import PACKING, DecoderPlan, plan_decoder
from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from golden.language.generation import Generation
from golden.language.sampler import Sampler
from sim.side_by_side import Comparison, generate
from sim.tokens import SimulatedDecoder

GOLDEN, SIMULATED, NETLIST, BITSTREAM = "golden", "sim", "netlist", "bitstream"
PORTS = (GOLDEN, SIMULATED, NETLIST, BITSTREAM)
"""What can talk beside boards on serial ports."""


class Voice(NamedTuple):
    """A sequence that is being made."""

    generation: Generation | Spoken
    """Its tokens, and why they end."""
    comparison: Comparison | None = None
    """How much of it was golden's; None if it is golden's itself, or nobody knows."""


class Engine(NamedTuple):
    """What is asked of the engine.

    Parameters
    ----------
    board
        On which it is, or whose clock counts in simulation.
    fold, packing, context
        As for `boards.language_planning.language_plan_for`; in simulation, as for `plan_decoder`.

    """

    board: Board
    fold: Fold | None = None
    packing: str | None = None
    context: int | None = None


@contextmanager
def open_voice(
    port: str, speaker: Speaker, prompt: Sequence[int], limit: int | None, sampler: Sampler, engine: Engine
) -> Iterator[Voice]:
    """Begin a sequence.

    Parameters
    ----------
    port
        One of `PORTS`, or a serial port.
    speaker
        The model.
    prompt, limit, sampler
        As for `Generation`.
    engine
        Not for the golden model.

    """
    model = speaker.model
    if port == GOLDEN:
        yield Voice(Generation(Decoder(model), sampler, prompt, limit))
        return
    model.check_tokens(np.array([prompt]))
    if port == SIMULATED:
        plan = plan_decoder(model, engine.fold, packing=engine.packing or PACKING, context=engine.context)
        with SimulatedDecoder(plan.verilog(), plan.config) as simulated:
            yield Voice(*generate(plan, simulated, sampler, prompt, limit))
        return
    plan = language_plan_for(engine.board, model, engine.fold, engine.packing, engine.context)
    image = decoder_image_number(plan.image)
    with open_device(port, engine.board, plan) as device:
        if device.identify()[0].keeps_logits:
            linked = LinkedDecoder(device, image, model.shape.vocabulary, model.ends, limit)
            yield Voice(*generate(plan, linked, sampler, prompt, limit))
        else:
            yield Voice(Spoken(device, image, plan.config, model.ends, sampler, prompt, limit))


def open_device(port: str, board: Board, plan: DecoderPlan) -> LanguageDevice:
    """The board on a serial port, or as synthesised or decoded in Verilator, where it keeps logits."""
    simulations: dict[str, Callable[[], str]] = {
        NETLIST: lambda: synthesised(board, hosted_language_verilog(board, plan, logits=True)),
        BITSTREAM: lambda: decoded(
            board, lambda: place_board(board, lambda: hosted_language_verilog(board, plan, logits=True))
        ),
    }
    if port in simulations:
        expected = identify_decoder(link_config(plan, logits=True), board.clock_hz)
        line = BoardLine(simulations[port](), board.uart)
        return LanguageDevice(f"the simulated {board.name}", line, board.baud, expected=expected)
    expected = identify_decoder(link_config(plan), board.clock_hz)
    return LanguageDevice(f"the device on {port}", SerialLine(port, board.baud), board.baud, expected=expected)


def check_port(port: str, *, given: bool) -> None:
    """Raise if options of an engine are given for what has none."""
    if port == GOLDEN and given:
        raise TritweaveError(
            f"--port {GOLDEN} has no engine; leave out --board, --fold, --packing and --context, or use "
            f"--port {SIMULATED}"
        )
