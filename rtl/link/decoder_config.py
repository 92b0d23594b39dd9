"""The configuration of a host link in front of a decoder."""

from dataclasses import dataclass

from golden.link.format import CRC_BYTES, HEADER_BYTES, SMALLEST_LIMIT, STATE_FIELDS, UNIT_BYTES
from golden.link.language_format import LANGUAGE_FIELDS, SETTING_FIELDS, TOKEN_BYTES
from rtl.transformer.config import DecoderConfig


@dataclass(frozen=True)
class DecoderLinkConfig:
    """Size of a host link.

    Parameters
    ----------
    decoder
        What is behind it.
    token_cycles
        Most cycles that the decoder works on a token, at least 1.
    logits
        Whether the logits of a token are kept for the host.

    """

    decoder: DecoderConfig
    token_cycles: int
    logits: bool = False

    @property
    def request(self) -> int:
        """Longest payload of a request: a whole context as the prompt, or `SMALLEST_LIMIT`."""
        generate = 2 * UNIT_BYTES + sum(SETTING_FIELDS.values()) + TOKEN_BYTES * self.decoder.shape.context
        return max(SMALLEST_LIMIT, generate)

    @property
    def logit_words(self) -> int:
        """Words of a token's logits."""
        return self.decoder.words(self.decoder.shape.vocabulary)

    @property
    def reply(self) -> int:
        """Longest payload of a reply: a whole context of tokens, all that the link says of itself, or the logits."""
        about = sum(LANGUAGE_FIELDS.values()) + sum(STATE_FIELDS.values())
        logits = UNIT_BYTES * self.decoder.lanes * self.logit_words * self.logits
        return max(about, 1 + TOKEN_BYTES * self.decoder.shape.context, logits)

    @property
    def memories(self) -> list[tuple[int, int]]:
        """Those of a request, of a reply, of tokens and of logits: words, and bits of each."""
        frame, decoder = HEADER_BYTES + CRC_BYTES, self.decoder
        token = (decoder.shape.vocabulary - 1).bit_length()
        kept = [(self.logit_words, decoder.lanes * decoder.widths.logit_sum)] * self.logits
        return [(frame + self.request, 8), (frame + self.reply, 8), (decoder.shape.context, token), *kept]

    @property
    def patience(self) -> int:
        """Bits of a request's cycles: one that takes 2**patience cycles is stuck.

        None takes half as long: it waits for the token at hand, drops a prompt, and passes byte by byte.
        """
        longest = 2 * self.token_cycles + 16 * (self.request + self.reply)
        return (2 * longest).bit_length()
