# amaranth: UnusedElaboratable=no
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.engine.drain import Drain, DrainConfig
from sim.pysim import Driver, trace

WATCHED = ("next_correction", "rewind", "source", "of", "o.valid", "o.payload")


class Tile(NamedTuple):
    """A tile, and the cycles between the soonest it may start and its start."""

    sums: list[int]
    words: int
    relu: bool
    final: bool
    end: bool
    vector: int
    gap: int


class Word(NamedTuple):
    """A word that leaves the drain."""

    cycle: int
    data: list[int]
    last: bool
    final: bool
    vector: int


class Expected:
    """The golden drain: for tiles at their cycles, the corrections asked for and the words that leave."""

    def __init__(self, config: DrainConfig, tiles: list[Tile], corrections: list[list[int]]):
        self.starts: list[int] = []
        self.corrections: dict[int, list[int]] = {}
        self.asked: list[int] = []
        self.sources: list[int] = []
        self.rewinds: list[int] = []
        self.words: list[Word] = []
        cycle, half, lanes = 0, 1 << config.width - 1, config.lanes
        for tile in tiles:
            cycle += tile.gap
            self.starts.append(cycle)
            for word in range(tile.words):
                correction = corrections[len(self.asked) % len(corrections)]
                sums = tile.sums[word * lanes : (word + 1) * lanes]
                values = [(a + b + half) % (2 * half) - half for a, b in zip(sums, correction, strict=True)]
                if tile.relu and not config.groups:
                    values = [max(value, 0) for value in values]
                ends = tile.end and word == tile.words - 1
                # Asked for in this cycle; the address's word arrives two cycles later.
                self.corrections[cycle + word + 2] = correction
                self.asked.append(cycle + word)
                self.sources.append(tile.vector)
                self.rewinds += [cycle + word] * (ends and tile.final)
                self.words.append(Word(cycle + word + Drain.LATENCY, values, ends, tile.final, tile.vector))
            cycle += config.interval


def play(config: DrainConfig, tiles: list[Tile], expected: Expected) -> list[dict[str, Any]]:
    """Start the tiles at their cycles; sums and corrections are there in their own cycles only."""
    noise = np.random.default_rng(7)
    half = 1 << config.width - 1

    def driver() -> Driver:
        starts = dict(zip(expected.starts, tiles, strict=True))
        for cycle in range(expected.words[-1].cycle + 4):
            tile, before = starts.get(cycle), starts.get(cycle - 1)
            inputs: dict[str, Any] = {
                "start": tile is not None,
                "sums": before.sums if before else noise.integers(-half, half, config.rows).tolist(),
                "corrections": expected.corrections.get(cycle, noise.integers(-half, half, config.lanes).tolist()),
            }
            if tile:
                fields = {"relu": tile.relu, "final": tile.final, "end": tile.end, "vector": tile.vector}
                inputs["tile"] = {"last_word": tile.words - 1, **fields}
            yield inputs

    return trace(Drain(config), driver(), *WATCHED)


@st.composite
def cases(draw: st.DrawFn) -> tuple[DrainConfig, list[Tile], list[list[int]]]:
    lanes = draw(st.integers(1, 3))
    groups, factors = draw(st.sampled_from([(0, False), (3, False), (3, True)]))
    config = DrainConfig(lanes * draw(st.integers(1, 4)), lanes, draw(st.integers(2, 18)), groups, factors)
    half = 1 << config.width - 1
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    tiles = [
        Tile(
            random.integers(-half, half, config.rows).tolist(),
            draw(st.integers(1, config.interval)),
            draw(st.booleans()),
            draw(st.booleans()),
            draw(st.booleans()),
            draw(st.integers(0, 1)),
            draw(st.integers(0, 3)),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]
    return config, tiles, random.integers(-half, half, (draw(st.integers(1, 9)), lanes)).tolist()


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_corrected_results_leave_a_stated_latency_after_the_start_one_word_a_cycle(
    case: tuple[DrainConfig, list[Tile], list[list[int]]],
) -> None:
    config, tiles, corrections = case
    expected = Expected(config, tiles, corrections)
    seen = play(config, tiles, expected)
    words = [
        Word(
            number,
            cycle["o.payload"]["data"],
            bool(cycle["o.payload"]["last"]),
            bool(cycle["of"]["final"]),
            cycle["of"]["vector"],
        )
        for number, cycle in enumerate(seen)
        if cycle["o.valid"]
    ]
    assert words == expected.words
    assert [number for number, cycle in enumerate(seen) if cycle["next_correction"]] == expected.asked
    assert [cycle["source"] for cycle in seen if cycle["next_correction"]] == expected.sources
    rewinds = [number for number, cycle in enumerate(seen) if cycle["next_correction"] and cycle["rewind"]]
    assert rewinds == expected.rewinds


def test_whole_tiles_follow_each_other_without_a_gap() -> None:
    config = DrainConfig(6, 2, 9)
    tiles = [Tile([index] * 6, 3, False, False, index == 3, 0, 0) for index in range(4)]
    expected = Expected(config, tiles, [[1, 1]])
    seen = play(config, tiles, expected)
    assert config.interval == 3
    assert [number for number, cycle in enumerate(seen) if cycle["o.valid"]] == list(
        range(Drain.LATENCY, Drain.LATENCY + 12)
    )
