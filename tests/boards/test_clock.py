import pytest

from boards.catalogue import BOARDS
from boards.clock import Ecp5Pll, Ice40Pll, choose_pll
from golden.errors import TritweaveError


@pytest.mark.parametrize(
    ("family", "input_mhz", "output_mhz", "expected"),
    [
        # What icepll and ecppll print for the same frequencies.
        ("ice40", 12, 18, Ice40Pll(12_000_000, 0, 47, 5)),
        ("ice40", 12, 24, Ice40Pll(12_000_000, 0, 63, 5)),
        ("ice40", 12, 48, Ice40Pll(12_000_000, 0, 63, 4)),
        ("ecp5", 25, 50, Ecp5Pll(25_000_000, 1, 2, 12)),
    ],
)
def test_the_settings_are_the_vendors(
    family: str, input_mhz: int, output_mhz: int, expected: Ice40Pll | Ecp5Pll
) -> None:
    assert choose_pll(family, input_mhz * 1_000_000, output_mhz * 1_000_000) == expected


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_gets_exactly_its_clock_within_the_limits(name: str) -> None:
    board = BOARDS[name]
    input_hz = board.pins().clock_hz
    pll = choose_pll(board.device.family, input_hz, board.clock_hz, pad=board.pll_pad)
    if pll is None:
        assert input_hz == board.clock_hz
    else:
        assert pll.legal
        assert (pll.input_hz, pll.output_hz) == (input_hz, board.clock_hz)


def test_settings_beyond_any_limit_are_not_legal() -> None:
    assert Ice40Pll(12_000_000, 0, 47, 5).legal
    assert Ice40Pll(16_000_000, 0, 63, 6).legal
    for beyond in (
        Ice40Pll(9_000_000, 0, 63, 4),  # the input
        Ice40Pll(12_000_000, 1, 127, 5),  # the phase detector
        Ice40Pll(12_000_000, 0, 43, 5),  # the oscillator
        Ice40Pll(12_000_000, 0, 63, 6),  # the output
    ):
        assert not beyond.legal
    assert Ecp5Pll(25_000_000, 1, 2, 8).legal
    assert Ecp5Pll(25_000_000, 1, 2, 16).legal
    assert Ecp5Pll(25_000_000, 2, 1, 64).legal
    for beyond in (
        Ecp5Pll(7_000_000, 1, 10, 8),
        Ecp5Pll(25_000_000, 3, 6, 12),
        Ecp5Pll(25_000_000, 1, 2, 7),
        Ecp5Pll(25_000_000, 1, 2, 17),
        Ecp5Pll(25_000_000, 1, 17, 1),
    ):
        assert not beyond.legal


@pytest.mark.parametrize(
    ("phase_mhz", "expected"), [(10, 1), (16.9, 1), (17, 2), (25, 2), (26, 3), (44, 4), (66, 5), (100, 5), (101, 6)]
)
def test_the_filter_follows_the_phase_detector(phase_mhz: float, expected: int) -> None:
    assert Ice40Pll(round(phase_mhz * 1e6), 0, 63, 4).filter_range == expected


@pytest.mark.parametrize(
    ("family", "input_hz", "output_hz", "message"),
    [
        ("ice40", 12_000_000, 20_000_000, r"does not make 20 MHz of 12 MHz; .* are 19.5, .*20.25"),
        ("ice40", 8_000_000, 24_000_000, "does not make 24 MHz of 8 MHz; the nearest it makes are none MHz"),
        ("ecp5", 25_000_000, 500_000_000, "does not make 500 MHz of 25 MHz; .*400 MHz"),
    ],
)
def test_a_clock_that_cannot_be_made_is_named(family: str, input_hz: int, output_hz: int, message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        choose_pll(family, input_hz, output_hz)
