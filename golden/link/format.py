"""The wire format of the host link. Constants only: `golden.link.frames` encodes and decodes, `rtl.link.link` answers.

What devices with a language model understand instead of ``run`` is in `golden.link.language_format`.

Line
    8 data bits, no parity, 1 stop bit. A frame is COBS-coded, so no byte of it is 0, and ends with the delimiter 0.
    Empty frames mean nothing.

Frame, little-endian, before COBS; version and CRC-32 are where they are in every version
    ======  ====  ==========================================================================================
    offset  type  field
    ======  ====  ==========================================================================================
    0       u8    version, 2
    1       u8    request: a `Command`; reply: the same with `DONE` added, or `REFUSED`
    2       u32   sequence: chosen by the host, not 0, and never twice; the reply repeats it
    6             payload
    n - 4   u32   CRC-32 (polynomial 0x04C11DB7 as in zlib) of all bytes before it
    ======  ====  ==========================================================================================

Payloads
    ========  ======================================================  =========================================
    command   request                                                 reply
    ========  ======================================================  =========================================
    identify  none                                                    `IDENTITY_FIELDS`, then `STATE_FIELDS`
    counters  none                                                    `COUNTER_FIELDS`
    begin     u32 sum; u32 loads; the header of the image file,       none
              `golden.formats.IMAGE_HEADER_BYTES`
    load      u32 sum; u8 memory, u24 address; whole words of the     none
              memory as they are in the image file, the first one
              for that address
    finish    u32 sum                                                 none
    run       u32 sum; the input vector, one byte a value, zeros      the results, i32 each, zeros up to whole
              up to whole stream words                                stream words
    refused                                                           u8 `Refusal`
    ========  ======================================================  =========================================

The sum
    A device sums up what it is loaded with: the CRC-32 of the image file's bytes so far, its header's from ``begin``,
    its words' as they are written into the memories. It belongs to one image, because the header holds the CRC-32 of
    the whole image, and to one place in it; at the end it is the number that names the image. Every request that
    reads or changes the memories begins with the sum that it is for, and a device that has another one refuses it:

    - ``begin``: the sum of what is to be replaced, and how often the device was loaded until then (``loads``), so that
      none serves twice. It becomes that of the header, and there is no image.
    - ``load``: the sum of all of the image before it. A host sends the words memory by memory in the order of
      `golden.formats.MEMORIES`, each from address 0 upwards.
    - ``finish``: the sum of the whole image. The device has it from then on.
    - ``run``: the sum of the image that the vector is for.

Rules
    - The host has one request under way. A device that is still busy with one drops what comes in and counts it.
    - A refused frame changes nothing, except that a device whose engine is `STUCK` in a ``load`` begins its sum anew.
    - A repeated ``identify``, ``counters``, ``finish`` or ``run`` does the same again. A ``begin`` or ``load`` that was
      carried out is refused when it is repeated; ``identify`` tells the sum, and so where the image goes on.
    - A reset forgets the request under way and the counters, not the sum, the image and ``loads``.
    - A refusal of a frame whose sequence cannot be trusted (damaged, short) has sequence 0.
"""

from enum import IntEnum
from typing import Final

from golden.formats import IMAGE_HEADER_BYTES

VERSION: Final = 2
"""Of the protocol; a device refuses all others."""

DELIMITER: Final = 0
"""The byte that ends a frame."""

FULL_BLOCK: Final = 255
"""The COBS code of a block of 254 bytes that no zero follows."""

HEADER_BYTES: Final = 6
"""Bytes of a frame before its payload."""

CRC_BYTES: Final = 4
"""Bytes of a frame behind its payload."""

CRC_POLYNOMIAL: Final = 0xEDB88320
"""Of the CRC-32, its lowest power in the highest bit."""

CRC_RESIDUE: Final = 0xDEBB20E3
"""What a register without final inversion holds when content and its CRC-32 have passed."""

UNIT_BYTES: Final = 4
"""Bytes of a sum, of ``loads`` in a ``begin``, of a ``load``'s memory and address, of a transfer."""

SMALLEST_LIMIT: Final = 256
"""Bytes of payload that every device takes."""


class Command(IntEnum):
    """What a request asks for."""

    IDENTIFY = 1
    COUNTERS = 2
    BEGIN = 3
    LOAD = 4
    FINISH = 5
    RUN = 6
    GENERATE = 7
    TOKENS = 8
    ABORT = 9
    LOGITS = 10


PAYLOAD_BYTES: Final = {
    Command.IDENTIFY: 0,
    Command.COUNTERS: 0,
    Command.BEGIN: 2 * UNIT_BYTES + IMAGE_HEADER_BYTES,
    Command.FINISH: UNIT_BYTES,
}
"""Bytes of the payloads that are always as long."""

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
    """There is no image, or not the one that a ``run`` names."""
    ORDER = 8
    """The device has another sum, or was loaded more often, than the request says; or no memory has such an address; or
    the sequence has another number."""
    LENGTH = 9
    """The payload is not as long as the command's, as whole words, or as the image's input vector; or has no prompt."""
    RANGE = 10
    """The memory has no room for all of it, or a setting or a token is none that there is."""
    STUCK = 11
    """The engine did not do its part in its time and was reset."""
    NOT_YET = 12
    """There are no logits for that count: the token in front has not been asked for, or those behind have."""


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

STATE_FIELDS: Final = {"loaded": 1, "loads": 2, "sum": 4}
"""What a device has in its memories.

loaded
    Whether there is an image.
loads
    How often ``begin`` was carried out since it was switched on, modulo 2**16.
sum
    Of what it was loaded with so far: the image's number, if there is one.
"""

COUNTER_FIELDS: Final = {"frames": 2, "refused": 2, "lost": 2, "cycles": 4}
"""What a device counts from its reset on, modulo 2**16; the frame that asks is not in it.

frames, refused
    Replies that said done, and that said refused.
lost
    Frames that came while the device was busy, and got no reply.
cycles
    Of the last run or load, from the beginning of its input to the end of its reply; more than the engine's own
    latency, because the link passes one byte at a time. Of a language model: of the last sequence, from its first
    token's being taken until its end; the sequence under way counts.
"""
