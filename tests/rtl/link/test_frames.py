# amaranth: UnusedElaboratable=no
import zlib
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.link.format import HEADER_BYTES, VERSION, Refusal
from golden.link.frames import Frame, FrameDamaged, cobs_decode, cobs_encode
from rtl.crc32 import Crc32
from rtl.link.frame_receiver import FrameReceiver
from rtl.link.frame_sender import FrameSender
from sim.pysim import Bench, Driver, Pauses, steps, trace
from support.networks import PAUSES

PAYLOAD = 300
CONTENT = st.one_of(
    st.binary(max_size=24),
    st.lists(st.sampled_from((0, 1, 254, 255)), max_size=16).map(bytes),
    st.builds(lambda size, at: bytes(at) + bytes([7]) * size, st.integers(240, 260), st.integers(0, 3)),
)
FRAMES = st.builds(Frame, st.integers(0, (1 << 32) - 1), st.integers(0, 255), CONTENT, st.just(VERSION))


class Held(NamedTuple):
    """What the receiver said of a frame, and the payload that was read from it."""

    refusal: int
    frame: Frame | None = None


def every(cycles: int) -> Pauses:
    """A byte in so many cycles."""
    return lambda cycle: cycle % cycles != 0


def receive(line: list[tuple[int, int]], holding: int = 0, distance: int = Crc32.LATENCY) -> tuple[list[Held], int]:
    """What a receiver makes of bytes and their errors, if it holds each frame that long; and the frames it lost."""
    receiver = FrameReceiver(PAYLOAD)
    bench = Bench(receiver, limit=100_000)
    held: list[Held] = []
    lost = 0

    def read() -> Driver:
        nonlocal lost
        quiet = 0
        while quiet < 20:
            seen = yield {"release": 0}
            quiet = quiet + 1 if len(sent) == len(line) and not seen["held"] else 0
            lost += seen["lost"]
            if not seen["held"]:
                continue
            content, header = bytearray(), seen["header"]
            for address in range(seen["end"] if not seen["refusal"] else 0):
                for _ in range(2):
                    seen = yield {"address": address}
                    lost += seen["lost"]
                content.append(seen["data"])
            for _ in range(holding):
                seen = yield {}
                lost += seen["lost"]
            frame = None
            if not seen["refusal"]:
                assert [header["version"], header["command"]] == list(content[:2])
                sequence = int.from_bytes(content[2:HEADER_BYTES], "little")
                frame = Frame(sequence, header["command"], bytes(content[HEADER_BYTES:]), header["version"])
            held.append(Held(seen["refusal"], frame))
            seen = yield {"release": 1}
            lost += seen["lost"]

    bench.play(read(), "held", "refusal", "header", "end", "data", "lost")
    sent = bench.send(receiver.i, [{"data": byte, "error": error} for byte, error in line], every(distance))
    bench.run()
    return held, lost


def as_line(*chunks: bytes) -> list[tuple[int, int]]:
    return [(byte, 0) for chunk in chunks for byte in chunk]


@settings(max_examples=15)
@given(frames=st.lists(FRAMES, min_size=1, max_size=3), distance=st.integers(9, 12), empty=st.integers(0, 2))
def test_whole_frames_come_out_as_they_were_made(frames: list[Frame], distance: int, empty: int) -> None:
    for frame in frames:
        held, lost = receive(as_line(bytes(empty), frame.to_bytes(), bytes(empty)), distance=distance)
        assert (held, lost) == ([Held(0, frame)], 0)


@settings(max_examples=40)
@given(
    frame=FRAMES.filter(lambda frame: len(frame.payload) < 30),
    damage=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255), st.sampled_from("xdi"))),
)
def test_damage_is_found_and_the_next_frame_is_not_touched(frame: Frame, damage: list[tuple[int, int, str]]) -> None:
    coded = bytearray(frame.to_bytes()[:-1])
    for at, value, kind in damage:
        at %= len(coded) + 1
        if kind == "x" and at < len(coded):
            coded[at] ^= value
        elif kind == "d":
            del coded[at : at + 1]
        elif kind == "i":
            coded.insert(at, value)
    expected = []
    for chunk in bytes(coded).split(b"\0"):
        try:
            if chunk:
                expected.append(Held(0, Frame.from_bytes(chunk)))
        except FrameDamaged:
            expected.append(Held(Refusal.DAMAGED))
    intact = Frame(9, 5, b"intact")
    held, lost = receive(as_line(bytes(coded), b"\0", intact.to_bytes()), distance=60)
    assert (held, lost) == ([*expected, Held(0, intact)], 0)


def test_a_byte_with_an_error_damages_its_frame_only() -> None:
    frames = [Frame(number, 1) for number in (1, 2, 3)]
    line = as_line(*(frame.to_bytes() for frame in frames))
    place = len(frames[0].to_bytes()) + 2
    line[place] = (line[place][0], 1)
    held, lost = receive(line, distance=40)
    assert (held, lost) == ([Held(0, frames[0]), Held(Refusal.DAMAGED), Held(0, frames[2])], 0)


def test_a_delimiter_with_an_error_ends_nothing() -> None:
    line = [*as_line(Frame(1, 1).to_bytes()[:-1]), (0, 1), *as_line(b"\0", Frame(2, 1).to_bytes())]
    held, _ = receive(line, distance=40)
    assert held == [Held(Refusal.DAMAGED), Held(0, Frame(2, 1))]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (bytes(4), Refusal.SHORT),
        (b"\1\2\3" + b"\xc0" * 3, Refusal.DAMAGED),
        (b"", Refusal.DAMAGED),
    ],
    ids=["the CRC-32 of nothing", "six bytes", "nothing"],
)
def test_a_frame_without_room_for_header_and_crc_is_refused(content: bytes, refusal: Refusal) -> None:
    assert receive(as_line(cobs_encode(content), b"\0")) == ([Held(refusal)], 0)


@pytest.mark.parametrize(
    ("size", "refusal"), [(PAYLOAD, 0), *((PAYLOAD + more, Refusal.LONG) for more in (1, 2, 2 * PAYLOAD))]
)
def test_only_frames_up_to_the_limit_are_taken(size: int, refusal: int) -> None:
    coded = Frame(1, 2, b"u" * size).to_bytes()
    (held,), _ = receive(as_line(coded))
    assert held.refusal == refusal
    (held,), _ = receive(as_line(coded[:200], b"v", coded[201:]))
    assert held.refusal == Refusal.DAMAGED


def test_what_comes_while_a_frame_is_held_is_lost_and_counted() -> None:
    frames = [Frame(number, 1, bytes([number])) for number in range(1, 6)]
    line = as_line(*(frame.to_bytes() for frame in frames))
    size = len(frames[0].to_bytes())
    # The first one is held until the fourth is under way, which is therefore damaged.
    held, lost = receive(line, holding=9 * (2 * size + size // 2 - 2))
    # The damaged one is held as long and costs the fifth.
    assert (held, lost) == ([Held(0, frames[0]), Held(Refusal.DAMAGED)], 3)


@settings(max_examples=15)
@given(
    frames=st.lists(FRAMES, min_size=1, max_size=3),
    sending=PAUSES,
    taking=PAUSES,
)
def test_frames_are_sent_as_golden_codes_them(frames: list[Frame], sending: Pauses, taking: Pauses) -> None:
    sender = FrameSender(PAYLOAD)
    bench = Bench(sender, limit=50_000)
    contents = [cobs_decode(frame.to_bytes()[:-1])[:-4] for frame in frames]
    bench.send(
        sender.i,
        [{"data": byte, "last": at == len(content)} for content in contents for at, byte in enumerate(content, 1)],
        sending,
    )
    expected = b"".join(frame.to_bytes() for frame in frames)
    taken = bench.collect(sender.o, len(expected), taking)
    bench.run()
    assert bytes(byte.payload for byte in taken) == expected


def test_a_reply_takes_the_stated_time() -> None:
    sender = FrameSender(PAYLOAD)
    bench = Bench(sender)
    sent = bench.send(sender.i, [{"data": byte, "last": byte == 9} for byte in range(10)])
    taken = bench.collect(sender.o, 16)
    bench.run()
    assert taken[0].cycle - sent[-1].cycle == 15
    assert {after.cycle - before.cycle for before, after in pairwise(taken)} == {2}


@pytest.mark.parametrize("moment", range(37, 48))
def test_an_aborted_frame_leaves_nothing(moment: int) -> None:
    sender = FrameSender(PAYLOAD)
    bench = Bench(sender)
    frame = Frame(1, 2, b"\0right")
    content = cobs_decode(frame.to_bytes()[:-1])[:-4]
    wrong = [{"data": byte, "last": 0} for byte in b"wr\0ng"]
    right = [{"data": byte, "last": at == len(content)} for at, byte in enumerate(content, 1)]
    sent = bench.send(sender.i, wrong + right, lambda cycle: len(sent) == len(wrong) and cycle <= moment)
    bench.play(steps({"abort": cycle == moment} for cycle in range(moment + 2)))
    taken = bench.collect(sender.o, len(frame.to_bytes()))
    bench.run()
    # The last wrong byte was still being added to the CRC-32 in the first of these moments.
    assert sent[len(wrong) - 1].cycle == 36
    assert bytes(byte.payload for byte in taken) == frame.to_bytes()


@pytest.mark.parametrize("component", [FrameReceiver, FrameSender])
def test_payloads_have_limits(component: type) -> None:
    with pytest.raises(TritweaveError, match=r"payload is 0; it must be an integer from 1 to 1048576"):
        component(0)


@settings(max_examples=25)
@given(content=st.binary(min_size=1, max_size=12))
def test_the_crc_is_that_of_zlib(content: bytes) -> None:
    crc = Crc32()
    seen = zlib.crc32(content).to_bytes(4, "little")
    inputs: list[dict[str, Any]] = [{"start": 1}]
    for byte in content + seen:
        inputs += [{"start": 0, "valid": 1, "data": byte}, *[{"valid": 0, "data": byte ^ 255}] * (Crc32.LATENCY - 1)]
    states = trace(crc, steps([*inputs, {}]), "busy", "crc", "match")
    ends = states[1 + Crc32.LATENCY :: Crc32.LATENCY]
    assert [state["crc"] for state in ends[: len(content)]] == [
        zlib.crc32(content[: length + 1]) for length in range(len(content))
    ]
    assert [state["match"] for state in ends] == [0] * (len(ends) - 1) + [1]
    assert not any(state["busy"] for state in ends)
