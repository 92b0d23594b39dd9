"""Frames of the host link, as `golden.link.format` defines them: coding, decoding, and what goes into them."""

import struct
import zlib
from typing import NamedTuple

from golden.errors import TritweaveError
from golden.files.image import Geometry, MemoryImage
from golden.formats import CORRECTIONS, PACKINGS
from golden.link.fields import config_of, differences, identity_bytes, read_fields, read_identity
from golden.link.format import (
    CONFIG_FIELDS,
    COUNTER_FIELDS,
    CRC_BYTES,
    DELIMITER,
    FULL_BLOCK,
    HEADER_BYTES,
    IDENTITY_FIELDS,
    STATE_FIELDS,
    VERSION,
)

_HEADER = "<BBI"


class FrameDamaged(ValueError):
    """Bytes that are no frame; the message says why."""


class Frame(NamedTuple):
    """A frame without its coding; `sequence` has 32 bits, `command` is any byte."""

    sequence: int
    command: int
    payload: bytes = b""
    version: int = VERSION

    def to_bytes(self) -> bytes:
        """The frame as it goes over the line, delimiter included."""
        content = struct.pack(_HEADER, self.version, self.command, self.sequence) + self.payload
        return cobs_encode(content + zlib.crc32(content).to_bytes(CRC_BYTES, "little")) + bytes([DELIMITER])

    @classmethod
    def from_bytes(cls, coded: bytes) -> "Frame":
        """Read what came before a delimiter; `FrameDamaged` if it is no frame."""
        content = cobs_decode(coded)
        if len(content) <= CRC_BYTES:
            raise FrameDamaged(f"the frame has {len(content)} bytes; version and CRC-32 alone have {1 + CRC_BYTES}")
        crc = int.from_bytes(content[-CRC_BYTES:], "little")
        if (computed := zlib.crc32(content[:-CRC_BYTES])) != crc:
            raise FrameDamaged(f"the frame's CRC-32 is {computed:08x} where it says {crc:08x}")
        if content[0] != VERSION:
            # Nothing else is known of it.
            return cls(0, 0, content[1:-CRC_BYTES], content[0])
        if len(content) < HEADER_BYTES + CRC_BYTES:
            raise FrameDamaged(f"the frame has {len(content)} bytes; header and CRC-32 alone have 10")
        version, command, sequence = struct.unpack_from(_HEADER, content)
        return cls(sequence, command, content[HEADER_BYTES:-CRC_BYTES], version)


def cobs_encode(content: bytes) -> bytes:
    """Consistent overhead byte stuffing: bytes without a zero, a code before each block of up to 254."""
    longest = FULL_BLOCK - 1
    coded = bytearray()
    parts = content.split(b"\0")
    for index, part in enumerate(parts):
        rest = part
        while len(rest) >= longest:
            coded += bytes([FULL_BLOCK]) + rest[:longest]
            rest = rest[longest:]
        # A full block implies no zero; at the very end nothing has to follow it.
        if rest or not part or index < len(parts) - 1:
            coded += bytes([len(rest) + 1]) + rest
    return bytes(coded)


def cobs_decode(coded: bytes) -> bytes:
    """The inverse of `cobs_encode`; `FrameDamaged` if a block is cut off or holds a zero."""
    content = bytearray()
    at, zero = 0, False
    while at < len(coded):
        code = coded[at]
        block = coded[at + 1 : at + code]
        if code == 0 or len(block) != code - 1 or 0 in block:
            raise FrameDamaged(f"COBS block {code} at byte {at} of {len(coded)} is cut off or holds a zero")
        content += b"\0" * zero + block
        at += code
        zero = code != FULL_BLOCK
    return bytes(content)


class Identity(NamedTuple):
    """What a device is; the fields are those of `golden.link.format.IDENTITY_FIELDS` without ``config``."""

    rows: int
    columns: int
    lanes: int
    packing: int
    correction: int
    input_signed: int
    writable: int
    width: int
    layers: int
    correction_words: int
    weight_words: int
    max_inputs: int
    max_hidden: int
    max_outputs: int
    payload: int
    clock_hz: int

    @property
    def config(self) -> int:
        """CRC-32 of what an image and a host depend on."""
        return config_of(IDENTITY_FIELDS, CONFIG_FIELDS, self._asdict())

    @property
    def geometry(self) -> Geometry:
        """What an image must have been made for."""
        packing = next(packing for packing in PACKINGS.values() if packing.trits == self.packing)
        return Geometry(self.rows, self.columns, self.lanes, packing, CORRECTIONS[self.correction])

    def to_bytes(self) -> bytes:
        """The fields as they are sent."""
        return identity_bytes(IDENTITY_FIELDS, CONFIG_FIELDS, self._asdict())

    @classmethod
    def from_bytes(cls, content: bytes) -> "Identity":
        """Read the fields; an error if ``config`` does not stand for them or a code is not known."""
        identity = cls(**read_identity(IDENTITY_FIELDS, CONFIG_FIELDS, content))
        if identity.correction not in CORRECTIONS or identity.packing not in {p.trits for p in PACKINGS.values()}:
            raise TritweaveError(
                f"the device has packing {identity.packing} and correction {identity.correction}, which are not known; "
                "it was built by another version of tritweave"
            )
        return identity

    def differences(self, other: "Identity") -> list[str]:
        """Where the config of another one differs, one text a field, this one's value first."""
        return differences(CONFIG_FIELDS, self, other)

    def check_image(self, image: MemoryImage) -> None:
        """Raise unless the device can be loaded with the image and has room for it."""
        if not self.writable:
            raise TritweaveError("the device's memories cannot be loaded; build it with writable=True")
        for name, needs, has in zip(Geometry._fields, image.geometry, self.geometry, strict=True):
            if needs != has:
                needs, has = (getattr(value, "name", value) for value in (needs, has))
                raise TritweaveError(f"the image is for an engine with {name} {needs}; the device has {has}")
        first, last = image.program[0], image.program[-1]
        sizes = {
            "layers": (len(image.program), self.layers),
            "correction words": (len(image.corrections), self.correction_words),
            "weight words": (len(image.weights), self.weight_words),
            "input words": (first.last_input + 1, -(-self.max_inputs // self.lanes)),
            "hidden chunks": (
                max((layer.last_chunk + 1 for layer in image.program[1:]), default=0),
                -(-self.max_hidden // self.columns),
            ),
            "result words": (
                last.last_tile * self.rows // self.lanes + last.last_drain + 1,
                -(-self.max_outputs // self.lanes),
            ),
        }
        for name, (needs, has) in sizes.items():
            if needs > has:
                raise TritweaveError(f"the image needs {needs} {name}; the device has {has}")


class State(NamedTuple):
    """What a device has in its memories, see `golden.link.format.STATE_FIELDS`."""

    loaded: int
    loads: int
    sum: int

    @classmethod
    def from_bytes(cls, content: bytes) -> "State":
        """Read the fields."""
        return cls(**read_fields(STATE_FIELDS, content))


class Counters(NamedTuple):
    """What a device counts, see `golden.link.format.COUNTER_FIELDS`."""

    frames: int
    refused: int
    lost: int
    cycles: int

    @classmethod
    def from_bytes(cls, content: bytes) -> "Counters":
        """Read the fields."""
        return cls(**read_fields(COUNTER_FIELDS, content))


def image_number(image: MemoryImage) -> int:
    """The number under which a host loads an image: the CRC-32 of its file."""
    return zlib.crc32(image.to_bytes())
