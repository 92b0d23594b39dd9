"""A picture of the schemes' comparison: what accuracy costs in memory and in cycles, trained or not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gen.pictures import picture
from golden.files.disk import write_bytes
from sim.schemes import SchemeRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NEAR: Final = 2.0
"""Points whose values are this far apart have names that may cover each other."""
_LINE: Final = 2.8
"""Height of a name, in per cent of the images."""
_POINTS: Final = 3.6
"""Height of a per cent, in points."""


def plot_schemes(rows: Sequence[SchemeRow], path: Path) -> None:
    """Write accuracy against stored bits and against cycles, as PNG."""
    panels = (
        (lambda row: row.bits, "bits stored for a weight, scales included"),
        (lambda row: row.simulated.period, "cycles of an image, two in flight"),
    )
    write_bytes(path, picture(*(_panel(rows, value, label) for value, label in panels)))


def _panel(rows: Sequence[SchemeRow], value: Callable[[SchemeRow], float], label: str) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        # Neighbours are close to each other: every second name stands on the left, or all but trained networks',
        # and below those that it would cover.
        apart = any(row.trained for row in rows)
        placed: list[tuple[int, float, float]] = []
        for index, row in enumerate(sorted(rows, key=lambda row: -row.golden)):
            point, right = (value(row), 100 * row.golden), row.trained if apart else index % 2 == 0
            side = 1 if right else -1
            height = point[1]
            for other, where, above in placed:
                if other == side and 1 / _NEAR < where / point[0] < _NEAR:
                    height = min(height, above - _LINE)
            placed.append((side, *(point[0], height)))
            axes.plot(*point, "s" if row.trained else "o", color="tab:orange" if row.trained else "tab:blue")
            drop = (height - point[1]) * _POINTS
            where = {"xytext": (7 * side, drop - 3), "ha": "left" if side > 0 else "right"}
            axes.annotate(row.label, point, textcoords="offset points", fontsize="small", **where)
        from matplotlib.ticker import LogLocator

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.minorticks_off()
        axes.xaxis.set_major_formatter("{x:g}")
        axes.margins(x=0.25, y=0.08)
        axes.set(xlabel=label, ylabel=f"of {rows[0].images:,} images recognised, %")

    return draw
