"""What benches look like on a terminal."""

from rich.table import Table

from gen.bench.engine import EngineBench
from gen.bench.measure import Bench
from gen.tables import figures_table


def bench_table(title: str, result: Bench) -> Table:
    """A component's measured figures."""
    cells, part, shares = result.cells, result.part, result.shares
    table = figures_table(f"{title} on {part.device}")
    table.add_row("LUT4", f"{cells.lut4:,} {part.logic_cell}, {shares['lut_share']:.1%} of the device")
    table.add_row("registers", f"{cells.registers:,}")
    table.add_row("block RAMs", f"{cells.block_rams}, {shares['block_ram_share']:.1%} of the device")
    table.add_row("multipliers, SPRAMs", f"{cells.multipliers}, {cells.sprams}")
    for unit, number in result.units.items():
        table.add_row(f"{unit}s a cycle", f"{number:,}")
        table.add_row(f"LUT4 per {unit}", f"{result.lut_per[unit]:.2f}")
    speeds = ", ".join(f"{speed:.1f}" for speed in result.fmax_mhz_seeds)
    table.add_row("fmax, median", f"{result.fmax_mhz:.1f} MHz of {speeds}")
    table.add_row("slowest path, seed 1", result.slowest_path)
    if result.rates:
        table.add_row("GMAC/s", f"{result.rates['gmac_per_s']:.1f}")
        table.add_row("GMAC/s per kLUT4", f"{result.rates['gmac_per_s_per_klut']:.2f}")
    for program, version in result.tools.items():
        table.add_row(program, version)
    return table


def engine_table(result: EngineBench) -> Table:
    """An engine's measured figures, and what they mean for its network."""
    plan, bench = result.plan, result.bench
    config, cycles = plan.config, plan.cycles
    table = bench_table(f"{plan.network.name}, {plan.fold}, {config.packing}, {config.array} array", bench)
    met = "[green]met[/]" if result.timing_met else "[bold red]missed[/]"
    table.add_row("clock aimed at", f"{bench.part.mhz} MHz, {met} by the median")
    table.add_row("cycles per image", f"{cycles.period:,.10g}, array utilisation {cycles.utilisation:.1%}")
    table.add_row("images a second", f"{result.images_per_s:,.0f} at the median fmax")
    return table
