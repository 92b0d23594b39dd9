"""Pictures as PNG, drawn without a display."""

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

from golden.errors import TritweaveError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def picture(*panels: "Callable[[Axes], None]") -> bytes:
    """Panels side by side, each drawn by a call with its axes; needs matplotlib, or an error says how to install it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise TritweaveError(
            f"plots need matplotlib ({error}); install it with: pip install 'tritweave[bench]'"
        ) from error
    figure = Figure(figsize=(9, 6) if len(panels) == 1 else (13, 6), layout="constrained")
    for axes, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes)
        axes.grid(alpha=0.2, which="both")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper left", fontsize="small")
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
