"""Estimates for models that no engine here holds: bytes, cycles, bandwidth and arithmetic energy of a token, by scheme.

A token is one pass through the linear layers of all blocks, batch 1. Attention, norms and the last layer are left out
of cycles and energies; embedding and last layer stay in 16 bits.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Final, NamedTuple

from gen.estimate.energy import PROCESSES, WIDE_ADD, WIDE_MULTIPLY
from gen.estimate.model_shapes import ModelShape
from gen.plan.area import estimate_area
from gen.plan.devices import Device
from gen.plan.plan import Fold
from gen.tools import PARTS
from golden.activations import ranges
from golden.errors import TritweaveError
from golden.formats import PACKINGS, Packing
from golden.schemes.integer import SIDE_DIGITS
from golden.schemes.quantisers import SCHEMES, Scheme
from golden.schemes.segmented import Structure
from rtl.engine.config import EngineConfig

MANTISSA_BITS: Final = 16
"""Of a scale or an offset, as `golden.schemes.integer` has them; input scales are part of the layer before."""

_FILL: Final = 0.85
_SIZES: Final = (4, 8, 16, 32, 64, 128)
_BLOCK_RAM_BITS: Final = {"ecp5": 18432, "ice40": 4096}
_SPRAM_BITS: Final = 262144


class Target(NamedTuple):
    """What the model would run on."""

    fold: Fold
    packing: Packing
    mhz: float
    bandwidth: float
    """Of external memory, in bytes a second."""
    memory: int
    """Bytes of weights that fit on the chip; 0 if none is named."""


@dataclass(frozen=True)
class Estimate:
    """What a scheme makes of a model.

    Parameters
    ----------
    scheme
        Its name, or ``fp16``.
    bits
        Of a weight of the linear layers, scales included.
    weight_bytes
        Of these layers.
    model_bytes
        The same with the 16-bit embedding, last layer and norms.
    cycles
        Of the array for a token; None: an engine does not compute in floats.
    milliseconds
        For these cycles.
    memory_milliseconds
        To read all weights once from external memory.
    on_chip
        Whether the weights fit the device.
    millijoules
        Of a token's arithmetic by process, counted as papers do: FP16 multiplications and additions, or an INT8
        addition for every trit and an INT8 multiplication and addition for every weight of the side path. None: the
        process has no figure for it.
    wide_millijoules
        In 45 nm, with 32-bit additions and a 32-bit multiplication and addition for every scale.

    """

    scheme: str
    bits: float
    weight_bytes: float
    model_bytes: float
    cycles: int | None
    milliseconds: float | None
    memory_milliseconds: float
    on_chip: bool
    millijoules: dict[str, float | None]
    wide_millijoules: float | None

    @property
    def token_milliseconds(self) -> float | None:
        """The slower of computing and reading; weights on the chip are read in the same cycles."""
        if self.milliseconds is None:
            return None
        return self.milliseconds if self.on_chip else max(self.milliseconds, self.memory_milliseconds)

    def figures(self) -> dict[str, Any]:
        """All of it, for a file."""
        return asdict(self) | {"token_milliseconds": self.token_milliseconds}


def estimate_model(model: ModelShape, target: Target) -> list[Estimate]:
    """FP16 first, then every scheme."""
    return [_floats(model, target), *(_scheme(name, model, target) for name in SCHEMES)]


def make_target(
    model: ModelShape, fold: Fold | None, packing: str, device: Device | None, mhz: float | None, bandwidth: float
) -> Target:
    """What the options mean; None: the fastest fold that the device has logic for, and the clock of its engines."""
    if packing not in PACKINGS:
        raise TritweaveError(f"packing {packing!r} is not known; the packings are {', '.join(PACKINGS)}")
    for what, value, limit in (("clock", mhz, 1e4), ("bandwidth", bandwidth, 1e5)):
        if value is not None and not 0 < value <= limit:
            raise TritweaveError(f"the {what} is {value}; it must be above 0 and at most {limit:g}")
    if mhz is None:
        mhz = next((part.engine_mhz for part in PARTS.values() if device and part.device == device.name), 100)
    if fold is not None:
        _config(model, fold, packing)
    elif device is not None:
        fold = _largest_fold(model, device, packing)
    memory = 0
    if device is not None:
        memory = (device.block_rams * _BLOCK_RAM_BITS[device.family] + device.sprams * _SPRAM_BITS) // 8
    return Target(fold or Fold(16, 16, 8), PACKINGS[packing], mhz, bandwidth * 1e9, memory)


def _config(model: ModelShape, fold: Fold, packing: str) -> EngineConfig:
    """An engine for the longest vectors, without its weights."""
    inputs = [layer.inputs for layer in model.layers]
    outputs = max(layer.outputs for layer in model.layers)
    return EngineConfig(*fold, max(inputs), max(inputs), outputs, 1, 1, 1, packing=packing)


def _largest_fold(model: ModelShape, device: Device, packing: str) -> Fold:
    best: tuple[int, int, Fold] | None = None
    for rows, columns, lanes in product(_SIZES, _SIZES, _SIZES):
        if rows % lanes or columns % lanes:
            continue
        fold = Fold(rows, columns, lanes)
        lut4 = estimate_area(_config(model, fold, packing), device.family).lut4
        if lut4 > device.lut4 * _FILL:
            continue
        found = (_cycles("b1.58", model, fold), lut4, fold)
        best = min(best or found, found)
    if best is None:
        raise TritweaveError(f"{device.name} has no room for an engine of {model.name}: {device.lut4} LUT4")
    return best[2]


def _structures(scheme: Scheme, model: ModelShape) -> Iterator[tuple[int, int, Structure]]:
    """Equal layers: how many, their outputs, and their structure."""
    for layer in model.layers:
        yield layer.blocks, layer.outputs, scheme.structure(layer.inputs)


def _scales(structure: Structure) -> int:
    """Of a row, one for each part."""
    return len(structure.ends) * (structure.planes + structure.offsets) + SIDE_DIGITS * bool(structure.side)


def _cycles(name: str, model: ModelShape, fold: Fold) -> int:
    """Cycles of the array; a segment takes no fewer than its rows take through the drain's lanes."""
    scheme, total = SCHEMES[name], 0
    drain = fold.rows // fold.lanes
    for count, outputs, structure in _structures(scheme, model):
        parts = [(end - start, structure.planes + structure.offsets) for start, end in ranges(structure.ends)]
        parts += [(structure.side, SIDE_DIGITS)] if structure.side else []
        cycles = sum(planes * max(-(-length // fold.columns), drain) for length, planes in parts)
        total += count * -(-outputs // fold.rows) * cycles
    return total


def _scheme(name: str, model: ModelShape, target: Target) -> Estimate:
    scheme, packing = SCHEMES[name], target.packing
    trits = scales = side = bits = 0
    for count, outputs, structure in _structures(scheme, model):
        layer_trits = count * outputs * structure.ends[-1] * (structure.planes + structure.offsets)
        layer_scales = 0 if scheme.one_scale else count * outputs * _scales(structure)
        layer_side = count * outputs * structure.side
        trits, scales, side = trits + layer_trits, scales + layer_scales, side + layer_side
        stored = layer_trits + SIDE_DIGITS * layer_side
        bits += stored * packing.bits / packing.trits + MANTISSA_BITS * layer_scales
    cycles = _cycles(name, model, target.fold)
    energies: dict[str, float | None] = {}
    for process, energy in PROCESSES.items():
        known = not side or energy.small_multiply is not None
        of_side = side * ((energy.small_multiply or 0) + energy.small_add)
        energies[process] = (trits * energy.small_add + of_side) * 1e-9 if known else None
    wide = (trits + SIDE_DIGITS * side) * WIDE_ADD + scales * (WIDE_MULTIPLY + WIDE_ADD)
    return _estimate(name, model, target, bits, cycles, energies, wide * 1e-9)


def _floats(model: ModelShape, target: Target) -> Estimate:
    energies = {
        name: model.linear * (energy.float_add + energy.float_multiply) * 1e-9 for name, energy in PROCESSES.items()
    }
    return _estimate("fp16", model, target, 16 * model.linear, None, dict(energies), None)


def _estimate(
    name: str,
    model: ModelShape,
    target: Target,
    bits: float,
    cycles: int | None,
    energies: dict[str, float | None],
    wide: float | None,
) -> Estimate:
    weights = bits / 8
    return Estimate(
        name,
        bits / model.linear,
        weights,
        weights + 2 * model.others,
        cycles,
        None if cycles is None else cycles / target.mhz / 1e3,
        weights / target.bandwidth * 1e3,
        weights <= target.memory,
        energies,
        wide,
    )
