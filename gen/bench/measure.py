"""Size and speed of a component as built: synthesised, placed and routed alone in a register harness."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median

from amaranth.hdl import Value
from amaranth.lib import wiring

from gen.bench.harness import Harness
from gen.plan.devices import device_named
from gen.tools import Netlist, Part, Tools, find_tools
from gen.verilog import generate
from golden.errors import TritweaveError
from rtl.limits import check_range

_TOP = "bench"

Progress = Callable[[int], None]


def steps(seeds: int) -> int:
    """Times that a bench calls its `progress`: two syntheses, and a placement for each seed."""
    return 2 + seeds


@dataclass(frozen=True)
class Cells:
    """What a design takes of a device.

    Parameters
    ----------
    lut4
        Cells that hold a LUT4.
    registers
        Flip-flops.
    block_rams, multipliers, sprams
        Of the family.

    """

    lut4: int
    registers: int
    block_rams: int
    multipliers: int
    sprams: int

    def __sub__(self, other: "Cells") -> "Cells":
        return Cells(*(getattr(self, name) - getattr(other, name) for name in asdict(self)))


@dataclass(frozen=True)
class Bench:
    """A component's figures.

    Parameters
    ----------
    component, parameters
        What was built.
    part
        For which device.
    tools
        Program's name to version.
    cells
        The component's own, the harness subtracted.
    harness
        The harness's.
    available
        The device's cells that hold a LUT4, and its block RAMs.
    fmax_mhz_seeds
        The highest clock, for each seed.
    slowest_path
        The path that sets the clock of the first.
    units
        What the component gives a cycle, unit to number; sizes are stated for each.
    rule
        How `cells` was counted.

    """

    component: str
    parameters: dict[str, object]
    part: Part
    tools: dict[str, str]
    cells: Cells
    harness: Cells
    available: tuple[int, int]
    fmax_mhz_seeds: tuple[float, ...]
    slowest_path: str
    units: dict[str, int]
    rule: str

    @property
    def fmax_mhz(self) -> float:
        """The median over the seeds."""
        return median(self.fmax_mhz_seeds)

    @property
    def lut_per(self) -> dict[str, float]:
        """LUT4 for each of the component's units."""
        return {unit: self.cells.lut4 / number for unit, number in self.units.items()}

    @property
    def shares(self) -> dict[str, float]:
        """Which part of the device's LUT4 and block RAMs the component takes."""
        luts, block_rams = self.available
        return {"lut_share": self.cells.lut4 / luts, "block_ram_share": self.cells.block_rams / block_rams}

    @property
    def rates(self) -> dict[str, float]:
        """What multiply-accumulates the component does a second, if it does any, and for each 1,000 LUT4."""
        if "mac" not in self.units:
            return {}
        giga = self.units["mac"] * self.fmax_mhz / 1000
        return {"gmac_per_s": giga, "gmac_per_s_per_klut": giga / self.cells.lut4 * 1000}

    def figures(self) -> dict[str, object]:
        """Everything, for a JSON file."""
        return {
            "component": self.component,
            **self.parameters,
            "family": self.part.family,
            "device": self.part.device,
            "tools": self.tools,
            "synthesis": self.part.synthesis,
            "luts": self.cells.lut4,
            "registers": self.cells.registers,
            "block_rams": self.cells.block_rams,
            "multipliers": self.cells.multipliers,
            "sprams": self.cells.sprams,
            **self.shares,
            "harness_luts": self.harness.lut4,
            **{f"{unit}s": number for unit, number in self.units.items()},
            **{f"lut_per_{unit}": size for unit, size in self.lut_per.items()},
            "fmax_mhz": self.fmax_mhz,
            "fmax_mhz_seeds": list(self.fmax_mhz_seeds),
            "slowest_path": self.slowest_path,
            **self.rates,
            "rule": self.rule,
        }


def measure(
    component: str,
    part: Part,
    core: wiring.Component,
    parameters: dict[str, object],
    *,
    units: dict[str, int],
    counted: str,
    seeds: int,
    progress: Progress,
) -> Bench:
    """Build a component in the harness, and the harness alone.

    Parameters
    ----------
    component, part, parameters, units
        As in `Bench`.
    core
        The component, with ports ``i`` and ``o``.
    counted
        What `core` consists of, for the rule.
    seeds
        How many placements, at least 1.
    progress
        Called with 1 after each of the `steps`.

    """
    tools = find_tools(part.family)
    inputs, outputs = len(Value.cast(core.i)), len(Value.cast(core.o))
    whole = synthesise(tools, part, Harness(core, inputs, outputs), parameters)
    _check_room(whole)
    progress(1)
    alone = synthesise(tools, part, Harness(None, inputs, outputs), {"component": "none"})
    harness = count_cells(alone, _logic(alone))
    progress(1)
    fmax_mhz_seeds = speeds(whole, seeds, progress)
    return Bench(
        component=component,
        parameters=parameters,
        part=part,
        tools=dict(tools.versions),
        cells=count_cells(whole, _logic(whole)) - harness,
        harness=harness,
        available=available_cells(whole),
        fmax_mhz_seeds=fmax_mhz_seeds,
        slowest_path=whole.slowest_path(1),
        units=units,
        rule=f"LUT4 are {part.logic_cell} as placed, of {counted}: all cells less those of the harness placed alone",
    )


def check_seeds(seeds: int) -> None:
    """Raise unless a bench can be placed with so many seeds."""
    check_range("bench", "seeds", seeds, 1, 64)


def synthesise(tools: Tools, part: Part, component: wiring.Component, parameters: dict[str, object]) -> Netlist:
    """The netlist of a component, `parameters` in its header."""
    return tools.synthesise(part, _TOP, generate(component, _TOP, parameters))


def speeds(netlist: Netlist, seeds: int, progress: Progress) -> tuple[float, ...]:
    """The highest clock for each seed, from 1 on."""
    found = []
    for seed in range(1, seeds + 1):
        found.append(netlist.fmax_mhz(seed))
        progress(1)
    return tuple(found)


def count_cells(netlist: Netlist, lut4: int) -> Cells:
    """The cells of a netlist, its LUT4 counted by somebody else."""

    def total(*prefixes: str) -> int:
        return sum(number for cell, number in netlist.cells.items() if cell.startswith(prefixes))

    return Cells(
        lut4=lut4,
        registers=total("TRELLIS_FF", "SB_DFF"),
        block_rams=total("DP16KD", "SB_RAM40"),
        multipliers=total("MULT18", "SB_MAC16"),
        sprams=total("SB_SPRAM"),
    )


def available_cells(netlist: Netlist) -> tuple[int, int]:
    """The device's cells that hold a LUT4, and its block RAMs, as the placer counts them."""
    utilisation, part = netlist.place(1)["utilization"], netlist.part
    return utilisation[part.logic_cell]["available"], utilisation[part.block_ram]["available"]


def _check_room(netlist: Netlist) -> None:
    """Raise if the device is too small, before the placer finds out in its own words."""
    device = device_named(netlist.part.device)
    cells = count_cells(netlist, sum(netlist.cells.get(cell, 0) for cell in ("LUT4", "SB_LUT4")))
    rooms = (("LUT4", cells.lut4, device.lut4), ("block RAMs", cells.block_rams, device.block_rams))
    for what, need, room in rooms:
        if need > room:
            raise TritweaveError(
                f"the design takes {need:,} {what} and {device.name} has {room:,}; "
                "choose a smaller fold, a denser packing or a larger device"
            )


def _logic(netlist: Netlist) -> int:
    """Cells that hold a LUT4 as the placer counts them; every seed gives the same number."""
    return netlist.place(1)["utilization"][netlist.part.logic_cell]["used"]
