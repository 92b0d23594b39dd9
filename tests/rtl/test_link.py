# amaranth: UnusedElaboratable=no
from itertools import count
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from link_model import DeviceModel, Load
from networks import PAUSES

from golden.formats import PACKINGS
from golden.image import Geometry, LayerProgram, MemoryImage
from golden.link import Counters, Frame, Identity, cobs_encode, finish_payload, image_number, load_payloads, run_payload
from golden.link_format import DONE, REFUSED, Command, Refusal
from rtl.config import EngineConfig
from rtl.crc32 import Crc32
from rtl.link import Link
from rtl.link_config import LinkConfig
from sim.pysim import Bench, Driver, Pauses, never

CONFIG = EngineConfig(
    rows=4, columns=6, lanes=2, max_inputs=12, max_outputs=4, layers=2, correction_words=3, weight_words=5,
    packing="3t5b",
)  # fmt: skip


def identity_of(config: EngineConfig) -> Identity:
    return Identity(
        rows=config.rows, columns=config.columns, lanes=config.lanes, packing=PACKINGS[config.packing].trits,
        correction=config.correction.code, input_signed=config.input_signed, writable=config.writable,
        width=config.accumulator_width, layers=config.layers, correction_words=config.correction_words,
        weight_words=config.weight_words, max_inputs=config.max_inputs, max_outputs=config.max_outputs,
        payload=LinkConfig(config).request, clock_hz=12_000_000,
    )  # fmt: skip


def image_of(config: EngineConfig, seed: int, last_input: int | None = None) -> MemoryImage:
    """An image that fills the engine's memories."""
    random = np.random.default_rng(seed)
    last = int(random.integers(0, config.quantizer.depth)) if last_input is None else last_input
    program = [LayerProgram(last, 0, 0, 0, True, index == config.layers - 1) for index in range(config.layers)]
    geometry = Geometry(config.rows, config.columns, config.lanes, PACKINGS[config.packing])
    corrections = random.integers(-99, 99, (config.correction_words, config.lanes)).astype(np.int32)
    weights = random.integers(-1, 2, (config.weight_words, config.rows * config.columns)).astype(np.int8)
    return MemoryImage(geometry, tuple(program), corrections, weights)


def compute_on(config: EngineConfig):
    """What the stand-in for an engine computes: sums of the vector that differ in every place."""

    def compute(vector: bytes) -> list[int]:
        half = 1 << config.accumulator_width - 1
        total = sum(place * value for place, value in enumerate(vector, 1))
        places = config.result_words * config.lanes
        return [(total * (place + 1) - 57 * place + half) % (2 * half) - half for place in range(places)]

    return compute


class Conversation:
    """A link with a host on one side and a stand-in for an engine on the other."""

    def __init__(
        self, config: EngineConfig = CONFIG, *, pauses: Pauses = never, results: int | None = None, reset: int = -1,
        **initial: Any,
    ):  # fmt: skip
        self.identity = identity_of(config)
        self.link = Link(LinkConfig(config), self.identity.to_bytes(), **initial)
        self.config, self.pauses = config, pauses
        self.bench = Bench(self.link, limit=2_000_000, reset=reset)
        self.model = DeviceModel(config, self.identity, compute_on(config), loaded=bool(initial), **initial)
        self.loads: list[Load] = []
        self.vectors: list[bytes] = []
        self.resets: list[int] = []
        self.replies: list[bytes] = []
        self.ended = False
        # Results given before the engine gets stuck, all without a number.
        self.results = config.result_words if results is None else results

    def talk(self, chunks: list[list[tuple[int, int]]], patience: int = 3000) -> list[bytes]:
        """Send each chunk after the reply to the one before, or without one after so many cycles; the replies."""
        self.bench.play(self._host(chunks, patience), "o.valid", "o.payload")
        self.bench.play(
            self._engine(), "vectors.valid", "vectors.payload", "load.valid", "load.payload", "results.ready", "reset"
        )
        self.bench.run()
        return self.replies

    def ask(self, *frames: Frame) -> list[Frame]:
        """Send frames; the replies to them."""
        replies = self.talk([[(byte, 0) for byte in frame.to_bytes()] for frame in frames])
        return [Frame.from_bytes(reply) for reply in replies]

    def _host(self, chunks: list[list[tuple[int, int]]], patience: int) -> Driver:
        random = Random(len(chunks))
        for chunk in chunks:
            reply, waited, at, gap = bytearray(), 0, 0, 0
            while waited < patience:
                sends = at < len(chunk) and gap == 0
                inputs: dict[str, Any] = {"i.valid": sends, "o.ready": random.random() < 0.5}
                if sends:
                    byte, error = chunk[at]
                    inputs["i.payload"] = {"data": byte, "error": error}
                    at, gap = at + 1, Crc32.LATENCY + random.randrange(3)
                seen = yield inputs
                gap, waited = max(gap - 1, 0), waited + (at == len(chunk))
                if seen["o.valid"] and inputs["o.ready"]:
                    waited = 0
                    if seen["o.payload"] == 0:
                        break
                    reply.append(seen["o.payload"])
            self.replies.append(bytes(reply))
        self.ended = True
        yield {"i.valid": 0}

    def _engine(self) -> Driver:
        """Takes transfers and vectors with pauses, and gives results."""
        vector, results, last_input = bytearray(), [], 0
        offered = False
        if self.model.loaded:
            last_input = self.model.last_input
        for cycle in count():
            if self.ended:
                return
            ready = not self.pauses(cycle)
            offered = bool(results) and (offered or ready)
            inputs: dict[str, Any] = {"vectors.ready": ready, "load.ready": ready, "results.valid": offered}
            if offered:
                inputs["results.payload"] = results[0]
            seen = yield inputs
            if seen["load.valid"] and ready:
                assert not vector
                assert not results
                load = Load(**seen["load.payload"])
                self.loads.append(load._replace(last=bool(load.last)))
                if (load.memory, load.address, load.last) == (0, 0, 0):
                    last_input = load.data & 0xFFFF
            if seen["vectors.valid"] and ready:
                vector += bytes(value & 255 for value in seen["vectors.payload"])
            if len(vector) == (last_input + 1) * self.config.lanes:
                self.vectors.append(bytes(vector))
                values = np.reshape(self.model.compute(bytes(vector)), (-1, self.config.lanes)).tolist()
                results = [{"data": word, "last": at == len(values)} for at, word in enumerate(values, 1)][
                    : self.results
                ]
                vector.clear()
            if offered and seen["results.ready"]:
                results.pop(0)
                offered = False
            if seen["reset"]:
                self.resets.append(cycle)
                vector.clear()
                results.clear()
                offered = False


def loading(image: MemoryImage, limit: int = 40, sequence: int = 1) -> list[Frame]:
    frames = [Frame(sequence, Command.LOAD, payload) for payload in load_payloads(image, limit)]
    return [*frames, Frame(sequence, Command.FINISH, finish_payload(image))]


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
    config = EngineConfig(6, 12, lanes, 12, 4, 2, 3, 5, packing, input_signed=signed)
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
    model = DeviceModel(CONFIG, identity_of(CONFIG), compute_on(CONFIG), loaded=True, last_input=3, image=5)
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
    config = EngineConfig(4, 6, 2, 12, 4, 2, 3, 5, "3t5b", writable=False)
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


def test_a_reset_forgets_the_request_and_keeps_the_image() -> None:
    frames = [Frame(1, Command.COUNTERS), Frame(2, Command.IDENTIFY), Frame(3, Command.IDENTIFY)]
    talk = Conversation(reset=450, last_input=3, image=7)
    replies = talk.talk([[(byte, 0) for byte in frame.to_bytes()] for frame in frames])
    assert replies[1] == b"" or replies[1] == cobs_encode(b"")
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
    talk = Conversation(pauses=pausing, **({"last_input": 2, "image": 9} if built_in else {}))
    replies = talk.talk(chunks)
    for chunk, reply in zip(chunks, replies, strict=True):
        expected = talk.model.reply(bytes(byte for byte, _ in chunk[:-1]), broken=any(error for _, error in chunk))
        seen = Frame.from_bytes(reply)
        if expected.command == Command.COUNTERS | DONE:
            seen = seen._replace(payload=seen.payload[:6] + bytes(4))
        assert seen == expected
    assert talk.loads == talk.model.loads
    assert talk.vectors == talk.model.vectors
