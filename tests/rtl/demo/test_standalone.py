# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from gen.plan.plan import Fold, plan_network
from golden.errors import TritweaveError
from golden.formats import MEMORIES
from rtl.demo.displays import Display, Leds, Pulses, SevenSegments
from rtl.demo.showcase import Showcase
from rtl.demo.standalone import StandaloneEngine
from sim.pysim import Bench, Driver
from support.networks import as_words, random_network

TICK = 80


def shown(display: Display, wrong: int | None = None) -> tuple[list[int], list[list[int]]]:
    """The model's answers to three inputs and the first one again, and for each of them what the display shows."""
    plan = plan_network(random_network((7, 5), 18), Fold(2, 2, 2))
    vectors = (255 * np.random.default_rng(3).integers(0, 2, (3, 7))).astype(np.uint8)
    answers = plan.network.forward(vectors).logits.argmax(axis=1).tolist()
    expected = [answer ^ (index == wrong) for index, answer in enumerate(answers)]
    words = np.reshape(as_words(vectors, 2), (3, -1, 2)).tolist()
    config = plan.config
    showcase = Showcase(words, expected, element=config.element, bits=8, outputs=5, width=config.accumulator_width)
    init = {name: plan.image.integers(name) for name in MEMORIES}
    bench = Bench(StandaloneEngine(config, showcase, display, tick=TICK, init=init), limit=100_000)
    period = TICK * display.TICKS
    seen: list[int] = []

    def driver() -> Driver:
        for _ in range(5 * period):
            seen.append((yield {})["display"])

    bench.play(driver(), "display")
    bench.run()
    # Behind the run, which is shorter than a tick.
    starts = range(period + TICK, 5 * period, period)
    return [*answers, answers[0]], [seen[start : start + period - TICK] for start in starts]


def test_leds_show_the_answers_in_binary() -> None:
    answers, found = shown(Leds(5))
    assert len(set(answers)) == 3
    assert [set(values) for values in found] == [{answer} for answer in answers]


def test_a_digit_shows_the_answers() -> None:
    answers, found = shown(SevenSegments(5))
    patterns = (0xBF, 0x86, 0xDB, 0xCF, 0xE6)
    assert [set(values) for values in found] == [{patterns[answer]} for answer in answers]


def test_pulses_count_the_answers() -> None:
    answers, found = shown(Pulses(5))
    for answer, values in zip(answers, found, strict=True):
        assert set(values) == {0, 1}
        rising = sum(now > before for before, now in zip([0, *values], values, strict=False))
        assert rising == (answer or 10)


@pytest.mark.parametrize(("display", "dark", "lit"), [(Leds, 0, 15), (Pulses, 0, 2), (SevenSegments, 0x80, 0xF9)])
def test_a_wrong_answer_blinks_from_then_on(display: type[Display], dark: int, lit: int) -> None:
    found = shown(display(5), wrong=1)[1]
    assert lit not in found[0]
    for values in found[1:]:
        ticks = values[TICK // 2 :: TICK]
        assert ticks in (([dark, lit] * 16)[: len(ticks)], ([lit, dark] * 16)[: len(ticks)])


def test_bad_parameters_are_refused() -> None:
    with pytest.raises(TritweaveError, match="Pulses: outputs is 11; it must be an integer from 1 to 10"):
        Pulses(11)
