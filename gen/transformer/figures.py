"""What is known of a decoder before it is built: for a JSON file, and as a table."""

from typing import Any

from rich.table import Table

from gen.plan.devices import Device
from gen.tables import figures_table
from gen.transformer.area import DecoderArea
from gen.transformer.memories import decoder_memories
from gen.transformer.plan import DecoderPlan


def token_figures(plan: DecoderPlan, clock_hz: float) -> dict[str, Any]:
    """Cycles of a token by its position, and tokens a second, each with its choice, at a clock."""
    context = plan.config.shape.context
    tokens = [plan.cycles.token(position) for position in range(context)]
    places = {"first": tokens[0], "middle": tokens[context // 2], "last": tokens[-1]}
    total = sum(token.total for token in tokens)
    rate = clock_hz * context / total
    return {
        "clock_mhz": clock_hz / 1e6,
        **{f"cycles_{name}": token.total for name, token in places.items()},
        **{f"tokens_per_s_{name}": clock_hz / token.total for name, token in places.items()},
        "tokens_per_s": rate,
        "weights_per_s": rate * plan.config.shape.parameters,
        "array_busy": sum(token.array for token in tokens) / total,
    }


def decoder_figures(plan: DecoderPlan, area: DecoderArea, clock_hz: float) -> dict[str, Any]:
    """All that a plan predicts."""
    config = plan.config
    memories: dict[str, dict[str, Any]] = {}
    for memory in decoder_memories(config, plan.cycles.program.entries):
        found = memories.setdefault(memory.use, {"bits": 0, "block_rams": area.block_rams[memory.use], "memories": []})
        found["bits"] += memory.words * memory.bits
        found["memories"].append({"words": memory.words, "bits": memory.bits})
    return {
        "model": plan.model.name,
        "parameters": config.shape.parameters,
        "trits": config.shape.trits,
        "context": config.shape.context,
        "fold": str(plan.fold),
        "packing": config.packing,
        "array": config.array,
        **token_figures(plan, clock_hz),
        "memories": memories,
        "estimate": {
            "family": area.family,
            "lut4": area.lut4,
            "lut4_by_part": area.logic,
            "block_rams": sum(area.block_rams.values()),
            "multipliers": area.multipliers,
        },
    }


def decoder_table(plan: DecoderPlan, area: DecoderArea, clock_hz: float, device: Device | None) -> Table:
    """The same for people; the device is that which it is to fit."""
    figures, config = decoder_figures(plan, area, clock_hz), plan.config
    shape, form = config.shape, config.form
    table = figures_table(plan.model.name)
    table.add_row("model", f"{shape.parameters:,} parameters, {shape.trits:,} of them trits in {shape.blocks} blocks")
    digits = f"{form.embedding_digits} of an embedding, {form.key_digits} of a key, {form.value_digits} of a value"
    table.add_row("digits", digits)
    table.add_row("fold", f"{config.rows} rows x {config.columns} columns, {config.lanes} lanes")
    table.add_row("weights", f"packed as {config.packing}; the array is {config.array}")
    table.add_row("context", f"{shape.context:,} tokens")
    for place in ("first", "middle", "last"):
        rate = f"{figures[f'tokens_per_s_{place}']:,.0f} a second at {clock_hz / 1e6:g} MHz"
        table.add_row(f"{place} token", f"{figures[f'cycles_{place}']:,} cycles, {rate}")
    rates = f"{figures['tokens_per_s']:,.0f} tokens a second, {figures['weights_per_s'] / 1e9:.3g} G weights"
    table.add_row("a whole context", f"{rates}, array busy {figures['array_busy']:.1%}")
    for use, found in figures["memories"].items():
        sizes = ", ".join(f"{one['words']:,} x {one['bits']:,}" for one in found["memories"])
        blocks = f"{found['block_rams']} block RAMs" if found["block_rams"] else "in logic"
        table.add_row(use, f"{sizes} bits: {blocks}")
    parts = ", ".join(f"{part} {count:,}" for part, count in area.logic.items())
    table.add_row(f"{area.family} estimate", f"{area.lut4:,} LUT4 ({parts})")
    table.add_row("", f"{sum(area.block_rams.values())} block RAMs, {area.multipliers} multipliers")
    if device:
        there = f"{device.lut4:,} LUT4 ({area.lut4 / device.lut4:.0%} used), {device.block_rams} block RAMs"
        table.add_row(device.name, f"{there}, {device.multipliers} multipliers")
    return table
