import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.files.image import Geometry, LayerProgram, MemoryImage
from golden.formats import OFFSET_BINARY, PACKINGS
from golden.link.format import (
    CONFIG_FIELDS,
    CRC_POLYNOMIAL,
    CRC_RESIDUE,
    IDENTITY_FIELDS,
    REFUSED,
    VERSION,
    Command,
    Refusal,
)
from golden.link.frames import (
    Counters,
    Frame,
    FrameDamaged,
    Identity,
    State,
    cobs_decode,
    cobs_encode,
    image_number,
)
from golden.link.language_format import LANGUAGE_COMMANDS
from golden.link.payloads import begin_payload, finish_payload, load_payloads, requests_left, run_payload

# The usual examples of COBS, and the lengths around a full block.
COBS = [
    ("", "01"),
    ("00", "01 01"),
    ("00 00", "01 01 01"),
    ("00 11 00", "01 02 11 01"),
    ("11 22 00 33", "03 11 22 02 33"),
    ("11 22 33 44", "05 11 22 33 44"),
    ("11 00 00 00", "02 11 01 01 01"),
]
RUN = bytes(range(1, 255))
LONG = [
    (RUN[:-1], b"\xfe" + RUN[:-1]),
    (RUN, b"\xff" + RUN),
    (RUN + b"\xff", b"\xff" + RUN + b"\x02\xff"),
    (RUN + b"\0", b"\xff" + RUN + b"\x01\x01"),
    (b"\0" + RUN, b"\x01\xff" + RUN),
    (RUN[1:] + b"\xff\0", b"\xff" + RUN[1:] + b"\xff\x01\x01"),
    (RUN + RUN, b"\xff" + RUN + b"\xff" + RUN),
]


def image(rows: int = 4, words: int = 5, last_input: int = 2) -> MemoryImage:
    random = np.random.default_rng(8)
    program = (
        LayerProgram(last_input, 1, 0, 1, True, False),
        LayerProgram(1, 0, 0, 0, False, True),
    )
    geometry = Geometry(rows, 6, 2, PACKINGS["3t5b"])
    weights = random.integers(-1, 2, (words, rows * 6)).astype(np.int8)
    return MemoryImage(geometry, program, random.integers(-9, 9, (3, 2)).astype(np.int32), weights)


IDENTITY = Identity(
    rows=4, columns=6, lanes=2, packing=3, correction=0, input_signed=0, writable=1, width=12, layers=2,
    correction_words=3, weight_words=5, max_inputs=12, max_hidden=8, max_outputs=4, payload=256, clock_hz=12_000_000,
)  # fmt: skip


@pytest.mark.parametrize(
    ("content", "coded"), [*((bytes.fromhex(a), bytes.fromhex(b)) for a, b in COBS), *LONG], ids=str
)
def test_cobs_is_as_everywhere(content: bytes, coded: bytes) -> None:
    assert cobs_encode(content) == coded
    assert cobs_decode(coded) == content


@given(content=st.one_of(st.binary(max_size=40), st.binary(min_size=250, max_size=600)))
def test_cobs_has_no_zeros_and_comes_back(content: bytes) -> None:
    coded = cobs_encode(content)
    assert 0 not in coded
    assert len(coded) <= len(content) + len(content) // 254 + 1
    assert cobs_decode(coded) == content


@pytest.mark.parametrize("coded", ["02", "05 01 02", "00", "03 01 00", "ff 01"])
def test_a_block_that_is_cut_off_or_holds_a_zero_is_damaged(coded: str) -> None:
    with pytest.raises(FrameDamaged, match="cut off or holds a zero"):
        cobs_decode(bytes.fromhex(coded))


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (Frame(1, Command.IDENTIFY), "04 02 01 01 01 01 05 7d 4e d6 79 00"),
        (Frame(0x8000012A, Command.RUN, b"\x00\xff\x07"), "05 02 06 2a 01 02 80 07 ff 07 32 5e 18 4e 00"),
        (Frame(0, REFUSED, bytes([Refusal.DAMAGED])), "03 02 ff 01 01 01 06 01 0d 55 30 99 00"),
    ],
)
def test_frames_are_these_bytes(frame: Frame, line: str) -> None:
    assert frame.to_bytes() == bytes.fromhex(line)


BYTES, SEQUENCES = st.integers(0, 255), st.integers(0, (1 << 32) - 1)


@given(frame=st.builds(Frame, SEQUENCES, BYTES, st.binary(max_size=300), st.just(VERSION)))
def test_frames_come_back(frame: Frame) -> None:
    assert Frame.from_bytes(frame.to_bytes()[:-1]) == frame


@given(frame=st.builds(Frame, SEQUENCES, BYTES, st.binary(max_size=30), st.just(VERSION)), data=st.data())
def test_no_damaged_bit_is_overlooked(frame: Frame, data: st.DataObject) -> None:
    coded = bytearray(frame.to_bytes()[:-1])
    bit = data.draw(st.integers(0, 8 * len(coded) - 1))
    coded[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameDamaged):
        Frame.from_bytes(bytes(coded))


def test_a_frame_needs_header_and_crc() -> None:
    with pytest.raises(FrameDamaged, match="has 4 bytes; version and CRC-32 alone have 5"):
        Frame.from_bytes(cobs_encode(bytes(4)))
    content = bytes([VERSION, Command.IDENTIFY, 0])
    with pytest.raises(FrameDamaged, match="has 7 bytes; header and CRC-32 alone have 10"):
        Frame.from_bytes(cobs_encode(content + struct.pack("<I", zlib.crc32(content))))


def test_of_another_version_only_that_is_known() -> None:
    # A refusal in version 1: version, sequence, command, reason, CRC-32.
    content = bytes([1, 9, REFUSED, Refusal.VERSION])
    assert Frame.from_bytes(cobs_encode(content + struct.pack("<I", zlib.crc32(content)))).version == 1


def test_the_residue_is_what_a_sum_of_content_and_sum_leaves() -> None:
    content = b"123456789"
    register = 0xFFFFFFFF
    for byte in content + zlib.crc32(content).to_bytes(4, "little"):
        for bit in range(8):
            register = register >> 1 ^ (CRC_POLYNOMIAL if (register ^ byte >> bit) & 1 else 0)
    assert register == CRC_RESIDUE


def test_the_identity_is_these_bytes() -> None:
    fields = bytes.fromhex(
        "0400 0600 0200 03 00 00 01 0c 0200 03000000 05000000 0c000000 08000000 04000000"  # what config stands for
    )
    rest = bytes.fromhex("00010000 001bb700")
    assert IDENTITY.to_bytes() == struct.pack("<I", zlib.crc32(fields)) + fields + rest
    assert len(IDENTITY.to_bytes()) == sum(IDENTITY_FIELDS.values()) == 45
    assert Identity.from_bytes(IDENTITY.to_bytes()) == IDENTITY


@pytest.mark.parametrize("name", Identity._fields)
def test_config_stands_for_all_that_an_image_depends_on(name: str) -> None:
    other = IDENTITY._replace(**{name: getattr(IDENTITY, name) + 1})
    assert (other.config != IDENTITY.config) == (name in CONFIG_FIELDS)
    assert bool(IDENTITY.differences(other)) == (name in CONFIG_FIELDS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (IDENTITY.to_bytes()[:-1], "sent 44 bytes of fields where 45 were expected"),
        (IDENTITY.to_bytes()[:4] + b"\5" + IDENTITY.to_bytes()[5:], "config is .* where its fields make"),
        (IDENTITY._replace(packing=4).to_bytes(), "packing 4 and correction 0, which are not known"),
        (IDENTITY._replace(correction=7).to_bytes(), "packing 3 and correction 7, which are not known"),
    ],
)
def test_an_identity_of_another_version_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        Identity.from_bytes(content)


def test_state_and_counters_are_these_bytes() -> None:
    assert State.from_bytes(bytes.fromhex("01 0203 78563412")) == State(1, 0x302, 0x12345678)
    assert Counters.from_bytes(bytes.fromhex("0102 0304 0506 0708090a")) == Counters(0x201, 0x403, 0x605, 0xA090807)


def test_an_image_becomes_these_payloads() -> None:
    loaded = image()
    program, corrections, weights = (loaded.words(name).tobytes() for name in ("program", "corrections", "weights"))
    assert (len(program), len(corrections), len(weights)) == (16, 24, 40)
    header = loaded.to_bytes()[:28]
    parts = [
        (b"\0\0\0\0", program),
        (b"\1\0\0\0", corrections[:16]),
        (b"\1\2\0\0", corrections[16:]),
        (b"\2\0\0\0", weights[:16]),
        (b"\2\2\0\0", weights[16:32]),
        (b"\2\4\0\0", weights[32:]),
    ]
    expected, total = [], zlib.crc32(header)
    for place, words in parts:
        expected.append(struct.pack("<I", total) + place + words)
        total = zlib.crc32(words, total)
    assert total == image_number(loaded) == zlib.crc32(loaded.to_bytes())
    assert list(load_payloads(loaded, 28)) == expected
    assert finish_payload(loaded) == struct.pack("<I", total)
    assert begin_payload(loaded, State(1, 0x302, 0x12345678)) == b"\x78\x56\x34\x12\2\3\0\0" + header


def test_a_load_goes_on_where_the_device_is() -> None:
    loads = list(load_payloads(image(), 28))
    finish = (Command.FINISH, finish_payload(image()))
    for at, payload in enumerate(loads):
        left = requests_left(image(), State(0, 1, int.from_bytes(payload[:4], "little")), 28)
        assert left == [*((Command.LOAD, load) for load in loads[at:]), finish]
    assert requests_left(image(), State(0, 1, image_number(image())), 28) == [finish]
    for state in (State(0, 0, 0), State(1, 1, image_number(image(words=4))), State(0, 1, 77)):
        begun, *left = requests_left(image(), state, 28)
        assert begun == (Command.BEGIN, begin_payload(image(), state))
        assert left == [*((Command.LOAD, load) for load in loads), finish]


def test_a_vector_becomes_this_payload() -> None:
    assert run_payload(0x04030201, b"abcde", 4) == b"\1\2\3\4abcde\0\0\0"


def test_a_word_that_fits_no_payload_is_named() -> None:
    with pytest.raises(TritweaveError, match="a word of program has 8 bytes; the device takes payloads of 15"):
        list(load_payloads(image(), 15))


def test_an_image_that_fits_is_taken() -> None:
    IDENTITY.check_image(image())


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ({"writable": 0}, "memories cannot be loaded; build it with writable=True"),
        ({"rows": 8}, "for an engine with rows 4; the device has 8"),
        ({"packing": 5}, "for an engine with packing 3t5b; the device has 5t8b"),
        ({"correction": OFFSET_BINARY.code}, "with correction ones' complement; the device has offset binary"),
        ({"layers": 1}, "needs 2 layers; the device has 1"),
        ({"correction_words": 2}, "needs 3 correction words; the device has 2"),
        ({"weight_words": 4}, "needs 5 weight words; the device has 4"),
        ({"max_inputs": 4}, "needs 3 input words; the device has 2"),
        ({"max_hidden": 0}, "needs 1 hidden chunks; the device has 0"),
        ({"max_outputs": 0}, "needs 1 result words; the device has 0"),
    ],
)
def test_an_image_for_another_engine_is_refused(identity: dict[str, int], message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        IDENTITY._replace(**identity).check_image(image())


def test_the_format_is_described_where_it_is_defined() -> None:
    folder = Path(__file__).parents[3] / "golden/link"
    for command in Command:
        name = "language_format.py" if command in LANGUAGE_COMMANDS else "format.py"
        assert f"\n    {command.name.lower()} " in (folder / name).read_text()
