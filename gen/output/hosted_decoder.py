"""A decoder behind a serial line: what it says it is, and the hardware."""

import zlib
from collections.abc import Mapping, Sequence

from amaranth.lib import wiring

from gen.transformer.plan import DecoderPlan
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


def decoder_image_number(image: Mapping[str, Sequence[int]]) -> int:
    """The number under which a host knows what a decoder's memories hold: the CRC-32 of all words, each in as many
    times 32 bytes as it needs.
    """
    number = 0
    for words in image.values():
        for word in words:
            number = zlib.crc32(word.to_bytes(-(-word.bit_length() // 256) * 32 or 32, "little"), number)
    return number


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


def link_config(plan: DecoderPlan, *, logits: bool = False) -> DecoderLinkConfig:
    """The link of a plan's decoder; with `logits`, it keeps those of a token for the host."""
    return DecoderLinkConfig(plan.config, plan.token_cycles(plan.config.shape.context - 1, sample=True), logits)
