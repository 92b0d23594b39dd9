import zlib

import pytest

from golden.errors import TritweaveError
from golden.link.format import IDENTITY_FIELDS
from golden.link.language import (
    LanguageIdentity,
    Progress,
    SequenceSettings,
    abort_payload,
    count_payload,
    generate_payload,
)
from golden.link.language_format import LANGUAGE_CONFIG, LANGUAGE_FIELDS, Ending

IDENTITY = LanguageIdentity(
    vocabulary=65536, hidden=128, intermediate=384, context=256, blocks=4, heads=4, key_heads=2, head=32,
    embedding_digits=3, key_digits=4, value_digits=5, scale_bits=10, rows=32, columns=16, lanes=8, packing=5,
    logit_bits=20, writable=0, keeps_logits=1, payload=700, clock_hz=50_000_000,
)  # fmt: skip


def test_an_identity_is_these_bytes_and_comes_back() -> None:
    fields = bytes.fromhex(
        "00000100 80000000 80010000 00010000 0400 0400 0200 2000 03 04 05 0a 2000 1000 0800 05 14 00 01"
    )
    content = zlib.crc32(fields).to_bytes(4, "little") + fields + bytes.fromhex("bc020000 80f0fa02")
    assert IDENTITY.to_bytes() == content
    assert LanguageIdentity.from_bytes(content) == IDENTITY
    assert LanguageIdentity._fields[:-2] == LANGUAGE_CONFIG
    # A host tells by the length what a device is.
    assert sum(LANGUAGE_FIELDS.values()) != sum(IDENTITY_FIELDS.values())


def test_a_damaged_identity_is_refused() -> None:
    content = bytearray(IDENTITY.to_bytes())
    content[9] ^= 1
    with pytest.raises(TritweaveError, match="another version of tritweave"):
        LanguageIdentity.from_bytes(bytes(content))
    with pytest.raises(TritweaveError, match="sent 49 bytes of fields where 50 were expected"):
        LanguageIdentity.from_bytes(IDENTITY.to_bytes()[:-1])


def test_differences_are_named() -> None:
    assert IDENTITY.differences(IDENTITY._replace(context=99, clock_hz=1)) == ["context 256 instead of 99"]


def test_requests_are_these_bytes() -> None:
    settings = SequenceSettings(250, 0x2AA, -3, 0x9E3779B1, (5, 0x1234), stepwise=True)
    assert generate_payload(0x01020304, 7, settings, [0, 0x156]) == bytes.fromhex(
        "04030201 07000000 fa00 aa02 fdff b179379e 0380 0500 3412 0000 0000 0000 5601"
    )
    assert SequenceSettings().to_bytes() == bytes(20)
    assert count_payload(0x80000001, 258) == bytes.fromhex("01000080 0201")
    assert abort_payload(9) == bytes.fromhex("09000000")
    with pytest.raises(TritweaveError, match="5 tokens are to end the sequence; a device takes 4"):
        SequenceSettings(ends=(1, 2, 3, 4, 5)).to_bytes()


def test_progress_is_an_ending_and_tokens() -> None:
    assert Progress.from_bytes(bytes.fromhex("00")) == (None, [])
    assert Progress.from_bytes(bytes.fromhex("03 3412 0700")) == (Ending.CONTEXT_FULL, [0x1234, 7])
    for content in ("", "0001", "05"):
        with pytest.raises(TritweaveError, match="bytes of tokens, the first"):
            Progress.from_bytes(bytes.fromhex(content))
