# amaranth: UnusedElaboratable=no
"""A stand-in for a decoder behind its host link, in Verilator."""

from gen.output.hosted_decoder import hosted_decoder
from gen.plan.plan import MODULE
from gen.verilog import generate
from rtl.link.decoder_config import DecoderLinkConfig
from rtl.link.uart import UartConfig
from sim.line import SimulatedLine
from support.stand_in_decoder import CONFIG, StandIn, StandInDecoder

UART = UartConfig(4_000_000, 1_000_000)
LINK = DecoderLinkConfig(CONFIG, StandIn().cycles(sample=True), logits=True)
IMAGE = 0x600DCAFE


def stand_in_line(uart: UartConfig = UART) -> SimulatedLine:
    """The host's end of the line."""
    return SimulatedLine(generate(hosted_decoder(StandInDecoder(), LINK, uart, IMAGE), MODULE, {}), uart)
