import gguf
import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.files.packing_gguf import decode_tq, encode_tq

TQ = pytest.mark.parametrize("name", ["TQ1_0", "TQ2_0"])
ONE_BLOCK = np.full((1, 1), 0.5)


def random_trits(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1, 2, (rows, columns)).astype(np.int8)


def single(place: int, trit: int) -> np.ndarray:
    trits = np.zeros((1, 256), np.int8)
    trits[0, place] = trit
    return trits


@pytest.mark.parametrize(
    ("place", "trit", "byte", "value"),
    [
        # Zeros are 01 01 01 01 = 0x55; +1 in the first quarter makes the lowest pair 10, -1 makes it 00.
        (0, +1, 0, 0x56),
        (0, -1, 0, 0x54),
        (31, +1, 31, 0x56),
        (32, +1, 0, 0x59),
        (64, -1, 0, 0x45),
        (127, -1, 31, 0x15),
        (128, +1, 32, 0x56),
        (255, +1, 63, 0x95),
    ],
)
def test_where_tq2_keeps_a_trit(place, trit, byte, value):
    packed = encode_tq("TQ2_0", single(place, trit), ONE_BLOCK)
    expected = bytearray(b"\x55" * 64 + b"\x00\x38")
    expected[byte] = value
    assert packed.tobytes() == bytes(expected)


@pytest.mark.parametrize(
    ("place", "trit", "byte", "value"),
    [
        # Five zeros are 11111 in base 3 = 121: ceil(121·256 / 243) = 128. A first digit of 2 adds 81: 213.
        (0, +1, 0, 213),
        (0, -1, 0, 43),
        (31, +1, 31, 213),
        # A second digit of 2 adds 27: 148 becomes 156.
        (32, +1, 0, 156),
        (159, +1, 31, 129),
        (160, +1, 32, 213),
        (176, -1, 32, 100),
        (239, +1, 47, 129),
        # Four zeros and no fifth digit are 11110 = 120: 127; a first digit of 2 adds 81: 212.
        (240, +1, 48, 212),
        (255, -1, 51, 124),
    ],
)
def test_where_tq1_keeps_a_trit(place, trit, byte, value):
    packed = encode_tq("TQ1_0", single(place, trit), ONE_BLOCK)
    expected = bytearray(b"\x80" * 48 + b"\x7f" * 4 + b"\x00\x38")
    expected[byte] = value
    assert packed.tobytes() == bytes(expected)


@TQ
def test_the_packages_own_reader_and_writer_agree(name):
    kind = gguf.GGMLQuantizationType[name]
    trits = random_trits(48, 1024)
    # Its writer takes the largest magnitude of a block for the scale: one trit of each block must not be 0.
    trits[:, ::256] = 1
    scales = np.random.default_rng(1).uniform(0.01, 4, (48, 4)).astype(np.float16)
    values = trits * np.repeat(scales, 256, axis=1).astype(np.float32)
    packed = encode_tq(name, trits, scales)
    np.testing.assert_array_equal(gguf.quants.dequantize(packed, kind), values)
    np.testing.assert_array_equal(gguf.quants.quantize(values, kind), packed)
    decoded, read = decode_tq(name, packed)
    np.testing.assert_array_equal(decoded, trits)
    np.testing.assert_array_equal(read, scales)


@TQ
def test_every_byte_means_what_the_package_says(name):
    # Not only those that a writer makes; code 3, of which the package makes +2, is left out.
    size = 54 if name == "TQ1_0" else 66
    good = [b for b in range(256) if name == "TQ1_0" or all(b >> shift & 3 != 3 for shift in (0, 2, 4, 6))]
    packed = np.random.default_rng(2).choice(np.array(good, np.uint8), (64, size))
    packed[:, -2:] = (0, 0x3C)
    np.testing.assert_array_equal(
        decode_tq(name, packed)[0], gguf.quants.dequantize(packed, gguf.GGMLQuantizationType[name])
    )


@TQ
def test_ten_million_random_trits_come_back_from_tq(name):
    trits = random_trits(2500, 4096, 3)
    scales = np.ones((2500, 16))
    np.testing.assert_array_equal(decode_tq(name, encode_tq(name, trits, scales))[0], trits)


def test_code_3_is_refused():
    packed = encode_tq("TQ2_0", random_trits(2, 512), np.ones((2, 2)))
    packed[1, 5] = 0b11010101
    with pytest.raises(TritweaveError, match="is 0xd5, which holds code 3"):
        decode_tq("TQ2_0", packed)


def test_rows_that_are_no_whole_number_of_blocks_are_refused():
    with pytest.raises(TritweaveError, match="100 trits are no whole number of blocks of 256"):
        encode_tq("TQ1_0", np.zeros((1, 100), np.int8), np.ones((1, 1)))
