"""What a device with a language model says of itself, and payloads of requests to it, as `golden.link.language_format`
defines them.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from golden.errors import TritweaveError
from golden.link.fields import config_of, differences, field_bytes, identity_bytes, read_identity
from golden.link.format import UNIT_BYTES
from golden.link.language_format import (
    END_TOKENS,
    LANGUAGE_CONFIG,
    LANGUAGE_FIELDS,
    SETTING_FIELDS,
    STEPWISE,
    TOKEN_BYTES,
    Ending,
)


class LanguageIdentity(NamedTuple):
    """What a device is; the fields are those of `LANGUAGE_FIELDS` without ``config``."""

    vocabulary: int
    hidden: int
    intermediate: int
    context: int
    blocks: int
    heads: int
    key_heads: int
    head: int
    embedding_digits: int
    key_digits: int
    value_digits: int
    scale_bits: int
    rows: int
    columns: int
    lanes: int
    packing: int
    logit_bits: int
    writable: int
    keeps_logits: int
    payload: int
    clock_hz: int

    @property
    def config(self) -> int:
        """CRC-32 of what an image and a host depend on."""
        return config_of(LANGUAGE_FIELDS, LANGUAGE_CONFIG, self._asdict())

    def to_bytes(self) -> bytes:
        """The fields as they are sent."""
        return identity_bytes(LANGUAGE_FIELDS, LANGUAGE_CONFIG, self._asdict())

    @classmethod
    def from_bytes(cls, content: bytes) -> "LanguageIdentity":
        """Read the fields; an error if ``config`` does not stand for them."""
        return cls(**read_identity(LANGUAGE_FIELDS, LANGUAGE_CONFIG, content))

    def differences(self, other: "LanguageIdentity") -> list[str]:
        """Where the config of another one differs, one text a field, this one's value first."""
        return differences(LANGUAGE_CONFIG, self, other)


class SequenceSettings(NamedTuple):
    """How a sequence is made, see `SETTING_FIELDS`; the exponent has a sign."""

    limit: int = 0
    mantissa: int = 0
    exponent: int = 0
    seed: int = 0
    ends: tuple[int, ...] = ()
    stepwise: bool = False

    def to_bytes(self) -> bytes:
        """The fields as they are sent."""
        if len(self.ends) > END_TOKENS:
            raise TritweaveError(f"{len(self.ends)} tokens are to end the sequence; a device takes {END_TOKENS}")
        ends = struct.pack(f"<{END_TOKENS}H", *self.ends, *[0] * (END_TOKENS - len(self.ends)))
        values = {
            "limit": self.limit,
            "mantissa": self.mantissa,
            "exponent": self.exponent & 0xFFFF,
            "seed": self.seed,
            "used": (1 << len(self.ends)) - 1 | STEPWISE * self.stepwise,
            "ends": int.from_bytes(ends, "little"),
        }
        return field_bytes(SETTING_FIELDS, values)


class Progress(NamedTuple):
    """The reply to ``tokens``."""

    ending: Ending | None
    tokens: list[int]

    @classmethod
    def from_bytes(cls, content: bytes) -> "Progress":
        """Read the payload."""
        count, rest = divmod(len(content) - 1, TOKEN_BYTES)
        if rest or not content or content[0] > max(Ending):
            raise TritweaveError(
                f"the device sent {len(content)} bytes of tokens, the first {content[:1].hex() or 'missing'}; "
                "it was built by another version of tritweave"
            )
        return cls(Ending(content[0]) if content[0] else None, list(struct.unpack_from(f"<{count}H", content, 1)))


def generate_payload(image: int, number: int, settings: SequenceSettings, prompt: Sequence[int]) -> bytes:
    """Payload of ``generate``; `image` is the number of the image that it is for."""
    tokens = struct.pack(f"<{len(prompt)}H", *prompt)
    return _unit(image) + _unit(number) + settings.to_bytes() + tokens


def count_payload(number: int, count: int) -> bytes:
    """Payload of ``tokens`` and of ``logits``."""
    return _unit(number) + count.to_bytes(TOKEN_BYTES, "little")


def abort_payload(number: int) -> bytes:
    """Payload of ``abort``."""
    return _unit(number)


def _unit(value: int) -> bytes:
    return value.to_bytes(UNIT_BYTES, "little")
