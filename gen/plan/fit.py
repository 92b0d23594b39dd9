"""The choice of a fold: the fastest engine for a network that a device has room for."""

from dataclasses import replace
from itertools import product

from gen.plan.devices import Device, check_array
from gen.plan.plan import Fold, Plan, plan_network
from golden.errors import TritweaveError
from golden.schemes.network import AnyNetwork
from rtl.memory.spram import SpramMemory

_SIZES = (1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128)
_LANES = (1, 2, 4, 8, 16, 32)
_FILL = 0.85
"""Share of a device's LUT4 that is planned for: beyond it, routing fails or timing suffers."""


def fit(
    network: AnyNetwork,
    device: Device,
    *,
    packing: str = "2b",
    array: str = "portable",
    vectors: int = 2,
    divider: str | None = None,
    spram: bool = False,
) -> Plan:
    """The plan with the shortest period, and of those the least logic, whose estimate fits the device.

    Raises
    ------
    TritweaveError
        If none fits; it names what the smallest engine would need.

    """
    check_array(array, device.family)
    budget = int(device.lut4 * _FILL)
    best: tuple[float, int, Plan] | None = None
    smallest: tuple[int, int] | None = None
    for rows, columns, lanes in product(_SIZES, _SIZES, _LANES):
        if rows % lanes or columns % lanes:
            continue
        made = plan_network(
            network,
            Fold(rows, columns, lanes),
            packing=packing,
            array=array,
            vectors=vectors,
            divider=divider,
            multipliers=device.multipliers,
            spram=spram,
        )
        plan = replace(made, family=device.family)
        if spram and SpramMemory.cells(sum(plan.config.transfers["weights"]), plan.config.weight_words) > device.sprams:
            continue
        area = plan.area
        need = (area.block_rams, area.lut4)
        smallest = min(smallest or need, need)
        if area.lut4 > budget or area.block_rams > device.block_rams or _lacks_multipliers(plan, device):
            continue
        # No period is shorter than the array's own cycles, which are cheaper to know.
        if best is not None and plan.cycles.array > best[0]:
            continue
        try:
            period = plan.cycles.period
        except TritweaveError:  # without a rhythm
            continue
        if best is None or (period, area.lut4) < best[:2]:
            best = (period, area.lut4, plan)
    if smallest is None:
        raise TritweaveError(
            f"{network.name}, packed as {packing}, does not fit the {device.sprams} SPRAM of {device.name}"
        )
    if best is None:
        raise TritweaveError(
            f"{network.name} does not fit {device.name}: packed as {packing}, its smallest engine needs {smallest[0]} "
            f"block RAMs and {smallest[1]} LUT4; the device has {device.block_rams} and {budget} to plan with"
        )
    return best[2]


def _lacks_multipliers(plan: Plan, device: Device) -> bool:
    """Whether a quantiser that multiplies finds too few of them; a scale step makes do with logic."""
    return plan.config.divider == "multiplying" and plan.area.multipliers > device.multipliers
