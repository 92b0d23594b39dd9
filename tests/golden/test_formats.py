from itertools import product

import pytest

from golden.errors import TritweaveError
from golden.formats import LOAD_WIDTH, PACKINGS, PAIRS, PROGRAM_FIELDS, accumulator_width
from golden.trits import decode_group, packing_named

# Every code of 3t5b from 0 up, derived by hand from the definition of the packing; + and - are the trits +1 and -1.
THREE_IN_FIVE = """
    0+0  ++0  000  -+0    0-0  +-0  +00  --0    0++  +++  000  -++    0-+  +-+  -00  --+
    0+-  ++-  000  -+-    0--  +--  +00  ---    00+  +0+  000  -0+    00-  +0-  -00  -0-
"""

# Codes of 5t8b written as q_p_a, one block a case of the definition.
FIVE_IN_EIGHT = {
    # a is a trit code: t0 = a, pair(p), pair(q)
    0b000_000_00: "0+0+0",
    0b111_000_01: "++00-",
    0b011_101_11: "----+",
    0b100_110_01: "+0++-",
    0b110_010_00: "0++0+",
    # a is the escape, p[2:1] a trit code, p[0] = 0: t0 = p[2:1], (0, 0), pair(q)
    0b000_000_10: "000+0",
    0b101_010_10: "+00--",
    0b111_110_10: "-000-",
    # the same with p[0] = 1: t0 = p[2:1], pair(q), (0, 0)
    0b001_001_10: "0-000",
    0b010_011_10: "+++00",
    0b110_111_10: "-0+00",
    # both escapes: t0 = q[1:0], the rest 0, whatever p[0] and q[2]
    0b000_100_10: "00000",
    0b001_100_10: "+0000",
    0b011_101_10: "-0000",
    0b101_101_10: "+0000",
    0b111_100_10: "-0000",
    # three escapes: a zero
    0b010_100_10: "00000",
    0b110_101_10: "00000",
}


def trits(text: str) -> tuple[int, ...]:
    return tuple("-0+".index(sign) - 1 for sign in text)


@pytest.mark.parametrize(("code", "trit"), [(0b00, 0), (0b01, +1), (0b10, 0), (0b11, -1)])
def test_the_four_codes_of_2b(code, trit):
    assert decode_group(code, PACKINGS["2b"]) == (trit,)


def test_the_whole_decode_table_of_3t5b():
    assert [decode_group(code, PACKINGS["3t5b"]) for code in range(32)] == [
        trits(text) for text in THREE_IN_FIVE.split()
    ]


@pytest.mark.parametrize(("code", "text"), FIVE_IN_EIGHT.items())
def test_codes_of_every_case_of_5t8b(code, text):
    assert decode_group(code, PACKINGS["5t8b"]) == trits(text)


@pytest.mark.parametrize(("name", "size", "bits"), [("2b", 1, 2), ("3t5b", 3, 5), ("5t8b", 5, 8)])
def test_the_codes_of_a_packing_name_every_group_of_trits_and_nothing_else(name, size, bits):
    packing = packing_named(name)
    assert packing == (name, size, bits)
    groups = [decode_group(code, packing) for code in range(1 << bits)]
    assert set(groups) == set(product((-1, 0, 1), repeat=size))


def test_pair_codes_name_every_pair_but_the_zero_once():
    assert len(PAIRS) == 8
    assert set(PAIRS) == set(product((-1, 0, 1), repeat=2)) - {(0, 0)}


def test_the_lowest_bit_of_a_pair_code_is_the_sign_of_a_first_trit_that_is_not_zero():
    signs = [(code & 1, first) for code, (first, _) in enumerate(PAIRS) if first]
    assert signs == [(0, +1), (1, -1)] * 3


@pytest.mark.parametrize(
    ("name", "count", "groups", "bits"),
    [
        ("2b", 7, 7, 14),
        ("3t5b", 1, 1, 5),
        ("3t5b", 6, 2, 10),
        ("3t5b", 7, 3, 15),
        ("5t8b", 20, 4, 32),
        ("5t8b", 21, 5, 40),
    ],
)
def test_a_word_has_whole_groups(name, count, groups, bits):
    assert (PACKINGS[name].groups(count), PACKINGS[name].word_bits(count)) == (groups, bits)


@pytest.mark.parametrize(
    ("inputs", "width"), [(1, 8), (64, 14), (128, 15), (256, 16), (784, 18), (2560, 20), (6912, 21)]
)
def test_accumulator_widths(inputs, width):
    assert accumulator_width(inputs) == width


def test_an_accumulator_holds_every_sum_and_has_no_bit_too_many():
    for inputs in range(1, 10_000):
        largest, width = 127 * inputs, accumulator_width(inputs)
        assert (1 << width - 2) <= largest < (1 << width - 1), inputs


def test_the_fields_of_the_program_make_whole_transfers():
    assert PROGRAM_FIELDS == {
        "last_input": 16,
        "last_chunk": 16,
        "last_tile": 16,
        "last_drain": 14,
        "relu": 1,
        "final": 1,
    }
    assert sum(PROGRAM_FIELDS.values()) == 2 * LOAD_WIDTH == 64


@pytest.mark.parametrize("name", ["", "2B", "4t7b"])
def test_an_unknown_packing_is_refused_with_the_known_ones(name):
    with pytest.raises(TritweaveError, match=f"packing '{name}' is not known; the packings are 2b, 3t5b, 5t8b"):
        packing_named(name)
