# amaranth: UnusedElaboratable=no
from typing import Any

import pytest

from rtl.memory.activation_buffer import BufferConfig
from rtl.memory.factor import FactorMemory
from sim.pysim import Driver, trace


@pytest.mark.parametrize("vectors", [1, 2])
def test_factors_are_kept_by_region_and_inputs_take_turns(vectors: int) -> None:
    memory = FactorMemory(vectors=vectors, groups=3, buffer=BufferConfig(1, 1, (1,) * 2 * vectors))
    value = 0
    kept: dict[tuple[int, int], int] = {}
    writes: list[dict[str, int]] = []
    inputs = 0
    # Inputs of one to three groups between results of either vector's layers.
    for channel, groups in [(vectors, 3), (0, 2), (vectors, 1), (vectors - 1, 3), (vectors, 2), (vectors, 3)]:
        region = channel
        if channel == vectors:
            region, inputs = vectors + inputs % vectors, inputs + 1
        for group in range(groups):
            value += 1000
            writes.append({"valid": 1, "channel": channel, "group": group, "value": value % (1 << 15)})
            writes.append({"valid": 0, "channel": vectors, "group": 0, "value": 1})
            kept[region, group] = value % (1 << 15)

    def driver() -> Driver:
        for write in writes:
            yield {"factor": write}
        for region, group in kept:
            yield {"region": region, "group": group}
        yield {}

    seen: list[dict[str, Any]] = trace(memory, driver(), "value")
    read = seen[len(writes) + FactorMemory.LATENCY :]
    assert [cycle["value"] for cycle in read[: len(kept)]] == list(kept.values())
