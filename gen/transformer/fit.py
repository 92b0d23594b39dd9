"""What a device has room for, and the choice of a fold: the fastest decoder for a model that fits."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from gen.plan.devices import DEVICES, FAMILIES, Device
from gen.plan.fit import FILL, Memories
from gen.plan.plan import Fold
from gen.transformer.area import DecoderArea, estimate_decoder
from gen.transformer.plan import DecoderPlan, plan_decoder
from golden.errors import TritweaveError
from golden.formats import PACKINGS
from golden.language.model import LanguageModel
from rtl.link.decoder_config import DecoderLinkConfig

_SIZES = (4, 8, 16, 32, 64, 128)
_LANES = (1, 2, 4, 8, 16)
_LINK_LUT4 = 1300


class Beside(NamedTuple):
    """What a device has beside the decoder: LUT4, and memories as (words, bits a word)."""

    lut4: int
    memories: Memories


def host_link(plan: DecoderPlan) -> Beside:
    """The link that `tritweave build` adds; how long tokens take does not change its memories."""
    return Beside(_LINK_LUT4, DecoderLinkConfig(plan.config, 1).memories)


def array_for(family: str) -> str:
    """The smallest implementation of the array for a device family."""
    return "exact-ecp5" if family == "ecp5" else "exact"


def area_on(plan: DecoderPlan, device: Device | None) -> DecoderArea:
    """What a plan's decoder takes of a device, or of an ECP5 that is large enough."""
    if device is None:
        return estimate_decoder(plan.config, plan.cycles.program.entries)
    return estimate_decoder(plan.config, plan.cycles.program.entries, device.family, device.multipliers)


def lacks(plan: DecoderPlan, device: Device, beside: Beside) -> list[str]:
    """What a device has too little of for a decoder and what is beside it, as far as is known before it is built."""
    return [f"{need:,} {what} of {has:,}" for what, need, has in _needs(plan, device, beside) if need > has]


def fit_decoder(
    model: LanguageModel,
    device: Device,
    *,
    packing: str | None = None,
    context: int | None = None,
    beside: Callable[[DecoderPlan], Beside] = host_link,
    known: Mapping[str, Device] = DEVICES,
) -> DecoderPlan:
    """The plan that makes tokens fastest, half the context behind them, of those whose estimate fits the device.

    Parameters
    ----------
    model, device
        What is to run, and where.
    packing
        How weights are stored; None: as takes the least logic.
    context
        As for `plan_decoder`.
    beside
        What else is on the device.
    known
        Devices that an error can name instead.

    Raises
    ------
    TritweaveError
        If none fits; it says what the engine that comes closest has too little of, and what would do.

    """
    plans = sorted(_plans(model, device, packing, context), key=_middle_cycles)
    for plan in plans:
        if not lacks(plan, device, beside(plan)):
            return plan
    if not plans:
        raise TritweaveError(f"{model.name} has heads of {model.shape.head}, whose half no number of lanes divides")
    closest = min(plans, key=lambda plan: _excess(plan, device, beside(plan)))
    raise TritweaveError(
        f"{model.name} with {closest.config.shape.context} tokens of context does not fit {device.name}: its engine "
        f"that comes closest, {closest.fold}, needs {', '.join(lacks(closest, device, beside(closest)))}; "
        + _remedy(closest, device, beside, known)
    )


def _plans(model: LanguageModel, device: Device, packing: str | None, context: int | None) -> Iterator[DecoderPlan]:
    """Of every fold and packing; what the packing costs in logic, from the least."""
    for rows, columns, lanes in product(_SIZES, _SIZES, _LANES):
        if rows % lanes or columns % lanes or model.shape.head // 2 % lanes:
            continue
        fold = Fold(rows, columns, lanes)
        for name in [packing] if packing else PACKINGS:
            yield plan_decoder(model, fold, packing=name, array=array_for(device.family), context=context)


def _middle_cycles(plan: DecoderPlan) -> int:
    return plan.token_cycles(plan.config.shape.context // 2, sample=True)


def _needs(plan: DecoderPlan, device: Device, beside: Beside) -> list[tuple[str, int, int]]:
    """What, how much of it, and how much there is."""
    area = area_on(plan, device)
    block_rams = sum(FAMILIES[device.family].needed(*memory) for memory in beside.memories)
    return [
        ("LUT4", area.lut4 + beside.lut4, int(device.lut4 * FILL)),
        ("block RAMs", sum(area.block_rams.values()) + block_rams, device.block_rams),
        ("multipliers", area.multipliers, device.multipliers),
    ]


def _excess(plan: DecoderPlan, device: Device, beside: Beside) -> float:
    """How far a plan is from fitting."""
    return sum(max(need / max(has, 1), 1) for _, need, has in _needs(plan, device, beside))


def _remedy(
    closest: DecoderPlan, device: Device, beside: Callable[[DecoderPlan], Beside], known: Mapping[str, Device]
) -> str:
    """A shorter context, and the smallest of the known devices, with which the same fold would fit."""

    def fits(on: Device, tokens: int) -> bool:
        array = array_for(on.family)
        plans = (
            plan_decoder(closest.model, closest.fold, packing=packing, array=array, context=tokens)
            for packing in PACKINGS
        )
        return any(not lacks(plan, on, beside(plan)) for plan in plans)

    tokens = context = closest.config.shape.context
    found: list[str] = []
    while (tokens := tokens // 2) and not found:
        found += [f"--context {tokens} fits"] * fits(device, tokens)
    larger = sorted(known.items(), key=lambda item: item[1].lut4)
    found += [f"{name} would do" for name, other in larger if fits(other, context)][:1]
    return ", and ".join(found) or f"none of {', '.join(known)} would do"
