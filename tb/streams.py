"""Streams under test: drivers, sinks and monitors, with random stalls and a check of the rules of transfer."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time

Word = tuple[int, ...]
"""A word of a stream: the bits of each field, in the order in which the fields are named."""

PERIOD = 2
"""Simulator steps a clock cycle."""


async def start(dut: Any) -> np.random.Generator:
    """Start the clock and reset the design; gives the source of the test's randomness."""
    Clock(dut.clk, PERIOD, unit="step").start(start_high=False)
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    return np.random.default_rng(cocotb.RANDOM_SEED)


def now() -> int:
    """The number of the current clock cycle; at a rising edge, of the cycle that it ends."""
    return int(get_sim_time("step")) // PERIOD


class StreamDriver:
    """Offers words to a stream of the design; while it offers none, the payload is noise.

    Parameters
    ----------
    dut
        The design.
    name
        Of the stream, as in its ports ``name_valid`` and ``name_ready``.
    fields
        Of the payload, as in the ports ``name_field``.
    rng
        Source of the stalls and the noise.
    stall
        Probability, 0 to 1, that no word is offered in a cycle in which one could be. May be changed at any time.

    """

    def __init__(self, dut: Any, name: str, fields: Sequence[str], rng: np.random.Generator, *, stall: float = 0.0):
        self.stall = stall
        self._edge = RisingEdge(dut.clk)
        self._valid, self._ready = dut[f"{name}_valid"], dut[f"{name}_ready"]
        self._payload = [dut[f"{name}_{field}"] for field in fields]
        self._rng = rng.spawn(1)[0]
        self._words: deque[Word] = deque()
        cocotb.start_soon(self._run())

    def send(self, words: Iterable[Word]) -> None:
        """Words to offer after those given before."""
        self._words.extend(words)

    async def sent(self) -> None:
        """Wait until the design has taken all words."""
        while self._words:
            await self._edge

    async def _run(self) -> None:
        while True:
            if not self._words or self._rng.random() < self.stall:
                self._valid.value = 0
                for handle in self._payload:
                    handle.value = int.from_bytes(self._rng.bytes(-(-len(handle) // 8)), "big") % (1 << len(handle))
                await self._edge
                continue
            self._valid.value = 1
            for handle, value in zip(self._payload, self._words[0], strict=True):
                handle.value = value
            await self._edge
            while not self._ready.value:
                await self._edge
            self._words.popleft()


class StreamSink:
    """Takes words from a stream of the design.

    Parameters
    ----------
    dut, name, rng
        As for `StreamDriver`.
    stall
        Probability, 0 to 1, that it is not ready in a cycle. May be changed at any time.

    """

    def __init__(self, dut: Any, name: str, rng: np.random.Generator, *, stall: float = 0.0):
        self.stall = stall
        self._edge = RisingEdge(dut.clk)
        self._ready = dut[f"{name}_ready"]
        self._rng = rng.spawn(1)[0]
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            self._ready.value = int(self._rng.random() >= self.stall)
            await self._edge


class StreamMonitor:
    """Watches a stream, on either side of the design, and holds it to the rules.

    A word that is offered stays, with all its fields, until it is taken; an AssertionError says what changed.

    Parameters
    ----------
    dut, name, fields
        As for `StreamDriver`.
    observers
        Called with each word that is transferred.

    Attributes
    ----------
    times
        The cycle of each transfer.

    """

    def __init__(self, dut: Any, name: str, fields: Sequence[str], *observers: Callable[[Word], None]):
        self.times: list[int] = []
        self._name, self._observers = name, observers
        self._edge = RisingEdge(dut.clk)
        self._valid, self._ready = dut[f"{name}_valid"], dut[f"{name}_ready"]
        self._payload = [dut[f"{name}_{field}"] for field in fields]
        cocotb.start_soon(self._run())

    async def transferred(self, count: int) -> None:
        """Wait until that many words have been transferred in all."""
        while len(self.times) < count:
            await self._edge

    async def _run(self) -> None:
        offered: Word | None = None
        while True:
            await self._edge
            if not self._valid.value:
                assert offered is None, f"{self._name}: in cycle {now()} the offer of {offered} is withdrawn"
                continue
            word = tuple(int(handle.value) for handle in self._payload)
            assert offered in (None, word), f"{self._name}: in cycle {now()} the offer of {offered} becomes {word}"
            offered = word
            if self._ready.value:
                offered = None
                self.times.append(now())
                for observe in self._observers:
                    observe(word)
