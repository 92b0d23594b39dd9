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
from golden.link.frames import Counters, Frame, image_number, run_payload
from rtl.engine.config import EngineConfig
from rtl.link.config import LinkConfig
from rtl.link.reply import LinkReply
from sim.pysim import Pauses
from support.conversations import CLOCK_HZ, CONFIG, Conversation, compute_on, image_of, loading
from support.link_model import DeviceModel, Load
from support.networks import PAUSES


def test_identify_says_what_the_device_is() -> None:
    talk = Conversation()
    (reply,) = talk.ask(Frame(77, Command.IDENTIFY))
    assert reply == Frame(77, Command.IDENTIFY | DONE, talk.identity.to_bytes() + bytes(5))
    talk = Conversation(last_input=3, image=0x12345678)
    (reply,) = talk.ask(Frame(78, Command.IDENTIFY))
    assert reply == Frame(78, Command.IDENTIFY | DONE, talk.identity.to_bytes() + bytes.fromhex("01 78563412"))


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
    assert {reply.command for reply in loaded} == {Command.LOAD | DONE, Command.FINISH | DONE}
    assert talk.loads == [Load(*load) for load in image.loads()]
    assert talk.vectors == [vector]
    assert run == Frame(9, Command.RUN | DONE, np.array(compute_on(config)(vector), "<i4").tobytes())
    assert Counters.from_bytes(counters.payload)[:3] == (len(loaded) + 1, 0, 0)


REFUSED_FRAMES = [
    (Frame(1, Command.IDENTIFY, b"x"), Refusal.LENGTH),
    (Frame(2, Command.COUNTERS, bytes(200)), Refusal.LENGTH),
    (Frame(3, 0), Refusal.COMMAND),
    (Frame(4, 6, bytes(9)), Refusal.COMMAND),
    (Frame(5, Command.RUN | DONE), Refusal.COMMAND),
    (Frame(6, Command.IDENTIFY, version=2), Refusal.VERSION),
    *((Frame(7, Command.RUN, run_payload(5, bytes(size), 1)), Refusal.LENGTH) for size in (0, 1, 6, 7, 9, 10, 12)),
    (Frame(8, Command.RUN, run_payload(6, bytes(8), 1)), Refusal.NOT_LOADED),
    (Frame(9, Command.RUN, run_payload(5 << 24, bytes(8), 1)), Refusal.NOT_LOADED),
    (Frame(10, Command.RUN, b"\5\0\0"), Refusal.NOT_LOADED),
    (Frame(11, Command.RUN), Refusal.NOT_LOADED),
    (Frame(12, Command.LOAD), Refusal.LENGTH),
    (Frame(13, Command.LOAD, bytes(3)), Refusal.LENGTH),
    (Frame(14, Command.LOAD, bytes(4)), Refusal.LENGTH),
    (Frame(15, Command.LOAD, bytes(8)), Refusal.LENGTH),
    (Frame(16, Command.LOAD, bytes(13)), Refusal.LENGTH),
    (Frame(17, Command.LOAD, bytes(16)), Refusal.LENGTH),
    (Frame(18, Command.LOAD, bytes(4 + 3 * 8)), Refusal.RANGE),
    (Frame(19, Command.LOAD, b"\1\1\0\0" + bytes(8)), Refusal.ORDER),
    (Frame(20, Command.LOAD, b"\2\0\0\0" + bytes(8)), Refusal.ORDER),
    (Frame(21, Command.LOAD, b"\0\1\0\0" + bytes(8)), Refusal.ORDER),
    (Frame(22, Command.LOAD, b"\0\0\0\1" + bytes(8)), Refusal.ORDER),
    (Frame(23, Command.LOAD, b"\1\0\0\0" + bytes(4 * 8)), Refusal.RANGE),
    (Frame(24, Command.LOAD, b"\7\0\0\0" + bytes(4)), Refusal.ORDER),
    (Frame(25, Command.FINISH), Refusal.LENGTH),
    (Frame(26, Command.FINISH, b"\2\5\0\0" + bytes(3)), Refusal.LENGTH),
    (Frame(27, Command.FINISH, b"\2\5\0\0" + bytes(4)), Refusal.ORDER),
    (Frame(28, Command.FINISH, b"\0\0\0\0" + bytes(4)), Refusal.ORDER),
    (Frame(29, Command.LOAD, bytes(4 + 8 * 40)), Refusal.LONG),
]


def test_a_refused_frame_changes_nothing() -> None:
    talk = Conversation(last_input=3, image=5)
    replies = talk.ask(
        *(frame for frame, _ in REFUSED_FRAMES), Frame(99, Command.IDENTIFY), Frame(98, Command.COUNTERS)
    )
    for reply, (frame, reason) in zip(replies, REFUSED_FRAMES, strict=False):
        assert reply == Frame(frame.sequence, REFUSED, bytes([reason]))
    assert replies[-2].payload[-5:] == b"\1\5\0\0\0"
    assert Counters.from_bytes(replies[-1].payload) == (1, len(REFUSED_FRAMES), 0, 0)
    assert (talk.loads, talk.vectors) == ([], [])


def test_the_model_refuses_the_same() -> None:
    model = DeviceModel(CONFIG, identify(CONFIG, CLOCK_HZ), compute_on(CONFIG), loaded=True, last_input=3, image=5)
    for frame, reason in REFUSED_FRAMES:
        assert model.reply(frame.to_bytes()[:-1]) == Frame(frame.sequence, REFUSED, bytes([reason]))


def test_nothing_runs_before_an_image_is_finished() -> None:
    talk = Conversation()
    image = image_of(CONFIG, 4, last_input=3)
    frames = loading(image)
    run = Frame(50, Command.RUN, run_payload(image_number(image), bytes(8), 1))
    replies = talk.ask(run, frames[0], run, *frames[1:-1], run, frames[-1], run, frames[0], run)
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


def test_an_engine_that_takes_no_image_is_reset() -> None:
    talk = Conversation(pauses=lambda cycle: True, last_input=3, image=1)
    (first, *_) = loading(image_of(CONFIG, 1))
    patience = 2 ** LinkConfig(CONFIG).patience
    (reply,) = talk.talk([[(byte, 0) for byte in first.to_bytes()]], patience=2 * patience)
    assert Frame.from_bytes(reply) == Frame(1, REFUSED, bytes([Refusal.STUCK]))
    assert len(talk.resets) == 1


def test_a_reset_forgets_the_request_and_keeps_the_image() -> None:
    frames = [Frame(1, Command.COUNTERS), Frame(2, Command.IDENTIFY), Frame(3, Command.IDENTIFY)]
    talk = Conversation(reset=450, last_input=3, image=7)
    replies = talk.talk([[(byte, 0) for byte in frame.to_bytes()] for frame in frames])
    assert Frame.from_bytes(replies[0]).command == Command.COUNTERS | DONE
    assert replies[1] == b""
    assert Frame.from_bytes(replies[2]).payload[-5:] == b"\1\7\0\0\0"


@st.composite
def requests(draw: st.DrawFn) -> list[tuple[int, int]]:
    """A chunk for the line: mostly right, or about right, or damaged."""
    image = image_of(CONFIG, draw(st.integers(0, 1)))
    frames = [*loading(image, draw(st.sampled_from((24, 40, 256)))), Frame(0, 1), Frame(0, 2)]
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
        LinkReply(bytes(40), 2, 13)
