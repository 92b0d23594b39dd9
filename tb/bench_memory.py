"""Bench of `rtl.memory.loadable.LoadableMemory` and its kin: words loaded and read in any order, one a cycle.

Settings: ``transfers`` and ``depth``, as the memory has them, and ``latency``.
"""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.formats import LOAD_WIDTH
from sim.testbench import settings
from tb.streams import PERIOD, start

_TIMEOUT = 100_000 * PERIOD
_CYCLES = 4000
_WORDS = 200


class MemoryBench:
    """The design, a model of what has been loaded, and the reads that are on their way.

    Attributes
    ----------
    addresses
        The words that the bench works on: the first, the last, those on either side of each power of two, others.
    compared
        Reads that were compared.

    """

    def __init__(self, dut: Any, rng: np.random.Generator):
        self._dut, self._rng = dut, rng
        self._transfers, depth, self._latency = (settings()[name] for name in ("transfers", "depth", "latency"))
        edges = {0, depth - 1} | {edge - below for edge in (1 << bit for bit in range(24)) for below in (0, 1)}
        others = {int(address) for address in rng.integers(depth, size=_WORDS)}
        self.addresses = sorted(address for address in edges | others if address < depth)
        self.compared = 0
        self._kept: dict[int, int] = {}
        self._expected: list[int | None] = []
        self._pending: list[tuple[int, list[int]]] = []

    async def cycle(self, *, load: bool, read: int | None) -> None:
        """One cycle: the next transfer of a random word, if `load`; a read, if the memory's port is free for it."""
        dut, rng = self._dut, self._rng
        if load and not self._pending:
            address = int(rng.choice(self.addresses))
            transfers = [int(rng.integers(1 << LOAD_WIDTH)) for _ in self._transfers]
            self._pending = [(address, transfers[: index + 1]) for index in range(len(transfers))]
        dut.load_valid.value = int(load)
        # What is not valid is noise.
        dut.load_address.value, dut.load_data.value = (int(rng.choice(self.addresses)), int(rng.integers(1 << 32)))
        dut.load_last.value = int(rng.integers(2))
        completed = None
        if load:
            address, transfers = self._pending.pop(0)
            dut.load_address.value, dut.load_data.value = address, transfers[-1]
            dut.load_last.value = int(not self._pending)
            completed = None if self._pending else (address, transfers)
        dut.address.value = int(rng.choice(self.addresses)) if read is None else read
        await RisingEdge(dut.clk)
        if len(self._expected) == self._latency:
            expected = self._expected.pop(0)
            if expected is not None:
                assert int(dut.data.value) == expected, f"data is {int(dut.data.value):x}; {expected:x} was loaded"
                self.compared += 1
        self._expected.append(self._kept.get(read) if read is not None and not completed else None)
        if completed:
            address, transfers = completed
            self._kept[address] = self._word(transfers)

    def _word(self, transfers: list[int]) -> int:
        word, shift = 0, 0
        for value, bits in zip(transfers, self._transfers, strict=True):
            word |= (value & (1 << bits) - 1) << shift
            shift += bits
        return word


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def loads_and_reads(dut: Any) -> None:
    """Mostly loads, then mostly reads, each also alone; a read gives what was last loaded, the latency later."""
    rng = await start(dut)
    bench = MemoryBench(dut, rng)
    for share in (1.0, 0.8, 0.2, 0.0):
        for _ in range(_CYCLES):
            await bench.cycle(load=rng.random() < share, read=int(rng.choice(bench.addresses)))
    for address in bench.addresses:
        await bench.cycle(load=False, read=address)
    for _ in range(settings()["latency"]):
        await bench.cycle(load=False, read=None)
    assert bench.compared > _CYCLES
