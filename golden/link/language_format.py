"""What of the host link's wire format serves language models; the rest is `golden.link.format`. Constants only.

Payloads
    ========  ======================================================  =========================================
    command   request                                                 reply
    ========  ======================================================  =========================================
    generate  u32 sum; u32 number, chosen by the host, not 0, and     none
              never twice; `SETTING_FIELDS`; the prompt's tokens,
              u16 each, the start token first
    tokens    u32 number; u16 count                                   u8 `Ending` or 0; tokens made so far, u16
                                                                      each, without the first ones of that count
    abort     u32 number                                              none
    logits    u32 number; u16 count                                   logits in front of the token that follows so
                                                                      many, i32 each, zeros up to whole words
    ========  ======================================================  =========================================

A device has a language model instead of networks: it does not know ``run``, and what it says it is, `LANGUAGE_FIELDS`,
is longer than `golden.link.format.IDENTITY_FIELDS`. A sequence goes on by itself once it has begun:

- ``generate`` begins one, and ends the one before. It replies when the prompt is there, not when it is through.
- ``tokens`` may be asked for at any time, and again; it names the sequence by the number of its ``generate``. The
  ending comes with the last token, or behind it; an end token is not among the tokens.
- ``abort`` ends the sequence with the token at hand, and replies when it has.
- In a sequence with `STEPWISE` among its settings, the token behind so many is made once ``tokens`` has asked with that
  count, and until then ``logits`` gives those in front of it, if the device was built to keep them.
- All of them do the same again when they are repeated, ``generate`` from the prompt on: from the same settings come the
  same tokens. An old ``generate`` that comes again ends the sequence under way, which its host sees by the number.
- A reset ends the sequence; ``tokens`` is refused from then on.
"""

from enum import IntEnum
from typing import Final

from golden.link.format import Command

LANGUAGE_COMMANDS: Final = (Command.GENERATE, Command.TOKENS, Command.ABORT, Command.LOGITS)
"""Those of devices with a language model only."""

END_TOKENS: Final = 4
"""Most tokens of a ``generate`` that end a sequence."""


class Ending(IntEnum):
    """Why a sequence of tokens ended; 0 while it has not."""

    END_TOKEN = 1
    """One of the end tokens was chosen."""
    TOKENS = 2
    """As many were made as were asked for."""
    CONTEXT_FULL = 3
    """There is no place for another one."""
    ABORTED = 4
    """A host said so."""


LANGUAGE_FIELDS: Final = {
    "config": 4,
    "vocabulary": 4,
    "hidden": 4,
    "intermediate": 4,
    "context": 4,
    "blocks": 2,
    "heads": 2,
    "key_heads": 2,
    "head": 2,
    "embedding_digits": 1,
    "key_digits": 1,
    "value_digits": 1,
    "scale_bits": 1,
    "rows": 2,
    "columns": 2,
    "lanes": 2,
    "packing": 1,
    "logit_bits": 1,
    "writable": 1,
    "keeps_logits": 1,
    "payload": 4,
    "clock_hz": 4,
}
"""What a device with a language model is, name to bytes of an unsigned integer.

config
    CRC-32 of the fields from ``vocabulary`` to ``keeps_logits``.
vocabulary to scale_bits
    As in `golden.language.format`; ``context`` is what the caches hold.
rows, columns, lanes, packing, writable, payload, clock_hz
    As in `IDENTITY_FIELDS`.
logit_bits
    Of a logit, sign included.
keeps_logits
    Whether it answers ``logits``.
"""

LANGUAGE_CONFIG: Final = tuple(LANGUAGE_FIELDS)[1:20]
"""The fields that ``config`` stands for."""

TOKEN_BYTES: Final = 2
"""Of a token and of a count of tokens."""

SETTING_FIELDS: Final = {"limit": 2, "mantissa": 2, "exponent": 2, "seed": 4, "used": 2, "ends": 2 * END_TOKENS}
"""How a sequence is made.

limit
    Tokens to make at most; 0: as many as the context allows.
mantissa, exponent
    One over the temperature as a scalar, the exponent i16; with mantissa 0, always the likeliest token.
seed
    The sampler's first state.
used
    Bit n: token n of ``ends`` ends the sequence; `STEPWISE`; other bits are 0.
ends
    Tokens, u16 each.
"""

STEPWISE: Final = 1 << 15
"""In ``used``: each token waits for ``tokens``."""
