"""What plans look like on a terminal."""

from rich.table import Table

from gen.plan.devices import device_named
from gen.plan.plan import Plan
from gen.tables import figures_table


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
    if norming := config.norming:
        table.add_row("norms", f"{norming.result_bits} bits, {norming.shift} less")
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
