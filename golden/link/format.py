"""The wire format of the host link. Constants only: `golden.link.frames` encodes and decodes, `rtl.link.link` answers.

Line
    8 data bits, no parity, 1 stop bit. A frame is COBS-coded, so no byte of it is 0, and ends with the delimiter 0.
    Empty frames mean nothing.

Frame, little-endian, before COBS
    ======  ====  ==========================================================================================
    offset  type  field
    ======  ====  ==========================================================================================
    0       u8    version, 1
    1       u8    sequence: chosen by the host, 1 to 255; the reply repeats it
    2       u8    request: a `Command`; reply: the same with `DONE` added, or `REFUSED`
    3             payload
    n - 4   u32   CRC-32 (polynomial 0x04C11DB7 as in zlib) of all bytes before it
    ======  ====  ==========================================================================================

Payloads
    ========  ======================================================  =========================================
    command   request                                                 reply
    ========  ======================================================  =========================================
    identify  none                                                    `IDENTITY_FIELDS`, then `STATE_FIELDS`
    counters  none                                                    `COUNTER_FIELDS`
    load      u8 memory, u24 address, whole words of the memory as    none
              they are in the image, the first one for that address
    finish    u8 memory, u24 address: where the image ended;          none
              u32 image: any number that names it
    run       u32 image: the number that it was loaded under; the     the results, i32 each, zeros up to whole
              input vector, one byte a value, zeros up to whole       stream words
              stream words
    refused                                                           u8 `Refusal`
    ========  ======================================================  =========================================

Rules
    - The host has one request under way. A device that is still busy with one drops what comes in and counts it.
    - An image is loaded memory by memory in the order of `golden.formats.MEMORIES`, each from address 0 upwards without
      gaps; memory 0, address 0 begins a new one. Words that were loaded may be loaded again. Between the first word and
      ``finish`` there is no image, and ``run`` is refused.
    - A refused frame changes nothing. Every request can be repeated: it does the same again.
    - A refusal of a frame whose sequence cannot be trusted (damaged, short) has sequence 0.
"""

from enum import IntEnum
from typing import Final

VERSION: Final = 1
"""Of the protocol; a device refuses all others."""

DELIMITER: Final = 0
"""The byte that ends a frame."""

FULL_BLOCK: Final = 255
"""The COBS code of a block of 254 bytes that no zero follows."""

HEADER_BYTES: Final = 3
"""Bytes of a frame before its payload."""

CRC_BYTES: Final = 4
"""Bytes of a frame behind its payload."""

CRC_POLYNOMIAL: Final = 0xEDB88320
"""Of the CRC-32, its lowest power in the highest bit."""

CRC_RESIDUE: Final = 0xDEBB20E3
"""What a register without final inversion holds when content and its CRC-32 have passed."""

PLACE_BYTES: Final = 4
"""Bytes of a ``load`` before its words, of a ``finish`` before its number, of a ``run`` before its vector."""

SMALLEST_LIMIT: Final = 256
"""Bytes of payload that every device takes."""


class Command(IntEnum):
    """What a request asks for."""

    IDENTIFY = 1
    COUNTERS = 2
    LOAD = 3
    FINISH = 4
    RUN = 5


DONE: Final = 0x80
"""Added to the command in the reply to a request that was carried out."""

REFUSED: Final = 0xFF
"""The command of a reply to a frame that was not."""


class Refusal(IntEnum):
    """Why a frame was not carried out; the first that applies."""

    DAMAGED = 1
    """The line, COBS or the CRC-32 shows an error."""
    SHORT = 2
    """The frame has no room for header and CRC-32."""
    LONG = 3
    """The payload is longer than the device's limit."""
    VERSION = 4
    """The version is another one; the reply's header holds the device's."""
    COMMAND = 5
    """The command is not known."""
    READ_ONLY = 6
    """The engine's memories cannot be loaded."""
    NOT_LOADED = 7
    """There is no image, or another one."""
    LENGTH = 8
    """The payload is not what the command, or the image's input vector, takes."""
    ORDER = 9
    """The image does not continue there."""
    RANGE = 10
    """The memory has no room for it, or there is no such memory."""
    STUCK = 11
    """The engine did not do its part in its time and was reset."""


IDENTITY_FIELDS: Final = {
    "config": 4,
    "rows": 2,
    "columns": 2,
    "lanes": 2,
    "packing": 1,
    "correction": 1,
    "input_signed": 1,
    "writable": 1,
    "width": 1,
    "layers": 2,
    "correction_words": 4,
    "weight_words": 4,
    "max_inputs": 4,
    "max_hidden": 4,
    "max_outputs": 4,
    "payload": 4,
    "clock_hz": 4,
}
"""What a device is, name to bytes of an unsigned integer.

config
    CRC-32 of the fields from ``rows`` to ``max_outputs``.
rows, columns, lanes
    Of the array and the streams.
packing, correction
    As in the header of the memory image (`golden.files.image`).
input_signed, writable
    Whether inputs are int8 instead of uint8; whether an image can be loaded.
width
    Bits of an accumulator.
layers, correction_words, weight_words
    Words of the memories.
max_inputs, max_hidden, max_outputs
    Longest input vector, vector between two layers and result, in values.
payload
    Longest payload of a request in bytes.
clock_hz
    Of the engine.
"""

CONFIG_FIELDS: Final = tuple(IDENTITY_FIELDS)[1:15]
"""The fields that ``config`` stands for."""

STATE_FIELDS: Final = {"loaded": 1, "image": 4}
"""What a device has in its memories: whether there is an image, and the number that names it."""

COUNTER_FIELDS: Final = {"frames": 2, "refused": 2, "lost": 2, "cycles": 4}
"""What a device counts from its reset on, modulo 2**16; the frame that asks is not in it.

frames, refused
    Replies that said done, and that said refused.
lost
    Frames that came while the device was busy, and got no reply.
cycles
    Of the last run or load, from the beginning of its input to the end of its reply; more than the engine's own
    latency, because the link passes one byte at a time.
"""
