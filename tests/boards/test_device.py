from collections.abc import Callable

import numpy as np
import pytest

from boards.device import Device
from gen.output.hosted import identify
from gen.plan.plan import Plan
from golden.errors import TritweaveError
from golden.link.format import DONE, REFUSED, Command, Refusal
from golden.link.frames import Frame, image_number
from support.link_model import DeviceModel
from support.link_plans import link_plan, link_vectors

PLAN = link_plan()
IMAGE, NUMBER = PLAN.image, image_number(PLAN.image)
VECTORS = link_vectors(PLAN, 3)
LOGITS = PLAN.network.forward(VECTORS).logits

Replies = list[bytes]
Fault = Callable[[bytes, Replies], Replies | None]
"""Makes of a request and the model's replies what comes back; None: the line goes."""


class ModelLine:
    """A line to the model of a device; `faults` are what happens to its requests, one after the other."""

    def __init__(self, plan: Plan = PLAN, *faults: Fault):
        def compute(vector: bytes) -> list[int]:
            values = np.frombuffer(vector, plan.network.input_type)[None, : plan.network.layers[0].inputs]
            logits = plan.network.forward(values).logits[0].tolist()
            return logits + [0] * (-len(logits) % plan.config.lanes)

        self.model = DeviceModel(plan.config, identify(plan.config, 1_000_000), compute)
        self.faults = list(faults)
        self.requests: list[Frame] = []
        self.prefixes: list[int] = []
        self.opened = 0
        self.waiting: Replies = []

    def open(self) -> None:
        self.opened += 1
        self.waiting.clear()

    def close(self) -> None:
        self.opened = -100

    def write(self, content: bytes) -> None:
        *empty, chunk, _ = content.split(b"\0")
        self.prefixes.append(len(empty))
        self.requests.append(Frame.from_bytes(chunk))
        replies = [self.model.reply(chunk).to_bytes()]
        if self.faults:
            left = self.faults.pop(0)(content, replies)
            if left is None:
                raise ConnectionError("the cable was pulled")
            replies = left
        self.waiting += replies

    def read_frame(self, seconds: float) -> bytes:
        assert 0.5 < seconds < 2
        return self.waiting.pop(0) if self.waiting else b""


def device_on(line: ModelLine, **options: object) -> Device:
    return Device("the device", line, 1_000_000, **{"first": 1, **options})


def right(content: bytes, replies: Replies) -> Replies:
    return replies


def silence(content: bytes, replies: Replies) -> Replies:
    return []


def damaged(content: bytes, replies: Replies) -> Replies:
    return [replies[0][:4] + bytes([replies[0][4] ^ 1 or 3]) + replies[0][5:]]


def cut_off(content: bytes, replies: Replies) -> Replies:
    return [replies[0][:-2]]


def twice(content: bytes, replies: Replies) -> Replies:
    return replies * 2


def gone(content: bytes, replies: Replies) -> None:
    return None


def empty_first(content: bytes, replies: Replies) -> Replies:
    return [b"\0", *replies]


def of_another(content: bytes, replies: Replies) -> Replies:
    return [Frame(200, Command.COUNTERS | DONE, bytes(10)).to_bytes(), *replies]


def other_command(content: bytes, replies: Replies) -> Replies:
    return [Frame(1, Command.FINISH | DONE).to_bytes()]


def said_damaged(content: bytes, replies: Replies) -> Replies:
    return [Frame(0, REFUSED, bytes([Refusal.DAMAGED])).to_bytes()]


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        (right, 1), (silence, 2), (damaged, 2), (cut_off, 2), (twice, 1), (gone, 2), (empty_first, 1), (of_another, 1),
        (other_command, 2), (said_damaged, 2),
    ],
)  # fmt: skip
def test_a_fault_costs_no_more_than_a_repetition(fault: Fault, requests: int) -> None:
    line = ModelLine(PLAN, fault)
    with device_on(line) as device:
        assert [request.sequence for request in line.requests] == list(range(1, requests + 1))
        assert line.prefixes == [0, 2][:requests]
        device.load(IMAGE)
        np.testing.assert_array_equal(device.run(IMAGE, VECTORS, 4), LOGITS)
        assert device.counters()[1:3] == (0, 0)
    assert line.opened < 0


def test_out_of_step_is_got_out_of() -> None:
    # Each request comes while the device has the one before: it is damaged by that, and says so one request later.
    line = ModelLine()
    with device_on(line) as device:
        late = [said_damaged(b"", [])[0]]
        line.waiting += late
        line.faults = [lambda content, replies: late if line.waiting else replies] * 40
        assert device.counters()[1:3] == (0, 0)
    assert len(line.requests) == 1 + 3


@pytest.mark.parametrize("fault", [silence, damaged, cut_off, gone, other_command, said_damaged])
def test_what_does_not_end_is_one_error(fault: Fault) -> None:
    line = ModelLine(PLAN, *[fault] * 99)
    with pytest.raises(
        TritweaveError, match=r"the device does not answer; identify was tried 5 times, the last time: .+"
    ):
        device_on(line).open()
    assert len(line.requests) == 5
    assert line.opened < 0


def test_sequences_begin_again_and_leave_0_out() -> None:
    line = ModelLine()
    device = device_on(line, first=(1 << 32) - 3)
    for _ in range(5):
        device.counters()
    assert [request.sequence for request in line.requests] == [(1 << 32) - 3, (1 << 32) - 2, (1 << 32) - 1, 1, 2]


def test_each_host_has_sequences_of_its_own() -> None:
    lines = [ModelLine() for _ in range(20)]
    for line in lines:
        device_on(line, first=None).counters()
    sequences = {line.requests[0].sequence for line in lines}
    assert len(sequences) == 20
    assert max(sequences) >= 1 << 24


def test_an_answer_to_a_request_of_long_ago_is_not_taken() -> None:
    answers: Replies = []

    def keep(content: bytes, replies: Replies) -> Replies:
        answers.extend(replies)
        return replies

    def old_first(content: bytes, replies: Replies) -> Replies:
        return answers + replies

    line = ModelLine(PLAN, *[right] * 7, keep, *[right] * 400)
    with device_on(line) as device:
        device.load(IMAGE)
        device.run(IMAGE, VECTORS[:1], 4)
        assert line.requests[7].command == Command.RUN
        for _ in range(254):
            device.counters()
        line.faults[:] = [old_first]
        np.testing.assert_array_equal(device.run(IMAGE, VECTORS[1:2], 4), LOGITS[1:2])


def test_a_line_full_of_delimiters_is_not_listened_to_for_ever() -> None:
    line = ModelLine(PLAN, *[lambda content, replies: [b"\0"] * 10_000] * 9)
    with pytest.raises(TritweaveError, match="16 frames came and none was the reply"):
        device_on(line).open()


def test_an_image_that_is_there_is_not_loaded_again() -> None:
    line = ModelLine()
    with device_on(line) as device:
        device.load(IMAGE)
        before = len(line.requests)
        device.load(IMAGE)
    assert [request.command for request in line.requests[before:]] == [Command.IDENTIFY]


def test_a_load_that_a_reset_breaks_begins_again() -> None:
    def reset(content: bytes, replies: Replies) -> Replies:
        line.model.reset()
        return replies

    line = ModelLine(PLAN, right, right, right, reset)
    with device_on(line) as device:
        device.load(IMAGE)
        np.testing.assert_array_equal(device.run(IMAGE, VECTORS, 4), LOGITS)
    assert line.model.loads == [tuple(load) for load in IMAGE.loads()]


def test_a_load_whose_reply_is_lost_goes_on_from_there() -> None:
    line = ModelLine(PLAN, right, right, right, silence)
    with device_on(line) as device:
        device.load(IMAGE)
        np.testing.assert_array_equal(device.run(IMAGE, VECTORS, 4), LOGITS)
    assert line.model.loads == [tuple(load) for load in IMAGE.loads()]
    assert line.model.refused == 1


def test_a_device_that_cannot_keep_an_image_is_an_error() -> None:
    def disturb(content: bytes, replies: Replies) -> Replies:
        line.model.image ^= line.requests[-1].command == Command.LOAD
        return replies

    line = ModelLine(PLAN, *[disturb] * 1000)
    message = "lost its place 5 times while it was loaded; see that it is not reset, and that no other host uses it"
    with device_on(line) as device, pytest.raises(TritweaveError, match=message):
        device.load(IMAGE)


def test_an_image_that_was_lost_is_loaded_again_and_another_is_not() -> None:
    line = ModelLine()
    other = link_plan(2)
    with device_on(line) as device:
        device.load(IMAGE)
        line.model.loaded = False
        np.testing.assert_array_equal(device.run(IMAGE, VECTORS, 4), LOGITS)
        with pytest.raises(TritweaveError, match="refused run: it does not hold the image; load it"):
            device.run(other.image, VECTORS, 4)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (Refusal.STUCK, "refused counters: its engine did not answer in time and was reset"),
        (Refusal.COMMAND, "refused counters: it does not know the command"),
        (Refusal.LONG, "refused counters: the payload is longer than it takes"),
        (77, "refused counters: reason 77"),
    ],
)
def test_refusals_are_said_in_words(reason: int, message: str) -> None:
    line = ModelLine(PLAN, right, lambda content, replies: [Frame(2, REFUSED, bytes([reason])).to_bytes()])
    with device_on(line) as device, pytest.raises(TritweaveError, match=message):
        device.counters()
    assert len(line.requests) == 2


def test_every_refusal_has_words() -> None:
    for reason in set(Refusal) - {Refusal.DAMAGED, Refusal.SHORT, Refusal.VERSION}:
        line = ModelLine(PLAN, lambda content, replies, reason=reason: [Frame(1, REFUSED, bytes([reason])).to_bytes()])
        with pytest.raises(TritweaveError, match=r"refused identify: (?!reason)"):
            device_on(line).open()


def test_another_version_of_the_protocol_is_named() -> None:
    other = Frame(1, REFUSED, bytes([Refusal.VERSION]), version=9).to_bytes()
    line = ModelLine(PLAN, lambda content, replies: [other])
    with pytest.raises(
        TritweaveError, match="speaks version 9 of the protocol; this is 2: build and load its bitstream anew"
    ):
        device_on(line).open()


def test_too_few_results_are_an_error() -> None:
    with device_on(ModelLine()) as device:
        device.load(IMAGE)
        with pytest.raises(TritweaveError, match="gave 4 results; the network has 5"):
            device.run(IMAGE, VECTORS, 5)
