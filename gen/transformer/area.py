"""An estimate of a decoder's logic and block RAM, close enough to choose a fold by; builds measure the real thing."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from gen.plan.area import DECODER_LUT4, array_lut4
from gen.plan.devices import FAMILIES
from gen.transformer.memories import DecoderMemory, decoder_memories
from golden.formats import PACKINGS
from rtl.transformer.array_unit import ArrayUnit
from rtl.transformer.config import DecoderConfig

_LANES: Final = {"elements": (120, 690), "quantiser": (110, 350), "results": (90, 380)}
"""LUT4 of a unit, and of each of its lanes."""
_SCALARS: Final = 575
_CONTROL: Final = 250
"""LUT4 of the sequencer, and of what is between the units."""
_SAMPLER: Final = (110, 60, 14)
"""LUT4 of the sampler, of a logit that it takes at a time, and of a lane."""
_PRODUCTS: Final = (1, 6)
"""Products of a decoder, and of each lane."""
_PRODUCT_LUT4: Final = 300
"""Of one where there is no multiplier for it."""
_CELL_LUT4: Final = 6
"""Of 16 words of 4 bits in ECP5's logic: four, and two that cannot be used beside them."""


@dataclass(frozen=True)
class DecoderArea:
    """What a decoder takes of a device, as synthesis counts it.

    Parameters
    ----------
    family
        Device family.
    logic
        LUT4 by part; a carry cell of n bits counts n.
    block_rams
        Block RAMs by use.
    multipliers
        Of 18 x 18 bits.

    """

    family: str
    logic: dict[str, int]
    block_rams: dict[str, int]
    multipliers: int

    @property
    def lut4(self) -> int:
        """All LUT4."""
        return sum(self.logic.values())


def estimate_decoder(config: DecoderConfig, entries: int, family: str = "ecp5", multipliers: int = 0) -> DecoderArea:
    """Count what a decoder with so many entries of its program takes, where there are so many multipliers.

    Constants are of ``names`` at 4x4x1 and 8x8x4, synthesised part by part for ECP5 in the default format.
    """
    rows, columns, lanes = config.rows, config.columns, config.lanes
    memories = decoder_memories(config, entries)
    groups = PACKINGS[config.packing].groups(rows * columns)
    base, choice, lane = _SAMPLER
    logic = {
        "array": array_lut4(config.array, ArrayUnit.array(config), family),
        "weights' decoder": groups * DECODER_LUT4[config.packing],
        # Which of three the array takes, an embedding's row, and the way into the caches.
        "array's sides": 330 + 50 * lanes + 3 * rows * columns + 2 * rows * columns // lanes,
        **{unit: first + lanes * each for unit, (first, each) in _LANES.items()},
        "scalars": _SCALARS,
        "sampler": base + choice * config.choices + lane * lanes,
        "memories": sum(_logic(memory, family) for memory in memories),
        "control": _CONTROL,
    }
    products = _PRODUCTS[0] + lanes * _PRODUCTS[1]
    if products > multipliers and not _needs_multipliers(family):
        logic["products"] = (products - multipliers) * _PRODUCT_LUT4
    block_rams: Counter[str] = Counter()
    for memory in memories:
        block_rams[memory.use] += block_rams_of(memory, family)
    needed = products if _needs_multipliers(family) else min(products, multipliers)
    return DecoderArea(family, logic, dict(block_rams), needed)


def block_rams_of(memory: DecoderMemory, family: str) -> int:
    """Block RAMs of one memory; 0 if it becomes logic."""
    shared = 2 if memory.constant and family == "ecp5" else 1
    return FAMILIES[family].needed(memory.words, memory.bits, memory.part) * -(-memory.readers // shared)


def _needs_multipliers(family: str) -> bool:
    """Yosys makes all products of multipliers on ECP5, and of logic what iCE40 has no multipliers for."""
    return family == "ecp5"


def _logic(memory: DecoderMemory, family: str) -> int:
    """LUT4 of one that becomes logic: its words, and the choice among them."""
    if block_rams_of(memory, family):
        return 0
    if family != "ecp5":
        return memory.words * memory.bits * 3 // 2
    deep, part = -(-memory.words // 16), memory.part or memory.bits
    cells = deep * (memory.bits // part) * -(-part // 4)
    return memory.readers * (cells * _CELL_LUT4 + (deep - 1) * memory.bits * 2 // 3)
