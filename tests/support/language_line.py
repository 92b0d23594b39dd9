# amaranth: UnusedElaboratable=no
"""A stand-in for a decoder behind its host link, in Verilator."""

from random import Random
from typing import Any, NamedTuple

from gen.output.hosted_decoder import hosted_decoder
from gen.plan.plan import MODULE
from gen.verilog import generate
from golden.link.language import SequenceSettings
from golden.link.language_format import END_TOKENS, Ending
from rtl.link.decoder_config import DecoderLinkConfig
from rtl.link.uart import UartConfig
from sim.line import SimulatedLine
from support.stand_in_decoder import CONFIG, StandIn, StandInDecoder, expected

UART = UartConfig(4_000_000, 1_000_000)
LINK = DecoderLinkConfig(CONFIG, StandIn().cycles(sample=True), logits=True)
IMAGE = 0x600DCAFE


def stand_in_line(uart: UartConfig = UART) -> SimulatedLine:
    """The host's end of the line."""
    return SimulatedLine(generate(hosted_decoder(StandInDecoder(), LINK, uart, IMAGE), MODULE, {}), uart)


class Drawn(NamedTuple):
    """A sequence, and what the stand-in makes of it."""

    settings: SequenceSettings
    prompt: list[int]
    scalar: int
    """The temperature's, as bits."""
    made: list[int]
    ending: Ending


def drawn(random: Random, **changed: Any) -> Drawn:
    """Any settings, any prompt."""
    vocabulary, context = CONFIG.shape.vocabulary, CONFIG.shape.context
    settings = SequenceSettings(
        limit=random.randrange(context + 1),
        mantissa=random.randrange(1 << CONFIG.form.scale_bits),
        exponent=random.randrange(-256, 256),
        seed=random.getrandbits(32),
        ends=tuple(random.sample(range(vocabulary), random.randrange(END_TOKENS + 1))),
    )._replace(**changed)
    prompt = [random.randrange(vocabulary) for _ in range(random.randint(1, context))]
    scalar = settings.mantissa | (settings.exponent & 0x1FF) << CONFIG.form.scale_bits
    made, reason = expected(CONFIG, prompt, settings.ends, settings.limit, scalar, settings.seed)
    return Drawn(settings, prompt, scalar, made, Ending[reason.upper().replace(" ", "_")])
