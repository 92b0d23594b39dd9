"""Size and speed of a component as built: synthesised, placed and routed alone in a register harness."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median

from amaranth.lib import wiring

from gen.bench_harness import Harness, PackedArray, RegisteredDecoder
from gen.devices import check_array
from gen.tools import Netlist, Part, Tools, find_tools
from gen.verilog import generate
from golden.errors import TritiumError
from golden.formats import PACKINGS
from rtl.array import ArrayConfig
from rtl.config import ARRAYS
from rtl.decoder import TritDecoder
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
    block_rams, multipliers
        Of the family.

    """

    lut4: int
    registers: int
    block_rams: int
    multipliers: int

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
    fmax_mhz_seeds
        The highest clock, for each seed.
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
    fmax_mhz_seeds: tuple[float, ...]
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
            "device": self.part.name,
            "tools": self.tools,
            "synthesis": self.part.synthesis,
            "luts": self.cells.lut4,
            "registers": self.cells.registers,
            "block_rams": self.cells.block_rams,
            "multipliers": self.cells.multipliers,
            "harness_luts": self.harness.lut4,
            **{f"{unit}s": number for unit, number in self.units.items()},
            **{f"lut_per_{unit}": size for unit, size in self.lut_per.items()},
            "fmax_mhz": self.fmax_mhz,
            "fmax_mhz_seeds": list(self.fmax_mhz_seeds),
            **self.rates,
            "rule": self.rule,
        }


def bench_array(
    part: Part, config: ArrayConfig, *, packing: str, array: str, seeds: int, progress: Progress = lambda _: None
) -> Bench:
    """Measure an array with its accumulators and the decoders of its weights.

    Parameters
    ----------
    part
        The device.
    config
        The array's size.
    packing
        How weights come in.
    array
        The implementation, one of `rtl.config.ARRAYS`.
    seeds
        How many placements, at least 1.
    progress
        Called with 1 after each of the `steps`.

    """
    _check(seeds, packing)
    if array not in ARRAYS:
        raise TritiumError(f"array is {array!r}; it is one of {', '.join(ARRAYS)}")
    check_array(array, part.family)
    tools = find_tools(part.family)
    parameters: dict[str, object] = {
        "array": array,
        "packing": packing,
        "rows": config.rows,
        "columns": config.columns,
        "inputs": config.inputs,
        "accumulator_bits": config.accumulator_width,
    }
    core = PackedArray(config, packing, array)
    whole = _synthesise(tools, part, Harness(core, len(core.i), len(core.o)), parameters)
    progress(1)
    alone = _synthesise(tools, part, Harness(None, len(core.i), len(core.o)), {"component": "none"})
    harness = _cells(alone, _placed(alone))
    progress(1)
    speeds = _speeds(whole, seeds, progress)
    return Bench(
        component="array",
        parameters=parameters,
        part=part,
        tools=dict(tools.versions),
        cells=_cells(whole, _placed(whole)) - harness,
        harness=harness,
        fmax_mhz_seeds=speeds,
        units={"mac": config.rows * config.columns},
        rule=f"LUT4 are {part.logic_cell} as placed, of array, accumulators and decoders: "
        "all cells less those of the harness placed alone",
    )


def bench_decoder(part: Part, packing: str, *, groups: int, seeds: int, progress: Progress = lambda _: None) -> Bench:
    """Measure decoders side by side; parameters as in `bench_array`, `groups` is how many decoders."""
    _check(seeds, packing)
    check_range("decoder", "groups", groups, 1, 1024)
    tools = find_tools(part.family)
    trits = groups * PACKINGS[packing].trits
    parameters: dict[str, object] = {"packing": packing}
    bare = _synthesise(tools, part, TritDecoder(packing, trits), parameters)
    progress(1)
    core = RegisteredDecoder(packing, trits)
    whole = _synthesise(tools, part, Harness(core, len(core.i), len(core.o)), parameters)
    progress(1)
    cells = _cells(bare, sum(bare.cells.get(cell, 0) for cell in ("LUT4", "SB_LUT4")))
    return Bench(
        component="decoder",
        parameters=parameters,
        part=part,
        tools=dict(tools.versions),
        cells=cells,
        harness=Cells(0, 0, 0, 0),
        fmax_mhz_seeds=_speeds(whole, seeds, progress),
        units={"group": groups, "trit": trits},
        rule=f"LUT4 of the decoders synthesised without a harness, each one {part.logic_cell}; "
        "fmax from register to register",
    )


def _check(seeds: int, packing: str) -> None:
    check_range("bench", "seeds", seeds, 1, 64)
    if packing not in PACKINGS:
        raise TritiumError(f"packing is {packing!r}; it is one of {', '.join(PACKINGS)}")


def _synthesise(tools: Tools, part: Part, component: wiring.Component, parameters: dict[str, object]) -> Netlist:
    return tools.synthesise(part, _TOP, generate(component, _TOP, parameters))


def _speeds(netlist: Netlist, seeds: int, progress: Progress) -> tuple[float, ...]:
    speeds = []
    for seed in range(1, seeds + 1):
        speeds.append(netlist.fmax_mhz(seed))
        progress(1)
    return tuple(speeds)


def _placed(netlist: Netlist) -> int:
    """Cells that hold a LUT4 as the placer counts them; every seed gives the same number."""
    return netlist.place(1)["utilization"][netlist.part.logic_cell]["used"]


def _cells(netlist: Netlist, lut4: int) -> Cells:
    def total(*prefixes: str) -> int:
        return sum(number for cell, number in netlist.cells.items() if cell.startswith(prefixes))

    return Cells(lut4, total("TRELLIS_FF", "SB_DFF"), total("DP16KD", "SB_RAM40"), total("MULT18", "SB_MAC16"))
