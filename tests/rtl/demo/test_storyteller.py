# amaranth: UnusedElaboratable=no
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.language.sampler import state_of
from rtl.demo.speller import Speller
from rtl.demo.storyteller import Storyteller
from rtl.link.uart import UartConfig
from sim.pysim import Bench, Driver, Pauses
from support.networks import PAUSES
from support.stand_in_decoder import CONFIG, StandInDecoder, expected

START, ENDS, TEMPERATURE = 2, (2, 5), (130, -7)
SPELT = [b"", b"b", b"\r\n", b"ddd", b"e ", *(bytes([65 + token]) * (token % 3) for token in range(5, 11))]
UART = UartConfig(4_000_000, 1_000_000)
PAUSE, LIT = 7, 0b101


@settings(max_examples=10)
@given(
    spelt=st.lists(st.binary(max_size=3), min_size=2, max_size=9).filter(any),
    seed=st.integers(0, 99),
    pauses=st.tuples(PAUSES, PAUSES),
)
def test_a_tokens_bytes_come_one_after_another(spelt: list[bytes], seed: int, pauses: tuple[Pauses, Pauses]) -> None:
    tokens = [(seed * place + place // 3) % len(spelt) for place in range(12)]
    text = b"".join(spelt[token] for token in tokens)
    speller = Speller(spelt)
    bench = Bench(speller)
    bench.send(speller.i, tokens, pauses[0])
    found = bench.collect(speller.o, len(text), pauses[1])
    bench.run()
    assert bytes(transfer.payload for transfer in found) == text


def storyteller(**changed: Any) -> Storyteller:
    """One around the stand-in."""
    parameters: dict[str, Any] = {
        "spelt": SPELT, "start": START, "ends": ENDS, "temperature": TEMPERATURE, "uart": UART, "pause": PAUSE,
        "display": 4, "lit": LIT,
    }  # fmt: skip
    return Storyteller(StandInDecoder(), **(parameters | changed))


def told(cycles: int, key: int = -1) -> tuple[bytes, list[int], list[int]]:
    """What comes over the line, its levels a cycle, and the display."""
    component = storyteller()
    bench = Bench(component, limit=cycles + 10)

    def driver() -> Driver:
        for cycle in range(cycles):
            yield {"rx": cycle != key}

    trace = bench.play(driver(), "tx", "display")
    bench.run()
    levels, text, at = [step["tx"] for step in trace], bytearray(), 0
    while at + 10 * 4 < len(levels):
        if levels[at]:
            at += 1
            continue
        bits = [levels[at + 4 * bit + 2] for bit in range(10)]
        assert (bits[0], bits[9]) == (0, 1)
        text.append(sum(bit << place for place, bit in enumerate(bits[1:9])))
        at += 4 * 10 - 2
    return bytes(text), levels, [step["display"] for step in trace]


def story(seed: int) -> bytes:
    """The story of a seed."""
    bits = TEMPERATURE[0] | (TEMPERATURE[1] & 0x1FF) << CONFIG.form.scale_bits
    made, _ = expected(CONFIG, [START], ENDS, 0, bits, state_of(seed))
    return b"".join(SPELT[token] for token in (*made, START))


def test_stories_follow_each_other_and_differ() -> None:
    text, _, display = told(9000)
    stories = [story(2 * PAUSE * number) for number in range(60)]
    assert text.startswith(b"".join(stories[:4]))
    assert b"".join(stories).startswith(text)
    assert len(set(stories[:4])) > 1
    assert set(display) == {0, LIT}


def test_a_byte_that_comes_in_begins_a_story_at_once() -> None:
    _, _, display = told(3000)
    changes = [cycle for cycle in range(1, len(display)) if display[cycle] != display[cycle - 1]]
    end = next(cycle for cycle in changes if display[cycle] == 0)
    resting = 4
    text, _, display = told(9000, key=end + resting - 1 - Storyteller.SYNCHRONISED)
    assert text.startswith(story(0) + story(2 * resting) + story(2 * (resting + PAUSE)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pause": 1}, "pause is 1; it must be an integer from 2"),
        ({"ends": range(5)}, "5 tokens end a story; it can tell 4 apart"),
        ({"start": 0}, "token 0, the start, has no bytes; they part the stories"),
    ],
)
def test_bad_parameters_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^storyteller: {message}"):
        storyteller(**changed)


def test_a_table_without_bytes_is_refused() -> None:
    with pytest.raises(TritweaveError, match="none of the 3 tokens has a byte"):
        Speller([b""] * 3)
