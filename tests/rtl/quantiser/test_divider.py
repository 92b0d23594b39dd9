# amaranth: UnusedElaboratable=no
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.quantise import quantise_activations
from rtl.quantiser.config import DIVIDER
from sim.pysim import Driver, Pauses, never, seeded, trace


class Word(NamedTuple):
    """Signed dividends, one a lane, the peak that no magnitude exceeds, and whether they become int8 or int4."""

    values: list[int]
    peak: int
    wide: bool = True

    @property
    def expected(self) -> list[int]:
        """By definition; Python rounds a fraction half to even."""
        if self.wide:
            return [round(Fraction(127 * value, self.peak)) for value in self.values]
        return [min(round(Fraction(70 * value, 9 * self.peak)), 7) for value in self.values]


def quotients(
    lanes: int, width: int, words: list[Word], pauses: Pauses = never, *, int4: bool = False
) -> list[list[int]]:
    """Quotients of each word, read `latency` enabled cycles after it went in."""
    divider = DIVIDER(lanes, width, int4=int4)
    taken: list[int] = []  # enabled cycles before each cycle
    enabled: list[int] = []  # the cycles in which a word went in

    def driver() -> Driver:
        cycle = 0
        while len(enabled) < len(words) + divider.latency(width):
            taken.append(len(enabled))
            values, peak, wide = words[min(len(enabled), len(words) - 1)]
            yield {
                "enable": not pauses(cycle),
                "magnitudes": [abs(value) for value in values],
                "signs": sum((value < 0) << lane for lane, value in enumerate(values)),
                "peak": peak,
            } | ({"wide": wide} if int4 else {})
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
    return [by_count[index + divider.latency(width)][0] for index in range(len(words))]


def test_every_quotient_of_six_bits_is_golden() -> None:
    pairs = [(value, peak) for peak in range(1, 64) for value in range(-peak, peak + 1)]
    expected = [int(quantise_activations(np.array([value, peak]))[0][0]) for value, peak in pairs]
    words = [Word([value], peak) for value, peak in pairs]
    assert [output[0] for output in quotients(1, 6, words)] == expected


def test_every_int4_quotient_of_five_bits_is_exact_whatever_its_neighbours_are() -> None:
    words = [Word([value], peak, value & 1 == 0) for peak in range(1, 32) for value in range(-peak, peak + 1)]
    words += [word._replace(wide=not word.wide) for word in words]
    assert quotients(1, 5, words, int4=True) == [word.expected for word in words]


@st.composite
def divisions(draw: st.DrawFn, *, int4: bool) -> tuple[int, int, list[Word]]:
    lanes, width = draw(st.integers(1, 4)), draw(st.integers(1, 62))
    words: list[Word] = []
    for _ in range(draw(st.integers(1, 12))):
        peak = draw(st.integers(1, (1 << width) - 1))
        wide = not int4 or draw(st.booleans())
        # Near half quotients, where rounding decides, and anywhere.
        most, unit, share = (126, 1, 254) if wide else (7, 9, 140)
        ties = st.integers(0, most).map(lambda quotient: (2 * quotient + 1) * unit * peak // share)  # noqa: B023
        magnitude = st.one_of(st.integers(0, peak), ties, ties.map(lambda tie: min(tie + 1, peak)))  # noqa: B023
        value = st.builds(lambda size, negative: -size if negative else size, magnitude, st.booleans())
        words.append(Word(draw(st.lists(value, min_size=lanes, max_size=lanes)), peak, wide))
    return lanes, width, words


@pytest.mark.parametrize("int4", [False, True])
@settings(max_examples=40, deadline=None)
@given(data=st.data(), share=st.sampled_from((0.0, 0.3, 0.7)), seed=st.integers(0, 99))
def test_quotients_are_exact_and_hold_while_the_pipeline_is_not_enabled(
    int4: bool, data: st.DataObject, share: float, seed: int
) -> None:
    lanes, width, words = data.draw(divisions(int4=int4))
    assert quotients(lanes, width, words, seeded(seed, share), int4=int4) == [word.expected for word in words]


def test_ties_go_to_the_even_quotient() -> None:
    words = [Word([value], 254) for value in range(-254, 255)]
    expected = [round(value / 2) for value in range(-254, 255)]
    assert [output[0] for output in quotients(1, 8, words)] == expected


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
        DIVIDER(lanes, width)
