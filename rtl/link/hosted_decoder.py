"""A decoder with its host link and its serial line: all that a board adds is two pins and a clock."""

from collections.abc import Sequence

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from rtl.link.decoder_config import DecoderLinkConfig
from rtl.link.decoder_link import DecoderLink
from rtl.link.uart import UartConfig, UartReceiver, UartTransmitter
from rtl.transformer.generator import Generator


class HostedDecoder(wiring.Component):
    """Serves a host over a serial line, see `golden.link.language_format`.

    Parameters
    ----------
    decoder
        A `rtl.transformer.decoder.Decoder`.
    config
        The link's size.
    uart
        The line's rate.
    identity, image
        What the device says it is, and the number of what it has in its memories, see `DecoderLink`.

    Members
    -------
    rx
        In, 1: the line from the host, asynchronous.
    tx
        Out, 1: the line to the host.

    """

    rx: Signal
    tx: Signal

    def __init__(
        self,
        decoder: wiring.Component,
        config: DecoderLinkConfig,
        uart: UartConfig,
        identity: Sequence[int],
        *,
        image: int,
    ):
        self.decoder, self.config, self.uart = decoder, config, uart
        self.link = DecoderLink(config, identity, image=image)
        self.generator = Generator(config.decoder)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform) -> Module:
        """The parts in a row, and back."""
        m = Module()
        link, decoder, generator = self.link, self.decoder, self.generator
        m.submodules.receiver = receiver = UartReceiver(self.uart)
        m.submodules.transmitter = transmitter = UartTransmitter(self.uart)
        m.submodules.link = link
        m.submodules.generator = ResetInserter(link.reset)(generator)
        m.submodules.decoder = ResetInserter(link.reset)(decoder)
        for source, sink in (
            (receiver.o, link.i),
            (link.o, transmitter.i),
            (link.prompt, generator.prompt),
            (generator.token, decoder.token),
            (decoder.choice, generator.choice),
            (generator.o, link.made),
        ):
            connect(m, source, sink)
        if self.config.logits:
            connect(m, decoder.logits, link.logits)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            generator.settings.eq(link.settings),
            generator.abort.eq(link.abort),
            link.cycles.eq(generator.cycles),
            decoder.temperature.eq(link.settings.temperature),
            decoder.seed.eq(link.settings.seed),
        ]
        return m
