"""A language model's device in Verilator, a stand-in behind a real link: conversations, refusals, and faults."""

from random import Random
from typing import Any

import pytest

from boards.language_device import LanguageDevice
from gen.output.hosted_decoder import identify_decoder
from golden.errors import TritweaveError
from golden.language.sampler import state_of
from golden.link.format import DONE, REFUSED, Command, Refusal
from golden.link.frames import Frame
from golden.link.language import Progress, SequenceSettings, abort_payload, count_payload, generate_payload
from golden.link.language_format import Ending
from support.language_line import IMAGE, LINK, UART, drawn, stand_in_line
from support.stand_in_decoder import CONFIG, StandIn, expected

VOCABULARY, CONTEXT = CONFIG.shape.vocabulary, CONFIG.shape.context


def opened(**options: Any) -> LanguageDevice:
    return LanguageDevice("the device", stand_in_line(), UART.baud, timeout=0.01, **options)


def test_sequences_come_as_they_are_made() -> None:
    random = Random(1)
    with opened() as device:
        assert device.identify()[0] == identify_decoder(LINK, UART.clock_hz)
        assert device.identify()[1] == (1, 0, IMAGE)
        for _ in range(30):
            sequence = drawn(random)
            found = device.generate(IMAGE, sequence.settings, sequence.prompt)
            assert list(found) == sequence.made
            assert found.ending == sequence.ending
        assert device.counters().refused == 0


def test_logits_come_step_by_step() -> None:
    random = Random(2)
    with opened() as device:
        for _ in range(10):
            sequence = drawn(random, stepwise=True)
            found = device.generate(IMAGE, sequence.settings, sequence.prompt)
            steps = list(found.steps())
            assert found.ending == sequence.ending
            end = [None] * (sequence.ending == Ending.END_TOKEN)
            assert [step.token for step in steps] == sequence.made + end
            stand_in = StandIn(CONFIG, sequence.scalar, sequence.settings.seed)
            fed = [*sequence.prompt, *sequence.made]
            taken = [stand_in.take(token, first=place == 0) for place, token in enumerate(fed)]
            for step, one in zip(steps, taken[len(sequence.prompt) - 1 :], strict=False):
                assert step.logits[:VOCABULARY].tolist() == one.logits


def test_an_abort_ends_it_and_another_one_can_begin() -> None:
    settings = SequenceSettings(seed=state_of(1), stepwise=True)
    with opened() as device:
        number = device.begin(IMAGE, settings, [3, 4])
        # It waits to be asked, and abort does not wait for that.
        device.abort(number)
        assert device.progress(number, 0).ending == Ending.ABORTED
        device.abort(number)
        other = device.begin(IMAGE, settings._replace(stepwise=False), [3, 4])
        found = device.generate(IMAGE, settings._replace(stepwise=False), [3, 4])
        assert list(found) == expected(CONFIG, [3, 4], seed=state_of(1))[0]
        with pytest.raises(TritweaveError, match="refused tokens: it is not where the image or the text goes on"):
            device.progress(other, 0)


def test_a_sequence_that_was_lost_goes_on_where_it_was() -> None:
    settings = SequenceSettings(seed=state_of(4))
    made, _ = expected(CONFIG, [5], seed=state_of(4))
    line = stand_in_line()
    with LanguageDevice("the device", line, UART.baud, timeout=0.01) as device:
        found = device.generate(IMAGE, settings, [5])
        tokens = []
        for token in found:
            tokens.append(token)
            if len(tokens) in (2, 5):
                line.reset(2)
        assert tokens == made
        assert found.ending == Ending.CONTEXT_FULL


def half(*values: int) -> bytes:
    """Units of 16 bits."""
    return b"".join((value & 0xFFFF).to_bytes(2, "little") for value in values)


def generate_of(settings: SequenceSettings, prompt: tuple[int, ...] = (1,)) -> bytes:
    return generate_payload(IMAGE, 99, settings, prompt)


SOUND = SequenceSettings(seed=9)
REFUSED_REQUESTS = [
    (Command.IDENTIFY, b"\0", Refusal.LENGTH),
    (Command.COUNTERS, bytes(3), Refusal.LENGTH),
    (Command.RUN, bytes(12), Refusal.COMMAND),
    (Command.BEGIN, bytes(40), Refusal.READ_ONLY),
    (Command.LOAD, bytes(40), Refusal.READ_ONLY),
    (Command.FINISH, bytes(4), Refusal.READ_ONLY),
    (Command.GENERATE, b"", Refusal.NOT_LOADED),
    (Command.GENERATE, generate_payload(IMAGE ^ 1, 99, SOUND, (1,)), Refusal.NOT_LOADED),
    (Command.GENERATE, generate_of(SOUND, ()), Refusal.LENGTH),
    (Command.GENERATE, generate_of(SOUND)[:-1], Refusal.LENGTH),
    (Command.GENERATE, generate_of(SOUND)[:4], Refusal.LENGTH),
    (Command.GENERATE, generate_of(SOUND, (1,) * (CONTEXT + 1)), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND, (1,) * (2 * CONTEXT + 2)), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND, (1, VOCABULARY)), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND, (0x8001, 2)), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND._replace(limit=CONTEXT + 1)), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND._replace(mantissa=1 << CONFIG.form.scale_bits)), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND._replace(exponent=256)), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND._replace(exponent=-257)), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND._replace(ends=(VOCABULARY,))), Refusal.RANGE),
    (Command.GENERATE, generate_of(SOUND)[:20] + half(16) + generate_of(SOUND)[22:], Refusal.RANGE),
    (Command.TOKENS, b"", Refusal.ORDER),
    (Command.TOKENS, count_payload(2, 0), Refusal.ORDER),
    (Command.TOKENS, count_payload(0, 0), Refusal.ORDER),
    (Command.TOKENS, count_payload(1, 0) + half(0), Refusal.LENGTH),
    (Command.TOKENS, count_payload(1, 0)[:-1], Refusal.LENGTH),
    (Command.TOKENS, count_payload(1, CONTEXT + 1), Refusal.RANGE),
    (Command.ABORT, abort_payload(2), Refusal.ORDER),
    (Command.ABORT, abort_payload(1) + half(0), Refusal.LENGTH),
    (Command.ABORT, abort_payload(1) + b"\0", Refusal.LENGTH),
    (Command.LOGITS, count_payload(2, 0), Refusal.ORDER),
    (Command.LOGITS, count_payload(1, 0), Refusal.NOT_YET),
    (Command.LOGITS, count_payload(1, CONTEXT), Refusal.NOT_YET),
    (11, bytes(8), Refusal.COMMAND),
    (0, b"", Refusal.COMMAND),
    (Command.GENERATE, bytes(LINK.request + 1), Refusal.LONG),
]


def exchange(line: Any, content: bytes) -> Frame:
    line.write(content)
    return Frame.from_bytes(line.read_frame(0.05)[:-1])


def test_a_refused_frame_changes_nothing() -> None:
    made, _ = expected(CONFIG, [7], seed=9)
    line = stand_in_line()
    line.open()
    begun = exchange(line, Frame(1, Command.GENERATE, generate_payload(IMAGE, 1, SOUND, [7])).to_bytes())
    assert begun == Frame(1, Command.GENERATE | DONE)
    for sequence, (command, payload, reason) in enumerate(REFUSED_REQUESTS, 2):
        reply = exchange(line, Frame(sequence, command, payload).to_bytes())
        assert reply == Frame(sequence, REFUSED, bytes([reason])), (command, payload.hex())
    damaged = bytearray(Frame(9, Command.GENERATE, generate_of(SOUND, (1, 2))).to_bytes())
    damaged[7] ^= 1
    assert exchange(line, bytes(damaged)) == Frame(0, REFUSED, bytes([Refusal.DAMAGED]))
    reply = exchange(line, Frame(99, Command.TOKENS, count_payload(1, 2)).to_bytes())
    assert Progress.from_bytes(reply.payload) == (Ending.CONTEXT_FULL, made[2:])
    line.close()
