"""Bench of `rtl.quantizer.Quantizer` against `golden.quantise.quantise_activations`.

Settings: ``config``, the fields of its `QuantizerConfig`.
"""

from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from golden.quantise import quantise_activations
from rtl.quantizer import QuantizerConfig
from sim.testbench import settings
from tb.bits import from_words, to_words
from tb.scoreboard import Scoreboard, Vectors
from tb.streams import PERIOD, StreamDriver, StreamMonitor, StreamSink, Word, start

_TIMEOUT = 300_000 * PERIOD
_FIELDS = ("data", "last")
_VECTORS = 60


class QuantizerBench:
    """The design between a driver and a sink, watched by monitors and a scoreboard.

    Attributes
    ----------
    lengths
        Words of each vector that was sent.
    maxima, values
        The maxima of the vectors seen at the input, and how many different values the vectors had, summed.

    """

    def __init__(self, dut: Any, rng: np.random.Generator):
        self.config = QuantizerConfig(**settings()["config"])
        self.scoreboard = Scoreboard("quantiser", Vectors(lambda words: bool(words[-1][1]), self._model))
        self.driver = StreamDriver(dut, "i", _FIELDS, rng)
        self.sink = StreamSink(dut, "o", rng)
        self.inputs = StreamMonitor(dut, "i", _FIELDS, self.scoreboard.take)
        self.outputs = StreamMonitor(dut, "o", _FIELDS, self.scoreboard.give)
        self.lengths: list[int] = []
        self.maxima: list[int] = []
        self.values = 0

    def send(self, values: NDArray[np.integer[Any]]) -> None:
        """Send a vector, shape (words, lanes)."""
        words = to_words(values, self.config.width)
        self.lengths.append(len(words))
        self.driver.send((word, int(index == len(words) - 1)) for index, word in enumerate(words))

    async def finish(self) -> None:
        """Wait for all results and see that none is missing."""
        await self.outputs.transferred(sum(self.lengths))
        self.scoreboard.finish()

    def _model(self, words: list[Word]) -> list[Word]:
        values = from_words([data for data, _ in words], self.config.width, self.config.lanes)
        quantised, maximum = quantise_activations(values.reshape(-1))
        self.maxima.append(int(maximum[0]))
        self.values += len(np.unique(values))
        data = to_words(quantised.reshape(values.shape), 8)
        return [(word, last) for word, (_, last) in zip(data, words, strict=True)]


def random_vector(rng: np.random.Generator, config: QuantizerConfig) -> NDArray[np.int64]:
    """A vector of 1 to `depth` words: faint as often as large, and one in four with all values at the limit."""
    largest = (1 << config.width - 1) - 1
    limit = min(int(2 ** rng.uniform(-1, config.width - 1)), largest)
    values = rng.integers(-limit, limit + 1, (int(rng.integers(1, config.depth + 1)), config.lanes))
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
            bench.send(random_vector(rng, bench.config))
        bench.send(np.zeros((bench.config.depth, bench.config.lanes), np.int64))
        await bench.finish()
    assert min(bench.maxima) == 1
    assert max(bench.maxima) > 1 << bench.config.width - 2


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def timing(dut: Any) -> None:
    """Vectors back to back without stalls: every word enters and leaves in the cycle that the datasheet names."""
    rng = await start(dut)
    bench = QuantizerBench(dut, rng)
    for _ in range(_VECTORS):
        bench.send(random_vector(rng, bench.config))
    await bench.finish()
    entered, left = bench.inputs.times, bench.outputs.times
    pause = 1 + bench.config.tree
    enters, leaves, free = entered[0], [], 0
    for length in bench.lengths:
        assert entered[:length] == list(range(enters, enters + length))
        entered = entered[length:]
        # A vector is handed over once its maximum is known and the one before it has left the ring.
        handover = max(enters + length - 1 + pause, free)
        free, enters = handover + length, handover + 1
        first = handover - pause + bench.config.latency
        leaves += range(first, first + length)
    assert left == leaves


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def every_pair(dut: Any) -> None:
    """Every value with every maximum that the width allows, both signs; `depth` words must hold them all."""
    rng = await start(dut)
    bench = QuantizerBench(dut, rng)
    largest = (1 << bench.config.width - 1) - 1
    for maximum in range(1, largest + 1):
        values = np.arange(-maximum, maximum + 1)
        bench.send(np.pad(values, (0, -len(values) % bench.config.lanes)).reshape(-1, bench.config.lanes))
    await bench.finish()
    assert bench.maxima == list(range(1, largest + 1))
    assert bench.values == sum(2 * maximum + 1 for maximum in bench.maxima)
