"""An estimate of an engine's logic and block RAM, close enough to choose a fold by; builds measure the real thing."""

from dataclasses import dataclass

from gen.plan.devices import FAMILIES
from golden.formats import PACKINGS
from rtl.array.ecp5 import Ecp5Array
from rtl.array.exact import ExactArray
from rtl.array.exact_ecp5 import ExactEcp5Array
from rtl.array.ice40 import Ice40Array
from rtl.array.interface import ArrayConfig
from rtl.engine.config import ARRAYS, EngineConfig

DECODER_LUT4 = {"2b": 0, "3t5b": 5, "5t8b": 18}
"""Of one group's decoder."""
_CONTROL = 540
"""LUT4 of sequencer, addresses, streams and small memories."""
_IN_FLIGHT = 200
"""LUT4 of what each vector in flight has of its own."""


@dataclass(frozen=True)
class Area:
    """What an engine takes of a device, as synthesis counts it: before placement, which adds carry-chain ends.

    Parameters
    ----------
    family
        Device family.
    array, decoder, quantiser, rest
        LUT4; a carry cell of n bits counts n.
    block_rams
        Block RAMs of the family.
    multipliers
        Of 18 x 18 bits.

    """

    family: str
    array: int
    decoder: int
    quantiser: int
    rest: int
    block_rams: int
    multipliers: int

    @property
    def lut4(self) -> int:
        """All LUT4."""
        return self.array + self.decoder + self.quantiser + self.rest


def estimate_area(config: EngineConfig, family: str = "ecp5") -> Area:
    """Count operators, as the families' LUT4 and carry cells hold them.

    The array is counted bit by bit and agrees with synthesis within a per cent; the quantiser's 23 LUT4 a bit and
    lane and its base were fitted to synthesis of 1 and 4 lanes of 12 and 18 bits. Whole engines are within a fifth.
    """
    quantiser = _multiplying(config) if config.divider == "multiplying" else _restoring(config)
    rows, columns, lanes, width = config.rows, config.columns, config.lanes, config.accumulator_width
    built = [name for name in config.depths if not (config.spram and name == "weights")]
    memories = [(config.depths[name], sum(config.transfers[name])) for name in built]
    memories += [
        (sum(config.quantizer.depths), lanes * config.quantizer.width),
        (sum(config.buffer.depths), columns * 8),
        (config.vectors * config.result_words, lanes * config.result_width + 1),
        *([(sum(config.norm.depths), lanes * config.norm.width)] if config.norm else []),
    ]
    # A scaling engine's row sums and their adders. Its products are left to multipliers, which HX8K does not have.
    scaling = 2 * lanes * config.scaling.accumulator_bits if config.scaling else 0
    block_ram = FAMILIES[family]
    return Area(
        family=family,
        array=array_lut4(config.array, config.array_config, family),
        decoder=PACKINGS[config.packing].groups(rows * columns) * DECODER_LUT4[config.packing],
        quantiser=quantiser,
        rest=rows * width + _CONTROL + _IN_FLIGHT * config.vectors + scaling + _norm(config),
        block_rams=sum(block_ram.needed(words, bits) for words, bits in memories),
        multipliers=multipliers_needed(config),
    )


def multipliers_needed(config: EngineConfig) -> int:
    """Multipliers of 18 x 18 bits: by lane 3 of a quantiser that multiplies, 1 or 3 of a scale step, 6 of norms."""
    quantised = 3 if config.divider == "multiplying" and config.quantizer.divided else 0
    scaled = (3 if config.scaling.factors else 1) if config.scaling else 0
    return config.lanes * (quantised + scaled + (6 if config.norming else 0))


def _norm(config: EngineConfig) -> int:
    # Fitted to synthesis of 1, 4 and 8 lanes of 12 and 18 bits; most of the base is the root, and a vector's sums.
    return 14 * norm.variance_bits + 586 + norm.lanes * (8 * norm.width + 48) if (norm := config.norm) else 0


def _restoring(config: EngineConfig) -> int:
    # Dividers of groups are four bits wider; signs need none, and 64 LUT4 a lane were measured at 4 lanes of 24 bits.
    bits = config.quantizer.width + 4 * config.quantizer.int4
    return bits * (23 * config.lanes + 10) if config.quantizer.divided else 64 * config.lanes


def _multiplying(config: EngineConfig) -> int:
    # Fitted to synthesis of 1, 4 and 8 lanes of 12 and 18 bits; most of the base is a reciprocal for each channel.
    bits = config.quantizer.width
    return config.lanes * (7 * bits + 6) + 46 * bits + 265


def array_lut4(name: str, config: ArrayConfig, family: str) -> int:
    """LUT4 of an implementation of the array, counted bit by bit."""
    kind = ARRAYS[name]
    if kind is Ecp5Array:
        # Beside the carry chains, one inverter for the top bit of each column.
        return Ecp5Array.half_cells(config) + config.columns
    if kind is ExactEcp5Array:
        return ExactEcp5Array.half_cells(config)
    if kind is Ice40Array:
        return Ice40Array.logic_cells(config)
    # ECP5's carry cells hold two bits each. Exact adders are a bit longer, and a trit's missing one is made first.
    step, one = 2 if family == "ecp5" else 1, int(kind is ExactArray)
    tree, count, bits = config.columns * one, config.columns, 8 + one
    while count > 1:
        bits += 1
        tree += count // 2 * (bits + -bits % step)
        count = -(-count // 2)
    return config.rows * (8 * config.columns + tree + 2 * config.accumulator_width)
