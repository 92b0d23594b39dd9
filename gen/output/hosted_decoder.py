"""A decoder behind a serial line: what it says it is, and the hardware."""

from amaranth.lib import wiring

from golden.link.language import LanguageIdentity
from golden.trits import packing_named
from rtl.link.decoder_config import DecoderLinkConfig
from rtl.link.hosted_decoder import HostedDecoder
from rtl.link.uart import UartConfig


def identify_decoder(config: DecoderLinkConfig, clock_hz: int) -> LanguageIdentity:
    """What a device with this decoder says it is."""
    decoder = config.decoder
    shape, form = decoder.shape, decoder.form
    return LanguageIdentity(
        vocabulary=shape.vocabulary,
        hidden=shape.hidden,
        intermediate=shape.intermediate,
        context=shape.context,
        blocks=shape.blocks,
        heads=shape.heads,
        key_heads=shape.key_heads,
        head=shape.head,
        embedding_digits=form.embedding_digits,
        key_digits=form.key_digits,
        value_digits=form.value_digits,
        scale_bits=form.scale_bits,
        rows=decoder.rows,
        columns=decoder.columns,
        lanes=decoder.lanes,
        packing=packing_named(decoder.packing).trits,
        logit_bits=decoder.widths.logit_sum,
        writable=0,
        keeps_logits=int(config.logits),
        payload=config.request,
        clock_hz=clock_hz,
    )


def hosted_decoder(decoder: wiring.Component, config: DecoderLinkConfig, uart: UartConfig, image: int) -> HostedDecoder:
    """The hardware.

    Parameters
    ----------
    decoder
        With a model built in.
    config
        The link's size.
    uart
        The clock and the line's rate.
    image
        The number of what is built in.

    """
    return HostedDecoder(decoder, config, uart, identify_decoder(config, uart.clock_hz).to_bytes(), image=image)
