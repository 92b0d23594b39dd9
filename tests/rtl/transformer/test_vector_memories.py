# amaranth: UnusedElaboratable=no
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import signed
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.language.format import LanguageFormat, Shape
from rtl.transformer.config import LEAST_EXPONENT, DecoderConfig
from rtl.transformer.peak_memory import PeakMemory
from rtl.transformer.scale_memory import ScaleMemory
from rtl.transformer.vector_memory import VectorMemory
from sim.pysim import steps, trace

SHAPE = Shape(vocabulary=11, hidden=16, blocks=2, heads=2, key_heads=2, head=8, intermediate=20, context=9)


@settings(max_examples=10)
@given(lanes=st.integers(1, 4), depth=st.integers(1, 9), readers=st.integers(1, 3), seed=st.integers(0, 2**16))
def test_vectors_and_peaks_are_read_from_the_cycle_after_their_write_on(
    lanes: int, depth: int, readers: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    cycles = 60
    writes = [
        {
            "valid": int(random.integers(2)),
            "payload": {"address": int(random.integers(depth)), "data": random.integers(-16, 16, lanes).tolist()},
        }
        for _ in range(cycles)
    ]
    addresses = random.integers(depth, size=(cycles, readers)).tolist()
    vectors = [
        {"write.valid": write["valid"], "write.payload": write["payload"], "address": address[0]}
        for write, address in zip(writes, addresses, strict=True)
    ]
    peaks = [
        {
            "write.valid": write["valid"],
            "write.payload": {"index": write["payload"]["address"], "value": write["payload"]["data"][0]},
            "address": address,
        }
        for write, address in zip(writes, addresses, strict=True)
    ]
    words = trace(VectorMemory(signed(5), lanes, depth), steps([*vectors, {}, {}]), "word")
    numbers = trace(PeakMemory(signed(5), depth, readers), steps([*peaks, {}, {}]), "value")

    kept = [[0] * lanes for _ in range(depth)]
    for cycle, (write, address) in enumerate(zip(writes, addresses, strict=True)):
        assert words[cycle + VectorMemory.LATENCY]["word"] == kept[address[0]]
        assert numbers[cycle + PeakMemory.LATENCY]["value"] == [kept[index][0] for index in address]
        if write["valid"]:
            kept[write["payload"]["address"]] = write["payload"]["data"]


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("scale_bits", [8, 13])
def test_scalars_are_written_one_by_one_and_read_by_words(lanes: int, scale_bits: int) -> None:
    config = DecoderConfig(SHAPE, LanguageFormat(scale_bits=scale_bits), 8, 12, lanes)
    random = np.random.default_rng(7)
    regions = SHAPE.blocks * SHAPE.key_heads
    kept = np.full((regions, config.score_words * lanes, 2), [0, LEAST_EXPONENT])
    driven: list[dict[str, Any]] = []
    for region, position in random.permutation([(r, p) for r in range(regions) for p in range(9)]).tolist() * 2:
        mantissa = int(random.integers(1 << scale_bits - 1, 1 << scale_bits))
        scalar = (mantissa, int(random.integers(LEAST_EXPONENT + 1, 256))) if random.random() < 0.8 else kept[0, 9]
        kept[region, position] = scalar
        payload = {
            "region": region,
            "position": position,
            "scalar": {"mantissa": int(scalar[0]), "exponent": int(scalar[1])},
        }
        driven.append({"write.valid": 1, "write.payload": payload})
    driven.append({"write.valid": 0})
    places = [(region, word) for region in range(regions) for word in range(8 // lanes)]
    start = len(driven)
    driven += [{"address": {"region": region, "word": word}} for region, word in places]
    seen = trace(ScaleMemory(config), steps([*driven, {}, {}]), "scalars")
    for cycle, (region, word) in enumerate(places, start + ScaleMemory.LATENCY):
        found = [[scalar["mantissa"], scalar["exponent"]] for scalar in seen[cycle]["scalars"]]
        assert found == kept[region, word * lanes :][:lanes].tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VectorMemory(8, 0, 4), "vector memory: lanes is 0"),
        (lambda: VectorMemory(8, 1, 65537), "vector memory: depth is 65537"),
        (lambda: PeakMemory(8, 0, 1), "peak memory: depth is 0"),
        (lambda: PeakMemory(8, 1, 17), "peak memory: readers is 17"),
    ],
)
def test_sizes_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        make()
