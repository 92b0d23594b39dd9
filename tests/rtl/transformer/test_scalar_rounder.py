# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.language.format import QUERY_BITS
from golden.language.scalars import leading
from rtl.transformer.config import LEAST_EXPONENT
from rtl.transformer.scalar_rounder import ScalarRounder
from sim.pysim import Driver, trace


def rounded(bits: int, cases: list[tuple[int, int, int]]) -> None:
    """Digits and two terms of an exponent, one scalar after another, each rounded and then cut."""

    def driver() -> Driver:
        for digits, first, second in cases:
            yield {"clear": 1, "round": 0, "cut": 0, "term": 99}
            yield {"clear": 0, "term": first}
            yield {"term": second}
            yield {"term": 0, "round": 1, "digits": digits}
            seen = yield {"round": 0, "cut": 1, "digits": 0}
            scalar = leading(np.array(digits), bits, first + second - 1)
            zero = digits == 0
            exponent = LEAST_EXPONENT if zero else int(scalar.exponent)
            assert seen["scalar"] == {"mantissa": int(scalar.mantissa), "exponent": exponent}, digits
            seen = yield {"cut": 0}
            limit = leading(scalar.mantissa, QUERY_BITS, exponent - (bits - QUERY_BITS))
            exponent = LEAST_EXPONENT if zero else int(limit.exponent)
            assert seen["scalar"] == {"mantissa": int(limit.mantissa), "exponent": exponent}, digits

    trace(ScalarRounder(bits), driver(), "scalar")


def test_all_digits_of_a_mantissa_of_eight_bits() -> None:
    rounded(8, [(digits, 0, 0) for digits in (0, *range(1 << 8, 1 << 10))])


@settings(max_examples=15)
@given(data=st.data(), bits=st.integers(8, 16))
def test_mantissas_of_any_width(data: st.DataObject, bits: int) -> None:
    top = 1 << bits + 2
    # Near what carries over, and anywhere.
    digits = st.one_of(
        st.integers(top >> 2, top - 1), st.integers(top - 4, top - 1), st.integers(top // 2 - 4, top // 2)
    )
    case = st.tuples(digits, st.integers(-60, 60), st.integers(-60, 60))
    rounded(bits, data.draw(st.lists(case, min_size=1, max_size=20)))


def test_a_mantissa_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(TritweaveError, match=r"^scalar rounder: bits is 7; it must be an integer from 8 to 16$"):
        ScalarRounder(7)
