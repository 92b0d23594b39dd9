# amaranth: UnusedElaboratable=no
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.quantise import quantise_activations
from rtl.quantiser.config import DIVIDERS
from rtl.quantiser.divider import RoundingDivider
from rtl.quantiser.limited import LimitedDivider
from rtl.quantiser.multiplying import MultiplyingDivider
from rtl.quantiser.restoring import RestoringDivider
from sim.pysim import Driver, Pauses, never, seeded, trace


class Word(NamedTuple):
    """Signed dividends, one a lane, the peak that no magnitude exceeds, whether they become int8 or int4, the limit."""

    values: list[int]
    peak: int
    wide: bool = True
    limit: int = 127

    @property
    def expected(self) -> list[int]:
        """By definition; Python rounds a fraction half to even."""
        if self.wide:
            return [round(Fraction(self.limit * value, self.peak)) for value in self.values]
        return [min(round(Fraction(70 * value, 9 * self.peak)), 7) for value in self.values]


def shared(divider: RoundingDivider, word: Word) -> dict[str, Any]:
    """What all lanes are given of a word's peak."""
    if not isinstance(divider, MultiplyingDivider):
        options = {"wide": word.wide} if divider.int4 else {"limit": word.limit} if divider.LIMITED else {}
        return {"divisor": word.peak} | options
    power, fraction = 1 << divider.width - word.peak.bit_length(), divider.config.fraction
    return {"divisor": {"multiplier": (127 << fraction) // (word.peak * power) + 1, "power": power}}


def quotients(divider: RoundingDivider, words: list[Word], pauses: Pauses = never) -> list[list[int]]:
    """Quotients of each word, read `latency` enabled cycles after it went in."""
    taken: list[int] = []  # enabled cycles before each cycle
    enabled: list[int] = []  # the cycles in which a word went in

    def driver() -> Driver:
        cycle = 0
        while len(enabled) < len(words) + divider.latency(divider.width):
            taken.append(len(enabled))
            word = words[min(len(enabled), len(words) - 1)]
            yield {
                "enable": not pauses(cycle),
                "magnitudes": [abs(value) for value in word.values],
                "signs": sum((value < 0) << lane for lane, value in enumerate(word.values)),
            } | shared(divider, word)
            enabled.extend([cycle] * (not pauses(cycle)))
            cycle += 1
        taken.append(len(enabled))
        yield {"enable": 0}

    seen = trace(divider, driver(), "quotients")
    # Whatever number of cycles passes between two enabled ones, the output must be the same in all of them.
    by_count: dict[int, list[list[int]]] = {}
    for count, cycle in zip(taken, seen, strict=True):
        by_count.setdefault(count, []).append(cycle["quotients"])
    for outputs in by_count.values():
        assert outputs == outputs[:1] * len(outputs)
    return [by_count[index + divider.latency(divider.width)][0] for index in range(len(words))]


@pytest.mark.parametrize("divider", [RestoringDivider(8, 6), MultiplyingDivider(8, 8)])
def test_every_quotient_of_few_bits_is_golden(divider: RoundingDivider) -> None:
    words = []
    for peak in range(1, 1 << divider.width):
        values = [*range(-peak, peak + 1), *[peak] * (-(2 * peak + 1) % 8)]
        words += [Word(values[at : at + 8], peak) for at in range(0, len(values), 8)]
    expected = [quantise_activations(np.array([*word.values, word.peak]))[0][:8].tolist() for word in words]
    assert quotients(divider, words) == expected


def test_every_int4_quotient_of_five_bits_is_exact_whatever_its_neighbours_are() -> None:
    words = [Word([value], peak, value & 1 == 0) for peak in range(1, 32) for value in range(-peak, peak + 1)]
    words += [word._replace(wide=not word.wide) for word in words]
    assert quotients(RestoringDivider(1, 5, int4=True), words) == [word.expected for word in words]


def test_every_limited_quotient_of_few_bits_is_exact_whatever_its_neighbours_limits_are() -> None:
    limits = [0, 1, 4, 13, 40, 64, 99, 121, 127]
    words = [
        Word([value], peak, limit=limits[(value + peak + turn) % len(limits)])
        for turn in range(len(limits))
        for peak in range(1, 8)
        for value in range(-peak, peak + 1)
    ]
    assert quotients(LimitedDivider(1, 3), words) == [word.expected for word in words]


@st.composite
def divisions(
    draw: st.DrawFn, widths: range, *, int4: bool = False, limited: bool = False
) -> tuple[int, int, list[Word]]:
    lanes, width = draw(st.integers(1, 4)), draw(st.sampled_from(widths))
    words: list[Word] = []
    for _ in range(draw(st.integers(1, 12))):
        peak = draw(st.integers(1, (1 << width) - 1))
        wide = not int4 or draw(st.booleans())
        limit = draw(st.integers(0, 127)) if limited else 127
        # Near half quotients, where rounding decides, and anywhere.
        most, unit, share = (max(limit - 1, 0), 1, max(2 * limit, 1)) if wide else (7, 9, 140)
        ties = st.integers(0, most).map(lambda quotient: min((2 * quotient + 1) * unit * peak // share, peak))  # noqa: B023
        magnitude = st.one_of(st.integers(0, peak), ties, ties.map(lambda tie: min(tie + 1, peak)))  # noqa: B023
        value = st.builds(lambda size, negative: -size if negative else size, magnitude, st.booleans())
        words.append(Word(draw(st.lists(value, min_size=lanes, max_size=lanes)), peak, wide, limit))
    return lanes, width, words


@pytest.mark.parametrize("kind", ["int8", "int4", "limited", "multiplying"])
@settings(max_examples=40, deadline=None)
@given(data=st.data(), share=st.sampled_from((0.0, 0.3, 0.7)), seed=st.integers(0, 99))
def test_quotients_are_exact_and_hold_while_the_pipeline_is_not_enabled(
    kind: str, data: st.DataObject, share: float, seed: int
) -> None:
    multiplying, int4, limited = (kind == name for name in ("multiplying", "int4", "limited"))
    widths = range(8, 33) if multiplying else range(1, 63)
    lanes, width, words = data.draw(divisions(widths, int4=int4, limited=limited))
    makes = {"int8": RestoringDivider, "limited": LimitedDivider, "multiplying": MultiplyingDivider}
    divider = RestoringDivider(lanes, width, int4=True) if int4 else makes[kind](lanes, width)
    assert quotients(divider, words, seeded(seed, share)) == [word.expected for word in words]


@pytest.mark.parametrize("make", DIVIDERS.values())
def test_ties_go_to_the_even_quotient(make: type[RoundingDivider]) -> None:
    words = [Word([value], 254) for value in range(-254, 255)]
    expected = [round(value / 2) for value in range(-254, 255)]
    assert [output[0] for output in quotients(make(1, 8), words)] == expected


@pytest.mark.parametrize(
    ("lanes", "width", "message"),
    [
        (0, 8, "lanes is 0; it must be an integer from 1 to 1024"),
        (1025, 8, "lanes is 1025; it must be an integer from 1 to 1024"),
        (1, 0, "width is 0; it must be an integer from 1 to 62"),
        (1, 63, "width is 63; it must be an integer from 1 to 62"),
    ],
)
def test_bad_parameters_are_refused(lanes: int, width: int, message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^divider: {message}$"):
        RestoringDivider(lanes, width)


@pytest.mark.parametrize("width", [7, 33])
def test_a_width_that_products_do_not_do_is_refused(width: int) -> None:
    message = f"^reciprocal: width is {width}; it must be an integer from 8 to 32$"
    with pytest.raises(TritweaveError, match=message):
        MultiplyingDivider(1, width)


def test_products_do_not_make_int4() -> None:
    with pytest.raises(
        TritweaveError, match=r"^multiplying divider: int4 is True; groups of four bits need the restoring"
    ):
        MultiplyingDivider(1, 8, int4=True)
