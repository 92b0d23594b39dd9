"""What plans and benches look like on a terminal."""

from pathlib import Path

from rich.table import Column, Table

from gen.bench import Bench
from gen.bench_engine import EngineBench
from gen.devices import device_named
from gen.plan import Plan


def figures_table(title: str) -> Table:
    """An empty table of names and figures."""
    table = Table(title=title, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    return table


def files_table(files: dict[Path, str]) -> Table:
    """Files that were written, each with its size and what it is."""
    table = Table(Column("file", overflow="fold"), "bytes", "what")
    for file, what in files.items():
        table.add_row(str(file), f"{file.stat().st_size:,}", what)
    return table


def layers_table(plan: Plan) -> Table:
    """A network's layers as its engine walks them."""
    table = Table("layer", "outputs x inputs", "tiles x chunks", "array cycles", title=f"{plan.network.name}")
    for index, (layer, (tiles, chunks)) in enumerate(zip(plan.network.layers, plan.tiling, strict=True)):
        shape = f"{layer.outputs} x {layer.inputs}"
        table.add_row(str(index), shape, f"{tiles} x {chunks}", f"{tiles * chunks:,}")
    return table


def plan_table(plan: Plan, device: str | None) -> Table:
    """An engine's predicted figures, and the device that it was chosen for, if any."""
    config, cycles = plan.config, plan.cycles
    table = figures_table("engine")
    table.add_row("fold", f"{config.rows} rows x {config.columns} columns, {config.lanes} lanes")
    table.add_row("weights", f"{plan.network.trits:,} trits, packed as {config.packing}")
    table.add_row("accumulators", f"{config.accumulator_width} bits")
    if scaling := config.scaling:
        table.add_row("activations", f"{scaling.rule}, up to {scaling.groups} groups of up to {scaling.longest} inputs")
        sums = f"{scaling.accumulator_bits} bits, of which {scaling.result_bits} are a result"
        table.add_row("scale step", f"mantissas of {scaling.mantissa_bits} bits, sums of {sums}")
    table.add_row("a vector alone", f"{cycles.latency:,} cycles, {cycles.compute:,} of them from its first chunk on")
    table.add_row("vectors in flight", f"{config.vectors}")
    table.add_row("cycles per vector", f"{cycles.period:,.10g} in steady state, array busy {cycles.busy:.1%}")
    table.add_row("utilisation", f"{cycles.utilisation:.1%}")
    for name, depth in config.depths.items():
        table.add_row(f"{name} memory", f"{depth:,} words of {sum(config.transfers[name]):,} bits")
    add_area(table, plan)
    if device:
        limit = device_named(device)
        used = plan.area.lut4 / limit.lut4
        table.add_row(device, f"{limit.lut4:,} LUT4 ({used:.0%} used), {limit.block_rams} block RAMs")
    return table


def add_area(table: Table, plan: Plan) -> None:
    """A row for an engine's estimated size."""
    area = plan.area
    parts = f"array {area.array:,}, decoder {area.decoder:,}, quantiser {area.quantiser:,}, rest {area.rest:,}"
    table.add_row(f"{area.family} estimate", f"{area.lut4:,} LUT4 ({parts}), {area.block_rams} block RAMs")


def bench_table(title: str, result: Bench) -> Table:
    """A component's measured figures."""
    cells, part, shares = result.cells, result.part, result.shares
    table = figures_table(f"{title} on {part.family} {part.name}")
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
