# amaranth: UnusedElaboratable=no
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.output.hosted import identify
from golden.errors import TritweaveError
from golden.formats import PACKINGS
from golden.link.format import DONE, REFUSED, Command, Refusal
from golden.link.frames import Counters, Frame, State, image_number
from golden.link.payloads import run_payload
from rtl.engine.config import EngineConfig
from rtl.link.config import LinkConfig
from rtl.link.link import Link
from sim.pysim import Pauses
from support.conversations import CLOCK_HZ, CONFIG, Conversation, compute_on, image_of, loading
from support.link_model import DeviceModel, Load
from support.networks import PAUSES


def test_identify_says_what_the_device_is() -> None:
    talk = Conversation()
    (reply,) = talk.ask(Frame(77, Command.IDENTIFY))
    assert reply == Frame(77, Command.IDENTIFY | DONE, talk.identity.to_bytes() + bytes(7))
    talk = Conversation(last_input=3, image=0x12345678)
    (reply,) = talk.ask(Frame(78, Command.IDENTIFY))
    assert reply == Frame(78, Command.IDENTIFY | DONE, talk.identity.to_bytes() + bytes.fromhex("01 0000 78563412"))


@settings(max_examples=6)
@given(
    pausing=PAUSES, packing=st.sampled_from(sorted(PACKINGS)), lanes=st.sampled_from((1, 2, 6)), signed=st.booleans()
)
def test_an_image_is_loaded_and_run(pausing: Pauses, packing: str, lanes: int, signed: bool) -> None:
    config = EngineConfig(6, 12, lanes, 12, 8, 4, 2, 3, 5, packing, input_signed=signed)
    talk = Conversation(config, pauses=pausing)
    image = image_of(config, 3)
    vector = bytes(range(250, 250 - (image.program[0].last_input + 1) * lanes, -1))
    *loaded, run, counters = talk.ask(
        *loading(image, 80),
        Frame(9, Command.RUN, run_payload(image_number(image), vector, 1)),
        Frame(10, Command.COUNTERS),
    )
    assert {reply.command for reply in loaded} == {Command.BEGIN | DONE, Command.LOAD | DONE, Command.FINISH | DONE}
    assert talk.loads == [Load(*load) for load in image.loads()]
    assert talk.vectors == [vector]
    assert run == Frame(9, Command.RUN | DONE, np.array(compute_on(config)(vector), "<i4").tobytes())
    assert Counters.from_bytes(counters.payload)[:3] == (len(loaded) + 1, 0, 0)


def of(total: int, rest: bytes = b"") -> bytes:
    """A payload for what has that sum."""
    return total.to_bytes(4, "little") + rest


ALWAYS_REFUSED = [
    (Frame(1, Command.IDENTIFY, b"x"), Refusal.LENGTH),
    (Frame(2, Command.COUNTERS, bytes(200)), Refusal.LENGTH),
    (Frame(3, 0), Refusal.COMMAND),
    (Frame(4, 7, bytes(9)), Refusal.COMMAND),
    (Frame(5, Command.RUN | DONE), Refusal.COMMAND),
    (Frame(11, Command.RUN), Refusal.NOT_LOADED),
    (Frame(10, Command.RUN, b"\5\0\0"), Refusal.NOT_LOADED),
    *((Frame(8, Command.RUN, of(other, bytes(8))), Refusal.NOT_LOADED) for other in (6, 4, 5 << 24, 5 | 1 << 31)),
    (Frame(12, Command.BEGIN), Refusal.ORDER),
    (Frame(13, Command.BEGIN, of(6, bytes(32))), Refusal.ORDER),
    (Frame(14, Command.BEGIN, of(5, b"\1\0\0\0" + bytes(28))), Refusal.ORDER),
    (Frame(15, Command.BEGIN, of(5, b"\0\0\1\0" + bytes(28))), Refusal.ORDER),
    *((Frame(16, Command.BEGIN, of(5, bytes(size))), Refusal.LENGTH) for size in (0, 3, 4, 31, 33, 36)),
    (Frame(17, Command.LOAD), Refusal.ORDER),
    (Frame(18, Command.LOAD, of(6, bytes(12))), Refusal.ORDER),
    *((Frame(19, Command.LOAD, of(5, bytes((memory, 0, 0, high)) + bytes(8))), Refusal.ORDER)
      for memory, high in ((3, 0), (7, 0), (0, 1), (2, 128))),
    (Frame(25, Command.FINISH), Refusal.ORDER),
    (Frame(26, Command.FINISH, of(4)), Refusal.ORDER),
    (Frame(27, Command.FINISH, of(5, b"\0")), Refusal.LENGTH),
    (Frame(29, Command.LOAD, bytes(4 + 8 * 40)), Refusal.LONG),
]  # fmt: skip

REFUSED_FRAMES = [
    *ALWAYS_REFUSED,
    *((Frame(7, Command.RUN, of(5, bytes(size))), Refusal.LENGTH) for size in (0, 1, 6, 7, 9, 10, 12, 16)),
    # An image that is whole does not go on.
    (Frame(20, Command.LOAD, of(5, bytes(12))), Refusal.ORDER),
]
"""What a device with an image that takes 8 bytes, number 5, refuses."""

BROKEN_OFF = [
    *ALWAYS_REFUSED,
    (Frame(9, Command.RUN, of(5, bytes(8))), Refusal.NOT_LOADED),
    *((Frame(21, Command.LOAD, of(5, bytes(size))), Refusal.LENGTH) for size in (0, 3, 4, 8, 11, 13, 16)),
    *((Frame(22, Command.LOAD, of(5, bytes((memory, address, 0, 0)) + bytes(8 * words))), Refusal.RANGE)
      for memory, address, words in ((0, 0, 3), (0, 1, 2), (0, 2, 1), (1, 0, 4), (1, 3, 1), (2, 5, 1), (2, 0, 6))),
]  # fmt: skip
"""What a device refuses that has loaded so much of an image that its sum is 5."""


def test_a_refused_frame_changes_nothing() -> None:
    talk = Conversation(last_input=3, image=5)
    replies = talk.ask(
        *(frame for frame, _ in REFUSED_FRAMES), Frame(99, Command.IDENTIFY), Frame(98, Command.COUNTERS)
    )
    for reply, (frame, reason) in zip(replies, REFUSED_FRAMES, strict=False):
        assert reply == Frame(frame.sequence, REFUSED, bytes([reason]))
    assert replies[-2].payload[-7:] == b"\1\0\0\5\0\0\0"
    assert Counters.from_bytes(replies[-1].payload) == (1, len(REFUSED_FRAMES), 0, 0)
    assert (talk.loads, talk.vectors) == ([], [])


def test_a_refused_frame_does_not_disturb_a_load() -> None:
    begin, first, *rest = loading(image_of(CONFIG, 4, last_input=3), 24)
    # What the first part of an image makes of the sum, in place of 5.
    total = rest[0].payload[:4]
    refused = [(frame, reason) for frame, reason in BROKEN_OFF if frame.command != Command.BEGIN]
    wrong = [
        frame._replace(payload=total + frame.payload[4:]) if frame.payload[:4] == of(5) else frame
        for frame, _ in refused
    ]
    talk = Conversation()
    replies = talk.ask(begin, first, *wrong, *rest)
    assert [reply.payload for reply in replies[2 : 2 + len(wrong)]] == [bytes([reason]) for _, reason in refused]
    assert {reply.command for reply in replies[2 + len(wrong) :]} == {Command.LOAD | DONE, Command.FINISH | DONE}
    assert talk.loads == [Load(*load) for load in image_of(CONFIG, 4, last_input=3).loads()]


@pytest.mark.parametrize(("loaded", "frames"), [(True, REFUSED_FRAMES), (False, BROKEN_OFF)])
def test_the_model_refuses_the_same(loaded: bool, frames: list[tuple[Frame, Refusal]]) -> None:
    model = DeviceModel(CONFIG, identify(CONFIG, CLOCK_HZ), compute_on(CONFIG), loaded=loaded, last_input=3, image=5)
    for frame, reason in frames:
        assert model.reply(frame.to_bytes()[:-1]) == Frame(frame.sequence, REFUSED, bytes([reason]))


def test_a_frame_of_another_image_or_of_an_older_load_is_refused() -> None:
    # The sequence that once made the weights of one image answer as another: old frames arrive, whole and valid.
    first, second = (image_of(CONFIG, seed, last_input=3) for seed in (1, 2))
    a = loading(first, 24)
    b = loading(second, 24, state=State(1, 1, image_number(first)))
    again = loading(first, 24, state=State(1, 2, image_number(second)))
    run = Frame(7, Command.RUN, run_payload(image_number(second), bytes(8), 1))
    talk = Conversation()
    right = {Command.BEGIN | DONE, Command.LOAD | DONE, Command.FINISH | DONE, Command.RUN | DONE}
    parts = [(a, right), (b[:4], right), (a, {REFUSED}), (b[4:-1], right), (a, {REFUSED}), (b[-1:], right),
             (a, {REFUSED}), ([run], right), (again, right)]  # fmt: skip
    replies = talk.ask(*(frame for part, _ in parts for frame in part))
    left = iter(replies)
    for part, kinds in parts:
        assert {next(left).command for _ in part} <= kinds
    assert {reply.payload for reply in replies if reply.command == REFUSED} == {bytes([Refusal.ORDER])}
    assert talk.loads == [Load(*load) for image in (first, second, first) for load in image.loads()]


def test_what_was_written_twice_or_left_out_is_not_finished() -> None:
    image = image_of(CONFIG, 4, last_input=3)
    begin, *loads, finish = loading(image, 24)
    talk = Conversation()
    replies = talk.ask(begin, finish, loads[0], loads[0], loads[2], finish, *loads[1:], finish, finish)
    refused = [index for index, reply in enumerate(replies) if reply.command == REFUSED]
    assert refused == [1, 3, 4, 5]


def test_no_reset_leaves_a_sum_without_its_words() -> None:
    image = image_of(CONFIG, 4, last_input=3)
    begin, first, second, third, *_ = loading(image, 24)
    frames = [begin, first, second, Frame(9, Command.IDENTIFY)]
    chunks = [[(byte, 0) for byte in frame.to_bytes()] for frame in frames]
    found = set()
    for reset in range(1240, 1840, 50):
        talk = Conversation(reset=reset)
        total = Frame.from_bytes(talk.talk(chunks, patience=700)[-1]).payload[-4:]
        # Of two words each.
        words = {second.payload[:4]: 2, third.payload[:4]: 4}.get(total, 0)
        expected = [Load(*load) for load in image.loads()][: 2 * words]
        assert talk.loads[: 2 * words] == expected
        found.add(words)
    assert found == {0, 2, 4}


def test_nothing_runs_before_an_image_is_finished() -> None:
    talk = Conversation()
    image = image_of(CONFIG, 4, last_input=3)
    frames = loading(image)
    run = Frame(50, Command.RUN, run_payload(image_number(image), bytes(8), 1))
    begin, *_ = loading(image, state=State(1, 1, image_number(image)))
    replies = talk.ask(run, frames[0], run, *frames[1:-1], run, frames[-1], run, begin, run)
    refused = [index for index, reply in enumerate(replies) if reply.command == REFUSED]
    assert refused == [0, 2, len(frames) + 1, len(frames) + 5]
    assert {replies[index].payload for index in refused} == {bytes([Refusal.NOT_LOADED])}


def test_an_engine_without_a_load_port_says_so() -> None:
    config = EngineConfig(4, 6, 2, 12, 8, 4, 2, 3, 5, "3t5b", writable=False)
    talk = Conversation(config, last_input=0, image=1)
    image = image_of(config, 1)
    replies = talk.ask(*loading(image)[-2:], Frame(3, Command.RUN, run_payload(1, bytes([3, 4]), 1)))
    assert [reply.payload for reply in replies[:2]] == [bytes([Refusal.READ_ONLY])] * 2
    assert replies[2].command == Command.RUN | DONE


@pytest.mark.parametrize("results", [0, 1])
def test_an_engine_that_gives_no_result_is_reset(results: int) -> None:
    talk = Conversation(results=results, last_input=3, image=1)
    run = Frame(3, Command.RUN, run_payload(1, bytes(8), 1))
    patience = 2 ** LinkConfig(CONFIG).patience
    replies = talk.talk([[(byte, 0) for byte in run.to_bytes()]] * 2, patience=2 * patience)
    assert [Frame.from_bytes(reply) for reply in replies] == [Frame(3, REFUSED, bytes([Refusal.STUCK]))] * 2
    assert len(talk.resets) == 2
    assert talk.resets[1] - talk.resets[0] >= patience


def test_a_run_fits_into_the_patience() -> None:
    talk = Conversation(pauses=lambda cycle: cycle % 7 != 0, last_input=5, image=1)
    _, counters = talk.ask(Frame(3, Command.RUN, run_payload(1, bytes(12), 1)), Frame(4, Command.COUNTERS))
    assert 24 < Counters.from_bytes(counters.payload).cycles < 2 ** LinkConfig(CONFIG).patience / 2
    assert not talk.resets


def test_a_long_result_fits_into_the_patience() -> None:
    config = EngineConfig(4, 6, 1, 12, 8, 300, 1, 1, 1, "3t5b")
    talk = Conversation(config, last_input=0, image=1)
    frames = Frame(3, Command.RUN, run_payload(1, b"x", 1)), Frame(4, Command.COUNTERS)
    run, counters = talk.ask(*frames, patience=30_000)
    assert len(run.payload) == 1200
    assert Counters.from_bytes(counters.payload).cycles < 2 ** LinkConfig(config).patience / 2


def test_an_engine_that_takes_no_image_is_reset_and_the_load_begins_anew() -> None:
    talk = Conversation(pauses=lambda cycle: True, last_input=3, image=1)
    begin, first, *_ = loading(image_of(CONFIG, 1), state=State(1, 0, 1))
    patience = 2 ** LinkConfig(CONFIG).patience
    frames = begin, first, Frame(2, Command.IDENTIFY)
    chunks = [[(byte, 0) for byte in frame.to_bytes()] for frame in frames]
    _, reply, identity = map(Frame.from_bytes, talk.talk(chunks, patience=2 * patience))
    assert reply == Frame(1, REFUSED, bytes([Refusal.STUCK]))
    assert len(talk.resets) == 1
    assert State.from_bytes(identity.payload[-7:]) == (0, 1, 0)


def test_a_reset_forgets_the_request_and_keeps_the_image() -> None:
    frames = [Frame(1, Command.COUNTERS), Frame(2, Command.IDENTIFY), Frame(3, Command.IDENTIFY)]
    talk = Conversation(reset=560, last_input=3, image=7)
    replies = talk.talk([[(byte, 0) for byte in frame.to_bytes()] for frame in frames])
    assert Frame.from_bytes(replies[0]).command == Command.COUNTERS | DONE
    assert replies[1] == b""
    assert Frame.from_bytes(replies[2]).payload[-7:] == b"\1\0\0\7\0\0\0"


@st.composite
def requests(draw: st.DrawFn) -> list[tuple[int, int]]:
    """A chunk for the line: mostly right, or about right, or damaged."""
    image = image_of(CONFIG, draw(st.integers(0, 1)))
    state = State(draw(st.integers(0, 1)), draw(st.integers(0, 2)), draw(st.sampled_from((0, 9, image_number(image)))))
    frames = [*loading(image, draw(st.sampled_from((24, 44, 256))), state=state), Frame(0, 1), Frame(0, 2)]
    size = 2 * draw(st.integers(1, 6))
    vector = bytes(draw(st.integers(0, 255)) for _ in range(size))
    frames += [Frame(0, Command.RUN, run_payload(draw(st.sampled_from((9, image_number(image)))), vector, 1))] * 4
    frame = draw(st.sampled_from(frames))._replace(sequence=draw(st.integers(0, 255)))
    coded = bytearray(frame.to_bytes()[:-1])
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        at = draw(st.integers(0, len(coded) - 1))
        coded[at] = draw(st.integers(1, 255))
    line = [(byte, 0) for byte in coded]
    if draw(st.sampled_from((False,) * 9 + (True,))):
        at = draw(st.integers(0, len(line) - 1))
        line[at] = (line[at][0], 1)
    return [*line, (0, 0)]


@settings(max_examples=12)
@given(data=st.data(), pausing=PAUSES, built_in=st.booleans())
def test_any_conversation_goes_as_the_model_says(data: st.DataObject, pausing: Pauses, built_in: bool) -> None:
    chunks: list[list[tuple[int, int]]] = []
    for frame in loading(image_of(CONFIG, 0), 256) if data.draw(st.booleans()) else []:
        chunks.append([(byte, 0) for byte in frame.to_bytes()])
    chunks += data.draw(st.lists(requests(), min_size=3, max_size=14))
    initial: dict[str, Any] = {"last_input": 2, "image": 9} if built_in else {}
    talk = Conversation(pauses=pausing, **initial)
    replies = talk.talk(chunks)
    for chunk, reply in zip(chunks, replies, strict=True):
        expected = talk.model.reply(bytes(byte for byte, _ in chunk[:-1]), broken=any(error for _, error in chunk))
        seen = Frame.from_bytes(reply)
        if expected.command == Command.COUNTERS | DONE:
            seen = seen._replace(payload=seen.payload[:6] + bytes(4))
        assert seen == expected
    assert talk.loads == talk.model.loads
    assert talk.vectors == talk.model.vectors


def test_an_identity_of_another_length_is_named() -> None:
    with pytest.raises(TritweaveError, match="link: identity has 40 bytes; it has 45"):
        Link(LinkConfig(CONFIG), bytes(40))
