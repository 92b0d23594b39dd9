from random import Random

import pytest

from boards.language_device import LanguageDevice
from gen.output.hosted_decoder import identify_decoder
from golden.link.language_format import Ending
from support.language_line import IMAGE, LINK, UART, drawn, stand_in_line
from support.torture import TorturedLine, check_counters, check_faults


def torture(frames: int, seed: int) -> TorturedLine:
    """Have sequences made over a tortured line until so many frames were sent; every token and count is checked."""
    line = TorturedLine(stand_in_line(), seed)
    random = Random(seed)
    with LanguageDevice("the device", line, UART.baud, timeout=400 / UART.baud, attempts=40, first=seed) as device:
        line.active = True
        checked = 0
        while line.frames < frames:
            task = random.random()
            if task < 0.1:
                assert device.identify()[0] == identify_decoder(LINK, UART.clock_hz)
            elif task < 0.2:
                device.counters()
            else:
                sequence = drawn(random, stepwise=task < 0.3)
                found = device.generate(IMAGE, sequence.settings, sequence.prompt)
                if task < 0.3:
                    made = [step.token for step in found.steps() if step.token is not None]
                elif task < 0.4:
                    made = []
                    for token in found:
                        made.append(token)
                        if len(made) == 2:
                            found.abort()
                else:
                    made = list(found)
                if found.ending == Ending.ABORTED:
                    assert made == sequence.made[: len(made)]
                else:
                    assert (made, found.ending) == (sequence.made, sequence.ending)
            if line.frames > checked + 50:
                checked = line.frames
                check_counters(line, device)
        line.cycles = line.line.cycles
    return line


def test_no_wrong_token_and_no_hang() -> None:
    check_faults(torture(2000, 3))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2000, 2010))
def test_no_wrong_token_in_two_hundred_thousand_requests(seed: int) -> None:
    check_faults(torture(20_000, seed))
