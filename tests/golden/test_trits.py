from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from golden.errors import TritweaveError
from golden.formats import PACKINGS
from golden.trits import balanced_ternary, check_trits, decode_group, pack, unpack

FIVE, SEVEN, TWELVE = (1, -1, 0, -1, 1), (-1, 0, 0, 0, 1, 1, -1), (0,) * 12
packings = pytest.mark.parametrize("packing", PACKINGS.values(), ids=PACKINGS)


@pytest.mark.parametrize(
    ("name", "trits", "word"),
    [
        # 01 11 00 11 | 01, lowest bits first
        ("2b", FIVE, "cd 01"),
        # (+-0) = 5 and (-+0) = 3: 5 + 3·32
        ("3t5b", FIVE, "65 00"),
        # a = +, p = (-0) = 1, q = (-+) = 3
        ("5t8b", FIVE, "65"),
        ("2b", SEVEN, "03 35"),
        # (-00) = 14, the lower of two codes, (0++) = 8, (-00) = 14: 14 + 8·32 + 14·1024
        ("3t5b", SEVEN, "0e 39"),
        # (-000+): escape, p = -0, q = (0+) = 6; (+-000): escape, p = +1, q = (-0) = 1
        ("5t8b", SEVEN, "da 2e"),
        ("2b", TWELVE, "00 00 00"),
        # zeros are code 2, the lowest of four: 2 + 2·32 + 2·1024 + 2·32768
        ("3t5b", TWELVE, "42 08 01"),
        # zeros are two escapes and a zero
        ("5t8b", TWELVE, "12 12 12"),
    ],
)
def test_words_of_short_vectors(name, trits, word):
    packing = PACKINGS[name]
    assert pack(np.array(trits, np.int8), packing).tobytes().hex(" ") == word
    stored = np.frombuffer(bytes.fromhex(word), np.uint8)
    assert unpack(stored, len(trits), packing).tolist() == list(trits)


@packings
def test_every_group_of_trits_has_a_code_that_decodes_to_it(packing):
    groups = np.array(list(product((-1, 0, 1), repeat=packing.trits)), np.int8)
    words = pack(groups, packing)
    assert words.shape == (3**packing.trits, 1)
    assert len(np.unique(words)) == 3**packing.trits
    assert [decode_group(int(code), packing) for code in words[:, 0]] == [tuple(group) for group in groups.tolist()]
    np.testing.assert_array_equal(unpack(words, packing.trits, packing), groups)


@packings
def test_a_group_is_stored_as_the_lowest_of_its_codes(packing):
    lowest = {decode_group(code, packing): code for code in reversed(range(1 << packing.bits))}
    groups = np.array(list(lowest), np.int8)
    assert pack(groups, packing)[:, 0].tolist() == list(lowest.values())


@packings
def test_every_code_decodes_to_trits_in_a_word_too(packing):
    codes = np.arange(1 << packing.bits, dtype=np.uint8)[:, None]
    decoded = unpack(codes, packing.trits, packing)
    assert [tuple(group) for group in decoded.tolist()] == [decode_group(int(code), packing) for code in codes[:, 0]]


@packings
@given(data=st.data())
def test_unpack_gives_back_what_pack_took(packing, data):
    trits = data.draw(arrays(np.int8, array_shapes(min_dims=1, max_dims=3, max_side=40), elements=st.integers(-1, 1)))
    words = pack(trits, packing)
    assert words.shape == (*trits.shape[:-1], -(-packing.word_bits(trits.shape[-1]) // 8))
    unpacked = unpack(words, trits.shape[-1], packing)
    assert unpacked.dtype == np.int8
    np.testing.assert_array_equal(unpacked, trits)


@packings
@given(trits=st.lists(st.integers(-1, 1), min_size=1, max_size=60))
def test_a_word_is_its_groups_side_by_side(packing, trits):
    padded = trits + [0] * (-len(trits) % packing.trits)
    groups = np.array(padded, np.int8).reshape(-1, packing.trits)
    expected = sum(int(code) << index * packing.bits for index, code in enumerate(pack(groups, packing)[:, 0]))
    word = pack(np.array(trits, np.int8), packing)
    assert int.from_bytes(word.tobytes(), "little") == expected


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32])
def test_trits_of_any_number_type_become_a_copy_as_int8(dtype):
    given_trits = np.array([[1, 0], [-1, 1]], dtype)
    checked = check_trits(given_trits)
    given_trits[0, 0] = 0
    assert checked.dtype == np.int8
    assert checked.tolist() == [[1, 0], [-1, 1]]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(2, np.int8), (-2, np.int8), (255, np.uint8), (2**64 - 1, np.uint64), (0.5, np.float32), (np.nan, np.float64)],
)
def test_the_first_value_that_is_no_trit_is_named_with_its_place(value, dtype):
    array = np.ones((3, 4), dtype)
    array[1, 2] = array[2, 0] = value
    with pytest.raises(TritweaveError, match=rf"^bias hold {value} at \[1, 2\]; a trit is -1, 0 or \+1$"):
        check_trits(array, "bias")


@pytest.mark.parametrize("dtype", [np.bool_, np.complex64, np.str_])
def test_what_is_no_number_is_refused_as_trits(dtype):
    with pytest.raises(TritweaveError, match=r"weights have dtype .*; trits are integers"):
        check_trits(np.ones(3, dtype))


@packings
def test_pack_refuses_what_is_no_trit(packing):
    with pytest.raises(TritweaveError, match=r"trits hold 3 at \[1\]"):
        pack(np.array([0, 3], np.int8), packing)


@pytest.mark.parametrize("digits", [1, 3, 6])
def test_values_are_sums_of_balanced_ternary_digits(digits):
    limit = (3**digits - 1) // 2
    values = np.arange(-limit, limit + 1).reshape(1, -1)
    planes = balanced_ternary(values, digits)
    assert planes.dtype == np.int8
    np.testing.assert_array_equal(sum(3**place * plane.astype(int) for place, plane in enumerate(planes)), values)
    with pytest.raises(TritweaveError, match=f"values reach {limit + 1}; {digits} ternary digits reach {limit}"):
        balanced_ternary(np.array([[-limit - 1]]), digits)
