# amaranth: UnusedElaboratable=no
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from rtl.link.uart import UartConfig, UartReceiver, UartTransmitter
from sim.pysim import Bench, Driver, Pauses, steps
from support.networks import PAUSES

RATIOS = [(4, 1), (9, 2), (5, 1), (16, 3), (8, 1), (27_000_000, 1_000_000), (12_000_000, 115_200)]


def bits(content: list[int], stops: list[bool] | None = None, gap: int = 1) -> list[int]:
    """Line levels, one a bit, idle before, after and for `gap` bits behind each byte's stop bit."""
    levels = [1]
    for index, byte in enumerate(content):
        levels += [0, *(byte >> bit & 1 for bit in range(8)), stops[index] if stops else 1, *[1] * gap]
    return [*levels, 1, 1]


def on_line(levels: list[int], cycles_a_bit: Fraction, shift: Fraction = Fraction(0)) -> list[int]:
    """The line's level in each cycle, the first bit longer by `shift` cycles."""
    length = int(len(levels) * cycles_a_bit + shift)
    return [levels[max(0, int((cycle - shift) / cycles_a_bit))] for cycle in range(length)]


def received(config: UartConfig, line: list[int]) -> list[tuple[int, int]]:
    """What the receiver makes of a line: bytes, and whether they have an error."""
    receiver = UartReceiver(config)
    bench = Bench(receiver, limit=len(line) + 1)
    seen = bench.play(steps({"rx": level} for level in line), "o.valid", "o.payload")
    bench.run()
    return [(cycle["o.payload"]["data"], cycle["o.payload"]["error"]) for cycle in seen if cycle["o.valid"]]


@settings(max_examples=40)
@given(
    ratio=st.sampled_from(RATIOS[:-1]),
    skew=st.sampled_from((-20, -7, 0, 7, 20)),
    shift=st.integers(0, 7),
    gap=st.integers(0, 2),
    content=st.lists(st.integers(0, 255), min_size=1, max_size=6),
)
def test_bytes_are_received_at_any_ratio_and_two_percent_off(
    ratio: tuple[int, int], skew: int, shift: int, gap: int, content: list[int]
) -> None:
    cycles = Fraction(*ratio) * (1000 + skew) / 1000
    line = on_line(bits(content, gap=gap), cycles, Fraction(shift, 8))
    assert received(UartConfig(*ratio), line) == [(byte, 0) for byte in content]


@pytest.mark.parametrize("ratio", RATIOS, ids=str)
def test_every_byte_is_received(ratio: tuple[int, int]) -> None:
    content = list(range(256)) if ratio[0] < 10 * ratio[1] else [0, 255, 0x55, 0xAA]
    line = on_line(bits(content, gap=0), Fraction(*ratio))
    assert received(UartConfig(*ratio), line) == [(byte, 0) for byte in content]


def test_a_missing_stop_bit_is_an_error_and_the_next_byte_is_not() -> None:
    line = on_line(bits([0x41, 0x42, 0x43], [True, False, True]), Fraction(8))
    assert received(UartConfig(8, 1), line) == [(0x41, 0), (0x42, 1), (0x43, 0)]


def test_a_break_is_one_error_however_long() -> None:
    line = [1] * 8 + [0] * 400 + on_line(bits([0x5A]), Fraction(8))
    assert received(UartConfig(8, 1), line) == [(0, 1), (0x5A, 0)]


def test_a_start_bit_of_less_than_half_a_bit_is_noise() -> None:
    line = [1] * 20 + [0] * 6 + [1] * 20 + on_line(bits([0xA5]), Fraction(16))
    assert received(UartConfig(16, 1), line) == [(0xA5, 0)]


@settings(max_examples=20)
@given(
    ratio=st.sampled_from(RATIOS[:-1]),
    content=st.lists(st.integers(0, 255), min_size=1, max_size=5),
    pausing=PAUSES,
)
def test_bits_are_sent_on_time(ratio: tuple[int, int], content: list[int], pausing: Pauses) -> None:
    transmitter = UartTransmitter(UartConfig(*ratio))
    bench = Bench(transmitter, limit=5000)
    sent = bench.send(transmitter.i, content, pausing)
    cycles_a_bit = Fraction(*ratio)

    def watch() -> Driver:
        for _ in range(int(len(content) * 10 * cycles_a_bit) + 200):
            yield {}

    seen: list[dict[str, Any]] = bench.play(watch(), "tx")
    bench.run()
    line = [cycle["tx"] for cycle in seen]
    for start, byte in sent:
        expected = [0, *(byte >> bit & 1 for bit in range(8)), 1]
        for index, level in enumerate(expected):
            # Every edge is within a cycle of its time, so whatever lies a cycle inside is the bit.
            begin, end = start + 1 + index * cycles_a_bit, start + 1 + (index + 1) * cycles_a_bit
            assert set(line[int(begin) + 2 : int(end)]) <= {level}
            assert line[int(begin + cycles_a_bit / 2)] == level
    assert set(line[sent[-1].cycle + 3 + int(10 * cycles_a_bit) :]) == {1}
    assert line[0] == 1


@pytest.mark.parametrize("ratio", RATIOS, ids=str)
def test_bytes_follow_each_other_at_the_rate(ratio: tuple[int, int]) -> None:
    transmitter = UartTransmitter(UartConfig(*ratio))
    bench = Bench(transmitter, limit=10_000)
    sent = bench.send(transmitter.i, [0x55] * 6)
    bench.run()
    for before, after in pairwise(sent):
        assert 0 <= after.cycle - before.cycle - 10 * Fraction(*ratio) <= 3


@pytest.mark.parametrize("ratio", [*RATIOS, (100_000_000, 9600), (1 << 40, 300)], ids=str)
def test_the_rate_is_right_to_a_twentieth_of_a_percent(ratio: tuple[int, int]) -> None:
    config = UartConfig(*ratio)
    assert abs(Fraction(config.step, 2**config.width) * Fraction(*ratio) - 1) <= Fraction(1, 2000)


@pytest.mark.parametrize(
    ("clock", "baud", "message"),
    [
        (3, 1, "baud is 1 at a clock of 3 Hz; it must be at most 0"),
        (12_000_000, 3_000_001, "baud is 3000001 at a clock of 12000000 Hz; it must be at most 3000000"),
        (12_000_000, 0, "baud is 0; it must be an integer from 1"),
        (1 << 41, 9600, "clock_hz is"),
    ],
)
def test_rates_that_do_not_work_are_named(clock: int, baud: int, message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        UartConfig(clock, baud)
