import re
from collections import Counter
from dataclasses import replace

import pytest

from gen.plan.devices import FAMILIES
from gen.plan.plan import Fold
from gen.transformer.memories import decoder_memories, powers_table
from gen.transformer.plan import plan_decoder
from golden.language.format import Shape
from support.language_models import SMALL, random_model


@pytest.mark.parametrize(
    ("shape", "fold"),
    [
        (SMALL, Fold(4, 4, 1)),
        (replace(SMALL, vocabulary=300, blocks=3, intermediate=50, context=70), Fold(8, 4, 2)),
    ],
)
def test_a_decoder_has_these_memories(shape: Shape, fold: Fold) -> None:
    plan = plan_decoder(random_model(shape), fold)
    listed = decoder_memories(plan.config, plan.cycles.program.entries)
    expected = Counter((memory.words, memory.bits) for memory in listed)
    expected[powers_table(plan.config)] += fold.lanes
    found = re.findall(r"^  reg \[(\d+):0\] \S+ ?\[(\d+):0\];", plan.verilog(initialised=False), re.MULTILINE)
    there = Counter((int(last) + 1, int(high) + 1) for high, last in found)
    assert expected - there == Counter()
    # Yosys makes small tables of functions of a few bits.
    assert all(words * bits < 200 for words, bits in there - expected)


@pytest.mark.parametrize(
    ("family", "words", "bits", "part", "blocks"),
    [
        # What Yosys makes of caches, scales of tokens and activations.
        ("ecp5", 97, 32, 2, 4),
        ("ecp5", 25, 128, 8, 0),
        ("ecp5", 400, 512, 8, 16),
        ("ecp5", 145, 512, 16, 16),
        ("ecp5", 49, 55, 0, 2),
        ("ecp5", 49, 48, 0, 0),
        ("ice40", 97, 32, 2, 2),
    ],
)
def test_memories_that_are_written_in_parts_take_more(
    family: str, words: int, bits: int, part: int, blocks: int
) -> None:
    assert FAMILIES[family].needed(words, bits, part) == blocks
