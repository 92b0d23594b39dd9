# amaranth: UnusedElaboratable=no
from typing import Any

import numpy as np
import pytest

from golden.language.format import LanguageFormat, Shape
from rtl.transformer.config import DecoderConfig
from rtl.transformer.element_factors import ElementFactors
from sim.pysim import steps, trace

SHAPE = Shape(vocabulary=11, hidden=16, blocks=1, heads=2, key_heads=1, head=8, intermediate=20, context=3)


@pytest.mark.parametrize("lanes", [1, 4])
def test_factors_are_loaded_and_read_in_order_and_by_position(lanes: int) -> None:
    config = DecoderConfig(SHAPE, LanguageFormat(gain_bits=9, rotation_bits=10), 4, 4, lanes)
    random, half = np.random.default_rng(lanes), 4 // lanes
    gains = random.integers(-511, 512, (ElementFactors.gain_words(config), lanes)).tolist()
    angles = random.integers(-1024, 1025, (ElementFactors.rotation_words(config), lanes, 2)).tolist()
    driven: list[dict[str, Any]] = []
    for port, words, bits in (
        ("load_gains", gains, 10),
        ("load_rotations", [[wave for angle in word for wave in angle] for word in angles], 12),
    ):
        for address, word in enumerate(words):
            whole = sum((value & (1 << bits) - 1) << bits * place for place, value in enumerate(word))
            parts = range(-(-len(word) * bits // 32))
            for part in parts:
                load = {"load_data": whole >> 32 * part & 0xFFFFFFFF, "load_last": part == parts[-1]}
                driven.append({"load_gains": 0, "load_rotations": 0, port: 1, "load_address": address, **load})
    driven.append({"load_gains": 0, "load_rotations": 0})
    start, expected, gain = len(driven), [], 0
    for cycle in range(60):
        takes, rewind, position, word = cycle % 3 != 0, cycle in (1, 20, 40), cycle // 20, cycle % half
        # The position has been steady for a cycle when its angles are read.
        driven.append({"takes": takes, "rewind": rewind, "position": position, "word": word})
        angle = angles[position * half + word] if cycle % 20 else None
        expected.append((gains[gain], angle))
        gain = 0 if rewind else gain + takes
    seen = trace(ElementFactors(config, [], []), steps([*driven, {}, {}]), "gains", "rotations")
    for cycle, (gains_now, angles_now) in enumerate(expected, start + ElementFactors.LATENCY):
        assert seen[cycle]["gains"] == gains_now
        found = [[angle["cosine"], angle["sine"]] for angle in seen[cycle]["rotations"]]
        assert angles_now is None or found == angles_now
