"""What a device has room for, and the choice of a fold: the fastest engine for a network that fits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from gen.plan.devices import FAMILIES, Device, check_array
from gen.plan.plan import Fold, Plan, plan_network
from golden.errors import TritweaveError
from golden.schemes.network import AnyNetwork
from rtl.link.config import LinkConfig
from rtl.memory.spram import SpramMemory

_SIZES = (1, 2, 4, 5, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128)
_LANES = (1, 2, 4, 8, 16, 32)
FILL = 0.85
"""Share of a device's LUT4 that is planned for: beyond it, routing fails or timing suffers."""


LINK_LUT4 = 750
"""Of the host link, as synthesised for `mnist-small` on iCE40."""

Memories = Sequence[tuple[int, int]]
"""(words, bits a word) of each."""


def lacks(plan: Plan, device: Device, lut4: int, memories: Memories) -> list[str]:
    """What a device has too little of for an engine, as far as is known before it is built.

    Parameters
    ----------
    plan, device
        The engine, for a device of this family.
    lut4, memories
        Of what is beside the engine.

    """
    area, config = plan.area, plan.config
    sprams = SpramMemory.cells(sum(config.transfers["weights"]), config.weight_words) if config.spram else 0
    # A scale step makes do with logic.
    multipliers = area.multipliers if config.divider == "multiplying" or config.norming else 0
    block_rams = area.block_rams + sum(FAMILIES[device.family].needed(*memory) for memory in memories)
    needs = (
        ("LUT4", area.lut4 + lut4, int(device.lut4 * FILL)),
        ("block RAMs", block_rams, device.block_rams),
        ("SPRAM", sprams, device.sprams),
        ("multipliers", multipliers, device.multipliers),
    )
    return [f"{need:,} {what} of {has:,}" for what, need, has in needs if need > has]


def link_memories(plan: Plan) -> Memories:
    """Memories of the engine's host link; engines with a scale step have none."""
    return () if plan.config.scaling or plan.config.norming else LinkConfig(plan.config).memories


def fit(
    network: AnyNetwork,
    device: Device,
    *,
    packing: str = "2b",
    array: str = "portable",
    vectors: int = 2,
    divider: str | None = None,
    spram: bool = False,
    lut4: int = LINK_LUT4,
    memories: Callable[[Plan], Memories] = link_memories,
) -> Plan:
    """The plan with the shortest period, and of those the least logic, whose estimate fits the device.

    Parameters
    ----------
    network, device
        What is to run, and where.
    packing, array, vectors, divider, spram
        As for `plan_network`; fewer vectors are in flight if none fits with so many.
    lut4, memories
        Of what is beside the engine: a host link, as `tritweave build` adds it.

    Raises
    ------
    TritweaveError
        If none fits; it names what the smallest engine would need.

    """
    check_array(array, device.family)
    best: tuple[float, int, Plan] | None = None
    smallest: tuple[int, int, list[str]] | None = None
    for flying, rows, columns, lanes in product(range(vectors, 0, -1), _SIZES, _SIZES, _LANES):
        if rows % lanes or columns % lanes or (best and best[2].config.vectors > flying):
            continue
        made = plan_network(
            network,
            Fold(rows, columns, lanes),
            packing=packing,
            array=array,
            vectors=flying,
            divider=divider,
            multipliers=device.multipliers,
            spram=spram,
        )
        plan = replace(made, family=device.family)
        reasons = lacks(plan, device, lut4, memories(plan))
        need = (plan.area.block_rams, plan.area.lut4, reasons)
        smallest = min(smallest or need, need)
        if reasons:
            continue
        # No period is shorter than the array's own cycles, which are cheaper to know.
        if best is not None and plan.cycles.array > best[0]:
            continue
        try:
            period = plan.cycles.period
        except TritweaveError:  # without a rhythm
            continue
        if best is None or (period, plan.area.lut4) < best[:2]:
            best = (period, plan.area.lut4, plan)
    if best is None:
        assert smallest
        hint = "; with --spram its weights can lie in SPRAM" if device.sprams and not spram else ""
        raise TritweaveError(
            f"{network.name}, packed as {packing}, does not fit {device.name}: its smallest engine needs "
            f"{', '.join(smallest[2]) or 'a rhythm'}{hint}"
        )
    return best[2]
