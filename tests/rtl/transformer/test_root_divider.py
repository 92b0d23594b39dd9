# amaranth: UnusedElaboratable=no
from collections.abc import Sequence
from math import isqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from rtl.transformer.normaliser import Normaliser
from rtl.transformer.root_divider import RootDivider
from sim.pysim import Driver, steps, trace


def moved_up(width: int, kept: int, numbers: Sequence[tuple[int, int]]) -> None:
    """Numbers, and whether each is moved by an even number of places, one a cycle."""
    inputs = [{"value": value, "even": even} for value, even in numbers]
    seen = trace(Normaliser(width, kept), steps([*inputs, *[{}] * Normaliser.LATENCY]), "o", "places")
    for (value, even), found in zip(numbers, seen[Normaliser.LATENCY :], strict=True):
        places = width - value.bit_length()
        places -= even and places % 2
        expected = {"o": (value << places) >> width - kept, "places": places if value else found["places"]}
        assert found == expected, (value, even)


def test_every_number_of_nine_bits_is_moved_up() -> None:
    moved_up(9, 8, [(value, even) for value in range(1 << 9) for even in range(2)])


@settings(max_examples=20)
@given(data=st.data(), width=st.integers(9, 64))
def test_numbers_of_any_width_are_moved_up(data: st.DataObject, width: int) -> None:
    number = st.integers(0, width).flatmap(lambda length: st.integers(1 << length >> 1, (1 << length) - 1))
    kept = data.draw(st.integers(8, width))
    moved_up(width, kept, data.draw(st.lists(st.tuples(number, st.integers(0, 1)), min_size=1, max_size=30)))


def quotients(width: int, digits: int, pace: int, tasks: Sequence[tuple[str, int, int]], idle: int) -> None:
    """Dividends over divisors, or over the roots of radicands, one after another."""

    cycles = digits // pace

    def driver() -> Driver:
        for kind, operand, dividend in tasks:
            yield {"operand": operand, kind: 1}
            strobe = {kind: 0, "operand": dividend}
            if kind == "radicand":
                for cycle in range(cycles):
                    seen = yield {**strobe, "dividend": cycle == cycles - 1}
                    assert seen["rooted"] == (cycle == cycles - 1)
                root = isqrt(operand >> width - 2 * digits)
                divisor = root << width - digits
            else:
                yield {**strobe, "dividend": 1}
                divisor = operand
            for cycle in range(cycles):
                seen = yield {"dividend": 0, "operand": cycle}
                assert (seen["divided"], seen["rooted"]) == (cycle == cycles - 1, 0)
            expected = (dividend << digits - 1) // divisor if divisor else 0
            for _ in range(idle + 1):
                seen = yield {}
                assert seen["quotient"] == expected, (kind, operand, dividend)

    trace(RootDivider(width, digits, pace), driver(), "rooted", "divided", "quotient")


@pytest.mark.parametrize("pace", [1, 2])
def test_every_root_and_quotient_of_eight_bits(pace: int) -> None:
    upper = range(1 << 7, 1 << 8)
    tasks = [("radicand", radicand, 128 + radicand * 37 % 128) for radicand in (0, *range(1 << 6, 1 << 8))]
    tasks += [("divisor", divisor, dividend) for divisor in upper[::5] for dividend in (0, *upper[::3])]
    quotients(8, 4, pace, tasks, 0)


@st.composite
def divisions(draw: st.DrawFn) -> tuple[int, int, int, list[tuple[str, int, int]]]:
    pace = draw(st.integers(1, 2))
    digits = pace * draw(st.integers(1 + (pace == 1), 20 // pace))
    width = draw(st.integers(2 * digits, 52))
    upper = st.integers(1 << width - 1, (1 << width) - 1)
    radicand = st.tuples(
        st.just("radicand"), st.one_of(st.just(0), st.integers(1 << width - 2, (1 << width) - 1)), upper
    )
    divisor = st.tuples(st.just("divisor"), upper, st.one_of(st.just(0), upper))
    return width, digits, pace, draw(st.lists(st.one_of(radicand, divisor), min_size=1, max_size=8))


@settings(max_examples=20)
@given(division=divisions(), idle=st.integers(0, 2))
def test_roots_and_quotients_of_any_width(
    division: tuple[int, int, int, list[tuple[str, int, int]]], idle: int
) -> None:
    quotients(*division, idle)


def test_bad_parameters_are_refused() -> None:
    with pytest.raises(TritweaveError, match=r"^normaliser: width is 8; it must be an integer from 9 to 64$"):
        Normaliser(8, 8)
    with pytest.raises(TritweaveError, match=r"^normaliser: kept bits is 13; it must be an integer from 8 to 12$"):
        Normaliser(12, 13)
    with pytest.raises(TritweaveError, match=r"^root divider: digits is 33; it must be an integer from 2 to 32$"):
        RootDivider(64, 33)
    with pytest.raises(TritweaveError, match=r"^root divider: digits is 7; it must be a multiple of pace, which is 2$"):
        RootDivider(64, 7, 2)
    with pytest.raises(TritweaveError, match=r"^root divider: width is 11; it must be an integer from 12 to 64$"):
        RootDivider(11, 6)
