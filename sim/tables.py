"""What a comparison with the model looks like on a terminal."""

from rich.table import Table

from gen.plan.plan import Plan
from gen.plan.tables import add_area
from gen.tables import figures_table
from sim.compare import Comparison


def comparison_table(plan: Plan, result: Comparison) -> Table:
    """A comparison's figures; what is not as it should be is red."""
    table = figures_table(f"{result.model} in Verilator, {result.fold}")
    if result.accuracy is not None:
        table.add_row("accuracy", f"{result.accuracy:.2%}")
    table.add_row(
        "logits equal to golden",
        _checked(f"{result.logits_equal:,} of {result.images:,} images", result.logits_equal == result.images),
    )
    table.add_row(
        "in and out in the predicted cycles",
        _checked(f"{result.times_equal:,} of {result.images:,} images", result.times_equal == result.images),
    )
    table.add_row("cycles, all images", f"{result.cycles_simulated:,} simulated, {result.cycles_predicted:,} predicted")
    table.add_row("cycles per image", f"{result.period:,.10g}{' alone' if result.alone else ', steady state'}")
    table.add_row("longest way through", f"{result.latency_simulated:,} cycles")
    table.add_row("array utilisation", f"{result.utilisation:.1%} (busy {result.array_busy:.1%})")
    add_area(table, plan)
    table.add_row("time", f"{result.seconds:.1f} s, build included")
    return table


def _checked(text: str, good: bool) -> str:
    return f"[green]{text}[/]" if good else f"[bold red]{text}[/]"
