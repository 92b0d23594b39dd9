import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.files.packing_i2s import LAYOUTS, decode_i2s, encode_i2s

SHAPE = (8, 64)


@pytest.mark.parametrize(
    ("layout", "place", "trit", "byte", "value"),
    [
        # Zeros are 01 01 01 01 = 0x55; the first quarter has the highest bits.
        ("blocks-128", 0, +1, 0, 0x95),
        ("blocks-128", 31, -1, 31, 0x15),
        ("blocks-128", 32, +1, 0, 0x65),
        ("blocks-128", 96, +1, 0, 0x56),
        ("blocks-128", 128, +1, 32, 0x95),
        ("blocks-64", 0, +1, 0, 0x95),
        ("blocks-64", 16, +1, 0, 0x65),
        ("blocks-64", 63, -1, 15, 0x54),
        ("blocks-64", 64, +1, 16, 0x95),
        # A row is 64 trits here, and four rows share a byte.
        ("rows-4", 0, +1, 0, 0x95),
        ("rows-4", 63, +1, 63, 0x95),
        ("rows-4", 64, -1, 0, 0x45),
        ("rows-4", 3 * 64 + 5, +1, 5, 0x56),
        ("rows-4", 4 * 64 + 1, -1, 65, 0x15),
    ],
)
def test_where_a_trit_is_kept(layout, place, trit, byte, value):
    trits = np.zeros(SHAPE, np.int8)
    trits.reshape(-1)[place] = trit
    expected = bytearray(b"\x55" * 128 + b"\x00\x00\x40\x3f" + bytes(28))
    expected[byte] = value
    assert encode_i2s(trits, 0.75, layout).tobytes() == bytes(expected)


@given(st.sampled_from(LAYOUTS), st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000))
def test_trits_come_back(layout, rows, columns, seed):
    trits = np.random.default_rng(seed).integers(-1, 2, (4 * rows, 32 * columns)).astype(np.int8)
    decoded, scale = decode_i2s(encode_i2s(trits, 1.25, layout), trits.shape, layout)
    np.testing.assert_array_equal(decoded, trits)
    assert scale == 1.25


def test_code_3_is_refused():
    stored = encode_i2s(np.zeros((2, 128), np.int8), 1)
    stored[3] = 0b01110101
    with pytest.raises(TritweaveError, match=re.escape("byte [0, 3] is 0x75, which holds code 3")):
        decode_i2s(stored, (2, 128))


@pytest.mark.parametrize(
    ("shape", "layout", "message"),
    [
        ((3, 64), "blocks-128", "192 trits are no whole number of blocks of 128"),
        ((1, 96), "blocks-64", "96 trits are no whole number of blocks of 64"),
        ((6, 64), "rows-4", "6 rows are no whole number of groups of 4"),
        ((4, 64), "rows-8", "the layout of I2_S is 'rows-8'; it is one of blocks-128, blocks-64, rows-4"),
    ],
)
def test_shapes_that_a_layout_does_not_have_are_refused(shape, layout, message):
    with pytest.raises(TritweaveError, match=message):
        decode_i2s(np.zeros(shape[0] * shape[1] // 4 + 32, np.uint8), shape, layout)
