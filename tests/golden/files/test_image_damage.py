import struct
import zlib

import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.files.image import Geometry, LayerProgram, MemoryImage
from golden.formats import PACKINGS

HEADER_SIZE = 28


def small(packing: str) -> bytes:
    """An image of two layers whose words of six trits leave unused bits in every packing."""
    image = MemoryImage(
        Geometry(2, 3, 2, PACKINGS[packing]),
        (LayerProgram(0, 0, 0, 0, relu=True, final=False), LayerProgram(2, 1, 0, 0, relu=False, final=True)),
        np.array([[0, 5], [1, 3]], np.int32),
        np.array([[1, -1, 0, -1, 0, 0], [0, 0, 0, -1, -1, 1], [0, 0, 0, 0, 0, 0]], np.int8),
    )
    return image.to_bytes()


def sealed(content: bytes) -> bytes:
    """The same image with the CRC-32 that belongs to it."""
    header, payload = content[: HEADER_SIZE - 4], content[HEADER_SIZE:]
    return header + struct.pack("<I", zlib.crc32(header + payload)) + payload


def changed(content: bytes, offset: int, values: str) -> bytes:
    replacement = bytes.fromhex(values)
    return sealed(content[:offset] + replacement + content[offset + len(replacement) :])


def flipped(content: bytes, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


packings = pytest.mark.parametrize("packing", PACKINGS)


@packings
def test_an_image_cut_anywhere_is_refused(packing):
    content = small(packing)
    for length in range(len(content)):
        with pytest.raises(TritweaveError):
            MemoryImage.from_bytes(content[:length])


@packings
def test_an_image_cut_after_its_header_is_refused_even_with_the_right_crc(packing):
    content = small(packing)
    for length in range(HEADER_SIZE, len(content)):
        with pytest.raises(
            TritweaveError, match=f"payload has {length - 28} bytes where its header makes {len(content) - 28}"
        ):
            MemoryImage.from_bytes(sealed(content[:length]))


@packings
def test_every_flipped_bit_is_refused(packing):
    content = small(packing)
    for bit in range(8 * len(content)):
        with pytest.raises(TritweaveError):
            MemoryImage.from_bytes(flipped(content, bit))


@packings
def test_an_image_with_a_flipped_bit_and_the_right_crc_is_refused_or_read_as_it_stands(packing):
    content, read = small(packing), 0
    for bit in range(8 * len(content)):
        damaged = sealed(flipped(content, bit))
        try:
            image = MemoryImage.from_bytes(damaged)
        except TritweaveError:
            continue
        assert image.to_bytes() == damaged
        # A flip in the CRC itself is undone by the seal; every other one makes another image.
        assert (damaged == content) == (24 * 8 <= bit < 28 * 8)
        read += 1
    # At the least: the CRC and the four corrections have no forbidden bits.
    assert read >= 32 + 4 * 32


@pytest.mark.parametrize(
    ("offset", "values", "message"),
    [
        (0, "54 52 49 55", "the image starts with b'TRIU', version 1; expected b'TRIT', 1"),
        (4, "02 00", "the image starts with b'TRIT', version 2; expected b'TRIT', 1"),
        (4, "00 01", "the image starts with b'TRIT', version 256; expected b'TRIT', 1"),
        (6, "00", "the image's header is not known: 54 52 49 54 01 00 00 00 02"),
        (6, "02", "the image's header is not known: 54 52 49 54 01 00 02 00 02"),
        (7, "03", "the image's header is not known: 54 52 49 54 01 00 03 03 02"),
        (7, "40", "the image's header is not known: 54 52 49 54 01 00 03 40 02"),
        (7, "30", "the image's payload has 44 bytes where its header makes 60"),
        (8, "00 00", "the image's header is not known: .* 03 00 00 00 03 00"),
        (10, "00 00", "the image's header is not known"),
        (12, "00 00", "the image's header is not known"),
        (14, "00 00", "the image's header is not known"),
        (16, "00 00 00 00", "the image's header is not known"),
        (20, "00 00 00 00", "the image's header is not known"),
        (14, "03 00", "the image's payload has 44 bytes where its header makes 52"),
        (16, "ff ff ff ff", "the image's payload has 44 bytes where its header makes 34359738388"),
        (20, "02 00 00 00", "the image's payload has 44 bytes where its header makes 40"),
        (8, "ff ff ff ff", "the image's payload has 44 bytes where its header makes"),
    ],
)
def test_a_header_that_is_wrong_under_the_right_crc_is_refused_for_that(offset, values, message):
    with pytest.raises(TritweaveError, match=message):
        MemoryImage.from_bytes(changed(small("3t5b"), offset, values))


@pytest.mark.parametrize(
    ("packing", "word"),
    [
        ("2b", "0e 00 00 00"),  # 10 is no trit of this packing: (0 as 10, -1, 0, 0, 0, 0)
        ("2b", "00 00 00 80"),  # an unused bit
        ("2b", "00 10 00 00"),  # the first unused bit
        ("3t5b", "4a 00 00 00"),  # 10 in place of 2 for three zeros
        ("3t5b", "5e 00 00 00"),  # 30 in place of 14 for (-00)
        ("3t5b", "42 04 00 00"),
        ("5t8b", "12 52 00 00"),  # 0x52 in place of 0x12 for five zeros
        ("5t8b", "16 12 00 00"),
        ("5t8b", "12 12 01 00"),
        ("5t8b", "12 00 00 00"),  # trits 7 to 10 of a word of six: (0+0+0)
    ],
)
def test_a_word_that_no_packing_makes_is_refused_under_the_right_crc(packing, word):
    content = small(packing)
    with pytest.raises(TritweaveError, match="the image holds codes or padding that no image has"):
        MemoryImage.from_bytes(changed(content, len(content) - 4, word))


@pytest.mark.parametrize(
    ("packing", "word", "trits"),
    [
        ("2b", "0d 00 00 00", [1, -1, 0, 0, 0, 0]),
        ("3t5b", "ce 01 00 00", [-1, 0, 0, -1, 0, 0]),
        ("5t8b", "65 32 00 00", [1, -1, 0, -1, 1, 1]),
    ],
)
def test_a_word_that_the_packing_makes_is_read(packing, word, trits):
    content = small(packing)
    image = MemoryImage.from_bytes(changed(content, len(content) - 4, word))
    assert image.weights[-1].tolist() == trits


def test_what_is_wrong_with_a_damaged_file_is_said():
    content = small("5t8b")
    crc = struct.unpack("<I", content[24:28])[0]
    with pytest.raises(TritweaveError, match="the image has 27 bytes; its header alone has 28"):
        MemoryImage.from_bytes(content[:27])
    with pytest.raises(
        TritweaveError, match=f"the image's CRC-32 is .* where its header says {crc:08x}; it is damaged"
    ):
        MemoryImage.from_bytes(content[:-1])
    with pytest.raises(
        TritweaveError, match=f"the image's CRC-32 is .* where its header says {crc:08x}; it is damaged"
    ):
        MemoryImage.from_bytes(content + b"\0")
    with pytest.raises(TritweaveError, match="payload has 45 bytes where its header makes 44"):
        MemoryImage.from_bytes(sealed(content + b"\0"))
