import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from golden.errors import TritweaveError
from golden.files.image import Geometry, LayerProgram, MemoryImage
from golden.formats import CORRECTIONS, EXACT, MEMORIES, OFFSET_BINARY, ONES_COMPLEMENT, PACKINGS, PROGRAM_FIELDS

# One layer of 5 inputs and 2 outputs on an array of 2 rows and 3 columns with streams of 2 lanes.
HEADER = """
    54 52 49 54  01 00  03  00      TRIT, version 1, groups of 3 trits, ones' complement
    02 00  03 00  02 00  01 00      2 rows, 3 columns, 2 lanes, 1 layer
    01 00 00 00  02 00 00 00        1 correction word, 2 weight words
    2b 8c 8b e9                     CRC-32
"""
PAYLOAD = """
    02 00  01 00  00 00  00 80      program: last input word 2, last chunk 1, last tile 0; bit 15 of the last: final
    01 00 00 00  03 00 00 00        corrections: one -1 in the first row, three in the second
    c5 01 00 00                     (+-0) = 5, (-00) = 14: 5 + 14 * 32
    e2 01 00 00                     (000) = 2, (--+) = 15: 2 + 15 * 32
"""
IMAGE = MemoryImage(
    Geometry(2, 3, 2, PACKINGS["3t5b"]),
    (LayerProgram(2, 1, 0, 0, relu=False, final=True),),
    np.array([[1, 3]], np.int32),
    np.array([[1, -1, 0, -1, 0, 0], [0, 0, 0, -1, -1, 1]], np.int8),
)


def content(listing: str) -> bytes:
    """The bytes of a listing: hexadecimal in the first 32 columns, remarks after them."""
    return b"".join(bytes.fromhex(line[:32]) for line in listing.splitlines())


def assert_same(image: MemoryImage, other: MemoryImage) -> None:
    assert (image.geometry, image.program) == (other.geometry, other.program)
    assert (image.corrections.dtype, image.weights.dtype) == (np.int32, np.int8)
    np.testing.assert_array_equal(image.corrections, other.corrections)
    np.testing.assert_array_equal(image.weights, other.weights)


def programs(**fixed: bool) -> st.SearchStrategy[LayerProgram]:
    counts = {name: st.integers(0, (1 << width) - 1) for name, width in PROGRAM_FIELDS.items() if width > 1}
    flags = {name: st.booleans() for name in ("relu", "final")}
    return st.builds(LayerProgram, **counts, **flags | {name: st.just(value) for name, value in fixed.items()})


@st.composite
def images(draw: st.DrawFn) -> MemoryImage:
    rows, columns, lanes = (draw(st.integers(1, 6)) for _ in range(3))
    packing = draw(st.sampled_from(list(PACKINGS.values())))
    geometry = Geometry(rows, columns, lanes, packing, draw(st.sampled_from(list(CORRECTIONS.values()))))
    layers = draw(st.lists(programs(final=False), max_size=3))
    integers = st.integers(-(2**31), 2**31 - 1)
    return MemoryImage(
        geometry,
        (*layers, draw(programs(final=True))),
        draw(arrays(np.int32, (draw(st.integers(1, 5)), lanes), elements=integers)),
        draw(arrays(np.int8, (draw(st.integers(1, 5)), rows * columns), elements=st.integers(-1, 1))),
    )


def test_a_whole_image_byte_by_byte():
    assert IMAGE.to_bytes() == content(HEADER + PAYLOAD)
    assert len(IMAGE.to_bytes()) == 28 + 24
    assert_same(MemoryImage.from_bytes(content(HEADER + PAYLOAD)), IMAGE)


NORMED = MemoryImage(
    IMAGE.geometry._replace(scales="norms"),
    (LayerProgram(2, 1, 0, 0, relu=False, final=True, elements=5, first_gain=6),),
    IMAGE.corrections,
    IMAGE.weights,
    np.array([[[1, -1], [2, 0]], [[3, 4], [5, 6]], [[-7, 8], [0, 0]]], np.int16),
)
# Behind two transfers as above: 5 elements, the first word of gains is 6; behind the weights, gains and biases of 5
# values, the gains in the low halves.
NORMED_PROGRAM = "02 00 01 00 00 00 00 80 05 00 06 00 00 00 00 00"
NORMS = "01 00 ff ff 02 00 00 00 03 00 04 00 05 00 06 00 f9 ff 08 00 00 00 00 00"


def test_norms_stand_behind_the_weights():
    file = NORMED.to_bytes()
    assert file[7] == 0x30
    assert file[28:] == bytes.fromhex(NORMED_PROGRAM) + content(PAYLOAD)[8:] + bytes.fromhex(NORMS)
    read = MemoryImage.from_bytes(file)
    assert_same(read, NORMED)
    np.testing.assert_array_equal(read.norms, NORMED.norms)
    assert NORMED.memories == (*MEMORIES, "norms")
    assert [load.memory for load in NORMED.loads()] == [0] * 4 + [1] * 2 + [2] * 2 + [3] * 6
    assert NORMED.integers("norms")[0] == 0x0000_0002_FFFF_0001


def test_norms_that_the_program_does_not_make_are_refused():
    assert NORMED.norms is not None
    longer = MemoryImage(NORMED.geometry, NORMED.program, NORMED.corrections, NORMED.weights, NORMED.norms[:2])
    with pytest.raises(TritweaveError, match="has 16 bytes of norms where its program makes 3 words"):
        MemoryImage.from_bytes(longer.to_bytes())


@pytest.mark.parametrize(("correction", "code"), [(ONES_COMPLEMENT, 0), (OFFSET_BINARY, 1), (EXACT, 2)])
def test_the_header_says_what_the_corrections_are(correction, code):
    assert CORRECTIONS[code] is correction
    geometry = IMAGE.geometry._replace(correction=correction)
    image = MemoryImage(geometry, IMAGE.program, IMAGE.corrections, IMAGE.weights)
    assert image.to_bytes()[7] == code
    assert_same(MemoryImage.from_bytes(image.to_bytes()), image)


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        ("program", [0x8000_0000_0001_0002]),
        ("corrections", [0x0000_0003_0000_0001]),
        ("weights", [0x0000_01C5, 0x0000_01E2]),
    ],
)
def test_words_of_each_memory_as_integers(memory, words):
    assert IMAGE.integers(memory) == words


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0, 0, 0, 0, False, False), 0),
        ((0x1234, 0, 0, 0, False, False), 0x1234),
        ((0, 0x1234, 0, 0, False, False), 0x1234_0000),
        ((0, 0, 0x1234, 0, False, False), 0x1234_0000_0000),
        ((0, 0, 0, 0x1234, False, False), 0x1234_0000_0000_0000),
        ((0, 0, 0, 0, True, False), 0x4000_0000_0000_0000),
        ((0, 0, 0, 0, False, True), 0x8000_0000_0000_0000),
        ((0xFFFF, 0xFFFF, 0xFFFF, 0x3FFF, True, True), 0xFFFF_FFFF_FFFF_FFFF),
    ],
)
def test_fields_of_a_program_word(values, word):
    program = (LayerProgram(*values), *IMAGE.program)[: 1 if values[-1] else 2]
    image = MemoryImage(IMAGE.geometry, program, IMAGE.corrections, IMAGE.weights)
    assert image.integers("program")[0] == word
    assert MemoryImage.from_bytes(image.to_bytes()).program == image.program


@pytest.mark.parametrize("finals", [(False,), (True, True), (True, False)])
def test_only_the_last_layer_is_final(finals):
    program = tuple(LayerProgram(0, 0, 0, 0, relu=False, final=final) for final in finals)
    image = MemoryImage(IMAGE.geometry, program, IMAGE.corrections, IMAGE.weights)
    with pytest.raises(TritweaveError, match=r"has final = (True|False); only the last one has it"):
        MemoryImage.from_bytes(image.to_bytes())


@pytest.mark.parametrize(("name", "limit"), [(name, (1 << width) - 1) for name, width in PROGRAM_FIELDS.items()])
def test_a_count_beyond_its_field_is_refused(name, limit):
    values: dict[str, Any] = dict.fromkeys(PROGRAM_FIELDS, 0)
    values[name] = limit
    assert getattr(LayerProgram(**values), name) == limit
    for value in (-1, limit + 1):
        values[name] = value
        with pytest.raises(TritweaveError, match=f"a layer's {name} is {value}; the program holds 0 to {limit}"):
            LayerProgram(**values)


def test_negative_corrections_are_twos_complement():
    image = MemoryImage(IMAGE.geometry, IMAGE.program, np.array([[-1, -(2**31)]], np.int32), IMAGE.weights)
    assert image.integers("corrections") == [0x8000_0000_FFFF_FFFF]
    assert_same(MemoryImage.from_bytes(image.to_bytes()), image)


@pytest.mark.parametrize(
    ("name", "trits", "size"), [("2b", 16, 4), ("2b", 17, 8), ("3t5b", 18, 4), ("3t5b", 19, 8), ("5t8b", 21, 8)]
)
def test_a_word_of_weights_takes_whole_transfers(name, trits, size):
    geometry = Geometry(1, trits, 1, PACKINGS[name])
    image = MemoryImage(geometry, IMAGE.program, np.zeros((1, 1), np.int32), np.ones((3, trits), np.int8))
    assert image.words("weights").shape == (3, size)


@given(images())
def test_an_image_comes_back_from_its_bytes(image):
    read = MemoryImage.from_bytes(image.to_bytes())
    assert_same(read, image)
    assert read.to_bytes() == image.to_bytes()


@given(images())
def test_the_loads_bring_the_payload_of_the_file_in_its_order(image):
    loads = list(image.loads())
    assert b"".join(struct.pack("<I", load.data) for load in loads) == image.to_bytes()[28:]
    for number, memory in enumerate(MEMORIES):
        words = image.integers(memory)
        collected = [0] * len(words)
        transfers = dict.fromkeys(range(len(words)), 0)
        for load in (load for load in loads if load.memory == number):
            collected[load.address] |= load.data << 32 * transfers[load.address]
            transfers[load.address] += 1
            assert load.last == (transfers[load.address] == image.words(memory).shape[1] // 4)
        assert collected == words
    assert [load.memory for load in loads] == sorted(load.memory for load in loads)


def test_the_loads_of_a_known_image():
    assert [tuple(load) for load in IMAGE.loads()] == [
        (0, 0, False, 0x0001_0002),
        (0, 0, True, 0x8000_0000),
        (1, 0, False, 1),
        (1, 0, True, 3),
        (2, 0, True, 0x1C5),
        (2, 1, True, 0x1E2),
    ]
