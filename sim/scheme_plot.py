"""A picture of the schemes' comparison: what accuracy costs in memory and in cycles, trained or not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gen.pictures import picture
from golden.files.disk import write_bytes
from sim.schemes import SchemeRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_schemes(rows: Sequence[SchemeRow], path: Path) -> None:
    """Write accuracy against stored bits and against cycles, as PNG."""
    panels = (
        (lambda row: row.bits, "bits stored for a weight, scales included"),
        (lambda row: row.simulated.period, "cycles of an image, two in flight"),
    )
    write_bytes(path, picture(*(_panel(rows, value, label) for value, label in panels)))


def _panel(rows: Sequence[SchemeRow], value: Callable[[SchemeRow], float], label: str) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        # Neighbours are close to each other: every second name stands on the left.
        for index, row in enumerate(rows):
            point, side = (value(row), 100 * row.golden), 1 - index % 2 * 2
            axes.plot(*point, "s" if row.trained else "o", color="tab:orange" if row.trained else "tab:blue")
            where = {"xytext": (7 * side, -3), "ha": "left" if side > 0 else "right"}
            axes.annotate(row.label, point, textcoords="offset points", fontsize="small", **where)
        from matplotlib.ticker import LogLocator

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.minorticks_off()
        axes.xaxis.set_major_formatter("{x:g}")
        axes.margins(x=0.25, y=0.08)
        axes.set(xlabel=label, ylabel=f"of {rows[0].images:,} images recognised, %")

    return draw
