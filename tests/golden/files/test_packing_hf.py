import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from golden.errors import TritweaveError
from golden.files.packing_hf import decode_hf, encode_hf


def test_the_example_of_the_reference_is_read():
    # The docstring of transformers' unpack_weights.
    packed = np.array([[0b10100001, 0b00011000], [0b10010000, 0b00001010]], np.uint8)
    expected = [[0, -1], [-1, 1], [-1, 1], [-1, 1], [1, 0], [0, -1], [1, -1], [1, -1]]
    assert decode_hf(packed).tolist() == expected
    np.testing.assert_array_equal(encode_hf(np.array(expected, np.int8)), packed)


@pytest.mark.parametrize(
    ("outputs", "packed"),
    [
        # One input with the trits +1 +1 …: the codes are 2, and rows r, r + R, r + 2R, r + 3R share a byte.
        (4, "aa"),
        (8, "aa aa"),
        # Two rows of bytes for five to seven outputs; what is missing has code 0.
        (5, "2a 0a"),
        (6, "2a 2a"),
        (7, "aa 2a"),
        (1, "02"),
    ],
)
def test_bytes_of_a_column_of_ones(outputs, packed):
    column = np.ones((outputs, 1), np.int8)
    assert encode_hf(column).tobytes().hex(" ") == packed
    stored = np.frombuffer(bytes.fromhex(packed), np.uint8)[:, None]
    np.testing.assert_array_equal(decode_hf(stored, outputs), column)


@given(arrays(np.int8, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(-1, 1)))
def test_what_is_packed_comes_back(trits):
    packed = encode_hf(trits)
    assert packed.shape == (-(-len(trits) // 4), trits.shape[1])
    np.testing.assert_array_equal(decode_hf(packed, len(trits)), trits)


def test_ten_million_random_trits_come_back():
    trits = np.random.default_rng(1).integers(-1, 2, (2500, 4000)).astype(np.int8)
    np.testing.assert_array_equal(decode_hf(encode_hf(trits)), trits)


@pytest.mark.parametrize("place", range(4))
def test_code_3_is_refused_with_its_place(place):
    packed = np.full((3, 5), 0b01010101, np.uint8)
    packed[2, 1] |= 3 << 2 * place
    message = rf"byte \[2, 1\] is 0x{packed[2, 1]:02x}, which holds code 3; a trit's code is 0, 1 or 2"
    with pytest.raises(TritweaveError, match=message):
        decode_hf(packed)


def test_other_bytes_than_81_are_refused():
    good = [byte for byte in range(256) if all(byte >> shift & 3 != 3 for shift in (0, 2, 4, 6))]
    assert len(good) == 81
    for byte in range(256):
        if byte in good:
            assert decode_hf(np.array([[byte]], np.uint8)).shape == (4, 1)
        else:
            with pytest.raises(TritweaveError, match="code 3"):
                decode_hf(np.array([[byte]], np.uint8))


@pytest.mark.parametrize("outputs", [4, 9, 0])
def test_rows_that_do_not_hold_the_outputs_are_refused(outputs):
    with pytest.raises(TritweaveError, match=f"2 packed rows hold 8 outputs, not {outputs}"):
        decode_hf(np.zeros((2, 1), np.uint8), outputs)
