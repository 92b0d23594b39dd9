# amaranth: UnusedElaboratable=no
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritiumError
from golden.quantise import quantise_activations
from rtl.divider import RoundingDivider
from sim.pysim import Driver, Pauses, never, seeded, trace

Word = tuple[list[int], int]
"""Signed dividends, one a lane, and the peak that no magnitude exceeds."""


def quotients(lanes: int, width: int, words: list[Word], pauses: Pauses = never) -> list[list[int]]:
    """Quotients of each word, read `LATENCY` enabled cycles after it went in."""
    divider = RoundingDivider(lanes, width)
    taken: list[int] = []  # enabled cycles before each cycle
    enabled: list[int] = []  # the cycles in which a word went in

    def driver() -> Driver:
        cycle = 0
        while len(enabled) < len(words) + divider.LATENCY:
            taken.append(len(enabled))
            values, peak = words[min(len(enabled), len(words) - 1)]
            yield {
                "enable": not pauses(cycle),
                "magnitudes": [abs(value) for value in values],
                "signs": sum((value < 0) << lane for lane, value in enumerate(values)),
                "peak": peak,
            }
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
    return [by_count[index + divider.LATENCY][0] for index in range(len(words))]


def test_every_quotient_of_six_bits_is_golden() -> None:
    pairs = [(value, peak) for peak in range(1, 64) for value in range(-peak, peak + 1)]
    expected = [int(quantise_activations(np.array([value, peak]))[0][0]) for value, peak in pairs]
    words: list[Word] = [([value], peak) for value, peak in pairs]
    assert [output[0] for output in quotients(1, 6, words)] == expected


@st.composite
def divisions(draw: st.DrawFn) -> tuple[int, int, list[Word]]:
    lanes, width = draw(st.integers(1, 4)), draw(st.integers(1, 62))
    words: list[Word] = []
    for _ in range(draw(st.integers(1, 12))):
        peak = draw(st.integers(1, (1 << width) - 1))
        # Near half quotients, where rounding decides, and anywhere.
        ties = st.integers(0, 126).map(lambda quotient: (2 * quotient + 1) * peak // 254)  # noqa: B023
        magnitude = st.one_of(st.integers(0, peak), ties, ties.map(lambda tie: min(tie + 1, peak)))  # noqa: B023
        value = st.builds(lambda size, negative: -size if negative else size, magnitude, st.booleans())
        words.append((draw(st.lists(value, min_size=lanes, max_size=lanes)), peak))
    return lanes, width, words


@settings(max_examples=60, deadline=None)
@given(division=divisions(), share=st.sampled_from((0.0, 0.3, 0.7)), seed=st.integers(0, 99))
def test_quotients_are_exact_and_hold_while_the_pipeline_is_not_enabled(
    division: tuple[int, int, list[Word]], share: float, seed: int
) -> None:
    lanes, width, words = division
    expected = [[round(Fraction(127 * value, peak)) for value in values] for values, peak in words]
    assert quotients(lanes, width, words, seeded(seed, share)) == expected


def test_ties_go_to_the_even_quotient() -> None:
    words: list[Word] = [([value], 254) for value in range(-254, 255)]
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
    with pytest.raises(TritiumError, match=f"^RoundingDivider: {message}$"):
        RoundingDivider(lanes, width)
