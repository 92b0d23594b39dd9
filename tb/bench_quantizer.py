"""Bench of `rtl.quantiser.quantiser.Quantizer` against `golden.quantise.quantise_activations`.

Settings: ``config``, the fields of its `QuantizerConfig`.
"""

from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from golden.quantise import quantise_activations
from rtl.quantiser.config import QuantizerConfig
from sim.testbench import settings
from tb.bits import from_words, to_words
from tb.scoreboard import Scoreboard, Vectors
from tb.streams import PERIOD, StreamDriver, StreamMonitor, StreamSink, Word, start

_TIMEOUT = 300_000 * PERIOD
_FIELDS = ("data", "last", "channel")
_VECTORS = 60


class QuantizerBench:
    """The design between a driver and a sink, watched by monitors and a scoreboard for each channel.

    Attributes
    ----------
    lengths
        Words of each vector that was sent.
    maxima, values
        The maxima of the vectors seen at the input, and how many different values the vectors had, summed.

    """

    def __init__(self, dut: Any, rng: np.random.Generator):
        fields = settings()["config"]
        self.config = QuantizerConfig(**(fields | {"depths": tuple(fields["depths"])}))
        self.scoreboards = [
            Scoreboard(f"channel {channel}", Vectors(lambda words: bool(words[-1][1]), self._model))
            for channel in range(len(self.config.depths))
        ]
        self.driver = StreamDriver(dut, "i", _FIELDS, rng)
        self.sink = StreamSink(dut, "o", rng)
        self.inputs = StreamMonitor(dut, "i", _FIELDS, lambda word: self.scoreboards[word[2]].take(word))
        self.outputs = StreamMonitor(dut, "o", _FIELDS, lambda word: self.scoreboards[word[2]].give(word))
        self.lengths: list[int] = []
        self.maxima: list[int] = []
        self.values = 0

    def send(self, *vectors: NDArray[np.integer[Any]], order: np.random.Generator | None = None) -> None:
        """Send vectors, shape (words, lanes), one a channel, one after another or in a random order of their words."""
        words = [
            [
                (word, int(index == len(vector) - 1), channel)
                for index, word in enumerate(to_words(vector, self.config.width))
            ]
            for channel, vector in enumerate(vectors)
        ]
        self.lengths += [len(vector) for vector in words]
        turns = [channel for channel, vector in enumerate(words) for _ in vector]
        if order:
            order.shuffle(turns)
        self.driver.send(words[channel].pop(0) for channel in turns)

    async def finish(self) -> None:
        """Wait for all results and see that none is missing."""
        await self.outputs.transferred(sum(self.lengths))
        for scoreboard in self.scoreboards:
            scoreboard.finish()

    def _model(self, words: list[Word]) -> list[Word]:
        values = from_words([word[0] for word in words], self.config.width, self.config.lanes)
        quantised, maximum = quantise_activations(values.reshape(-1))
        self.maxima.append(int(maximum[0]))
        self.values += len(np.unique(values))
        data = to_words(quantised.reshape(values.shape), 8)
        return [(value, *word[1:]) for value, word in zip(data, words, strict=True)]


def random_vector(rng: np.random.Generator, config: QuantizerConfig, depth: int) -> NDArray[np.int64]:
    """A vector of 1 to `depth` words: faint as often as large, and one in four with all values at the limit."""
    largest = (1 << config.width - 1) - 1
    limit = min(int(2 ** rng.uniform(-1, config.width - 1)), largest)
    values = rng.integers(-limit, limit + 1, (int(rng.integers(1, depth + 1)), config.lanes))
    if rng.random() < 0.25:
        values = np.sign(values) * limit
    return values


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def random_vectors(dut: Any) -> None:
    """Random vectors, first without stalls, then with stalls at the input, at the output, at both."""
    rng = await start(dut)
    bench = QuantizerBench(dut, rng)
    for bench.driver.stall, bench.sink.stall in ((0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.3, 0.3), (0.8, 0.8)):
        for _ in range(_VECTORS):
            bench.send(*(random_vector(rng, bench.config, depth) for depth in bench.config.depths), order=rng)
        bench.send(*(np.zeros((depth, bench.config.lanes), np.int64) for depth in bench.config.depths))
        await bench.finish()
    assert min(bench.maxima) == 1
    assert max(bench.maxima) > 1 << bench.config.width - 2


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def timing(dut: Any) -> None:
    """Vectors of one channel, back to back: every word enters and leaves in the cycle that the datasheet names."""
    rng = await start(dut)
    bench = QuantizerBench(dut, rng)
    for _ in range(_VECTORS):
        bench.send(random_vector(rng, bench.config, bench.config.depths[0]))
    await bench.finish()
    entered, left = bench.inputs.times, bench.outputs.times
    pause = bench.config.handover_latency
    enters, leaves, free = entered[0], [], 0
    for length in bench.lengths:
        assert entered[:length] == list(range(enters, enters + length))
        entered = entered[length:]
        # A vector is handed over once its maximum is known and the one before it has left the ring.
        handover = max(enters + length - 1 + pause, free)
        free, enters = handover + length, handover + bench.config.REOPENING
        first = handover - pause + bench.config.latency
        leaves += range(first, first + length)
    assert left == leaves


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def every_pair(dut: Any) -> None:
    """Every value with every maximum that the width allows, both signs; the depth must hold them all."""
    rng = await start(dut)
    bench = QuantizerBench(dut, rng)
    largest = (1 << bench.config.width - 1) - 1
    for maximum in range(1, largest + 1):
        values = np.arange(-maximum, maximum + 1)
        bench.send(np.pad(values, (0, -len(values) % bench.config.lanes)).reshape(-1, bench.config.lanes))
    await bench.finish()
    assert bench.maxima == list(range(1, largest + 1))
    assert bench.values == sum(2 * maximum + 1 for maximum in bench.maxima)
