"""A language model on a board's FPGA, at its pins: telling stories, and behind its host link."""

import pytest

from boards.catalogue import board_named
from boards.language import TEMPERATURE, spelt_tokens, story_verilog
from gen.language.models import Speaker, load_speaker
from gen.plan.plan import Fold
from gen.transformer.plan import plan_decoder
from golden.language.decoder import Decoder
from golden.language.generation import Generation
from golden.language.sampler import Sampler
from sim.line import SimulatedLine
from support.language_models import speaking_folder

BOARD = board_named("ulx3s-85f")
PAUSE = 1000


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Speaker:
    return load_speaker(str(speaking_folder(tmp_path_factory.mktemp("models") / "tiny")))


def test_a_terminal_shows_stories_that_golden_tells(speaker: Speaker) -> None:
    plan = plan_decoder(speaker.model, Fold(4, 4, 1))
    spelt = spelt_tokens(speaker.tokenizer, 24, speaker.model.start)
    assert spelt[speaker.model.start] == b"\r\n\r\n"
    decoder, expected = Decoder(speaker.model), b""
    for number in range(12):
        story = Generation(decoder, Sampler(TEMPERATURE, 2 * PAUSE * number), [speaker.model.start])
        expected += b"".join(spelt[token] for token in (*story, speaker.model.start))
    line = SimulatedLine(story_verilog(BOARD, plan, speaker, pause_seconds=PAUSE / BOARD.clock_hz), BOARD.uart)
    line.open()
    told = line.read_frame(0.001)
    line.close()
    assert told.count(b"\r\n\r\n") >= 2
    assert expected.startswith(told)
