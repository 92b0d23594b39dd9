"""Bench of the implementations of `rtl.array.interface.MacArray`: random tiles against the exact dot products.

Settings: ``array``, a name in `rtl.engine.config.ARRAYS`, and ``config``, the fields of its `ArrayConfig`. The sums
of exact ones can be tripled.
"""

from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge
from numpy.typing import NDArray

from golden.formats import ACTIVATION_MAX, EXACT, PACKINGS
from golden.trits import unpack
from rtl.array.interface import ArrayConfig, MacArray
from rtl.engine.config import ARRAYS
from sim.testbench import settings
from tb.bits import from_words, to_words
from tb.scoreboard import Scoreboard
from tb.streams import PERIOD, now, start

_TIMEOUT = 100_000 * PERIOD
_TILES = 150


class Chunk(NamedTuple):
    """A chunk at the inputs, or what triples the sums: the ports' bits, and the cycle in which they were seen."""

    cycle: int
    first: bool
    last: bool
    triple: bool
    activations: int
    weights: int


class Sums(NamedTuple):
    """A tile at the outputs: the cycle of `done`, and the sums modulo two to the accumulator's width."""

    cycle: int
    sums: tuple[int, ...]


class Model:
    """The sums that a tile's chunks make, without their correction, and when."""

    def __init__(self, config: ArrayConfig, array: type[MacArray]):
        self._config, self._latency, self._correction = config, array.latency(config), array.correction
        self._sums = np.zeros(config.rows, np.int64)

    def __call__(self, chunk: Chunk) -> list[Sums]:
        """The tile's sums with its last chunk, otherwise nothing."""
        if chunk.triple:
            self._sums *= 3
            return []
        rows, columns = self._config.rows, self._config.columns
        activations = from_words([chunk.activations], 8, columns)[0]
        packing = PACKINGS["2b"]
        packed = np.frombuffer(chunk.weights.to_bytes(-(-2 * rows * columns // 8), "little"), np.uint8)
        # The weights' port has the bits of a word of packing 2b, in which neg without nz is a zero.
        trits = unpack(packed, rows * columns, packing).reshape(rows, columns).astype(np.int64)
        if chunk.first:
            self._sums[:] = 0
        corrections = self._correction.plus * (trits == 1) + self._correction.minus * (trits == -1)
        self._sums += trits @ activations - corrections.sum(axis=1)
        if not chunk.last:
            return []
        modulus = 1 << self._config.accumulator_width
        return [Sums(chunk.cycle + self._latency, tuple(int(total) for total in self._sums % modulus))]


class ArrayBench:
    """The design, its monitors, and a driver of tiles."""

    def __init__(self, dut: Any, rng: np.random.Generator):
        self.config = ArrayConfig(**settings()["config"])
        array = ARRAYS[settings()["array"]]
        # Exact arrays of vendor cells have sums that just hold what activations are allowed to be.
        self.exact = array.correction is EXACT
        self.lowest = -ACTIVATION_MAX if self.exact else -ACTIVATION_MAX - 1
        self.latency = array.latency(self.config)
        self.scoreboard = Scoreboard("array", Model(self.config, array))
        self._dut, self._rng = dut, rng
        cocotb.start_soon(self._watch())

    async def tile(self, activations: NDArray[np.int64], codes: NDArray[np.int64], gap: float) -> None:
        """Give one tile: activations (chunks, C), weight codes (chunks, R·C), `gap` the probability of no chunk."""
        words = zip(to_words(activations, 8), to_words(codes, 2), strict=True)
        for index, (activation, code) in enumerate(words):
            while self._rng.random() < gap:
                await self._cycle(False, self._rng.random() < 0.5, self._rng.random() < 0.5, activation, code)
            await self._cycle(True, index == 0, index == len(activations) - 1, activation, code)
            if self.exact and index < len(activations) - 1 and self._rng.random() < 0.3:
                await self._cycle(False, False, True, activation, code, triple=True)

    async def finish(self) -> None:
        """Let the last tile out and see that none is missing."""
        await self._cycle(False, False, False, 0, 0)
        await ClockCycles(self._dut.clk, self.latency + 1)
        self.scoreboard.finish()

    async def _cycle(
        self, valid: bool, first: bool, last: bool, activations: int, weights: int, *, triple: bool = False
    ) -> None:
        dut = self._dut
        if self.exact:
            dut.triple.value = int(triple)
        dut.valid.value, dut.first.value, dut.last.value = int(valid), int(first), int(last)
        dut.activations.value, dut.weights.value = activations, weights
        await RisingEdge(dut.clk)

    async def _watch(self) -> None:
        dut, config = self._dut, self.config
        while True:
            await RisingEdge(dut.clk)
            triple = self.exact and bool(dut.triple.value)
            if dut.valid.value or triple:
                first, last = bool(dut.first.value), bool(dut.last.value)
                self.scoreboard.take(
                    Chunk(now(), first, last, triple, int(dut.activations.value), int(dut.weights.value))
                )
            if dut.done.value:
                sums = from_words([int(dut.sums.value)], config.accumulator_width, config.rows, signed=False)[0]
                self.scoreboard.give(Sums(now(), tuple(int(total) for total in sums)))


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def random_tiles(dut: Any) -> None:
    """Tiles of random lengths, back to back and with gaps; -128 and unnormalised zero weights among the inputs."""
    rng = await start(dut)
    bench = ArrayBench(dut, rng)
    cells = bench.config.rows * bench.config.columns
    longest = -(-bench.config.inputs // bench.config.columns)
    for gap in (0.0, 0.5):
        for _ in range(_TILES):
            chunks = int(rng.integers(1, longest + 1))
            activations = rng.integers(bench.lowest, 128, (chunks, bench.config.columns))
            await bench.tile(activations, rng.integers(4, size=(chunks, cells)), gap)
    await bench.finish()
    assert bench.scoreboard.compared == 2 * _TILES


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def extreme_tiles(dut: Any) -> None:
    """The longest tiles with the largest sums of either sign, and longer ones whose sums wrap."""
    rng = await start(dut)
    bench = ArrayBench(dut, rng)
    cells = bench.config.rows * bench.config.columns
    longest = -(-bench.config.inputs // bench.config.columns)
    for activation in (127, -127, bench.lowest):
        for code in range(4):
            for chunks in (1, longest, 3 * longest):
                shape = (chunks, bench.config.columns)
                await bench.tile(np.full(shape, activation), np.full((chunks, cells), code), 0.0)
    await bench.finish()
