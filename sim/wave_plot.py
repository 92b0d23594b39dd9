"""A picture of an engine's run: what its parts do in each cycle, from the trace that a simulation wrote."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gen.pictures import picture
from golden.errors import TritweaveError
from golden.files.disk import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = {
    "input words": (("", "i_valid"), ("", "i_ready")),
    "quantiser takes": (("quantizer", "i_valid"), ("quantizer", "i_ready")),
    "quantiser gives": (("quantizer", "o_valid"),),
    "chunks issued": (("sequencer", "issue"),),
    "drain gives": (("drain", "o_valid"),),
    "result words": (("", "o_valid"), ("", "o_ready")),
}
"""What is shown: for each row the signals, module and name, that are all 1 when something passes."""
_REGION = ("buffer", "region")
"""Colours the chunks: the region of `EngineConfig.buffer` that they are read from."""


def plot_waves(trace: Path, path: Path) -> None:
    """Draw the `ROWS` of a trace in VCD, as `sim.batch.run_batch` writes it, as PNG; needs matplotlib."""
    runs = read_runs(trace)
    write_bytes(path, picture(lambda axes: _draw(axes, runs)))


def read_runs(trace: Path) -> dict[str, list[tuple[int, int, int]]]:
    """For each row its runs of busy cycles: first cycle, number of cycles, and of chunks the region."""
    codes = _codes(trace)
    runs: dict[str, list[tuple[int, int, int]]] = {row: [] for row in ROWS}
    for cycle, values in _cycles(trace, set(codes.values())):
        region = values.get(codes[_REGION], 0)
        for row, signals in ROWS.items():
            if not all(values.get(codes[signal]) for signal in signals):
                continue
            of = region if row == "chunks issued" else 0
            first, length, same = runs[row][-1] if runs[row] else (0, 0, -1)
            if first + length == cycle and same == of:
                runs[row][-1] = (first, length + 1, of)
            else:
                runs[row].append((cycle, 1, of))
    return runs


def _codes(trace: Path) -> dict[tuple[str, str], str]:
    """How the trace abbreviates the signals of the rows."""
    wanted = {signal for row in ROWS.values() for signal in row} | {_REGION}
    found: dict[tuple[str, str], str] = {}
    scopes: list[str] = []
    with trace.open() as lines:
        for line in lines:
            match line.split():
                case ["$scope", _, name, "$end"]:
                    scopes.append(name)
                case ["$upscope", *_]:
                    scopes.pop()
                case ["$var", _, _, code, name, *_]:
                    # The top has no module around it; its name is the user's.
                    signal = (scopes[-1] if len(scopes) > 1 else "", name.replace("__", "_"))
                    if signal in wanted:
                        found.setdefault(signal, code)
                case ["$enddefinitions", *_]:
                    break
    if missing := sorted(".".join(signal).lstrip(".") for signal in wanted - set(found)):
        raise TritweaveError(f"{trace} has no signals {', '.join(missing)}; is it the trace of an engine?")
    return found


def _cycles(trace: Path, codes: set[str]) -> Iterator[tuple[int, Mapping[str, int]]]:
    """Each cycle with the values at its end; the trace counts halves of the clock, the low one first."""
    values: dict[str, int] = {}
    with trace.open() as lines:
        for line in lines:
            if line[0] == "#":
                if (time := int(line[1:])) % 2:
                    yield time // 2, values
            elif line[0] in "01" and (code := line[1:].rstrip()) in codes:
                values[code] = int(line[0])
            elif line[0] == "b":
                bits, code = line[1:].split()
                if code in codes:
                    values[code] = int(bits, 2)


def _draw(axes: "Axes", runs: Mapping[str, list[tuple[int, int, int]]]) -> None:
    """One row of bars each, the engine's way from top to bottom."""
    begin = min(first for row in runs.values() for first, _, _ in row)
    for place, row in enumerate(runs):
        for region in sorted({of for _, _, of in runs[row]}):
            spans = [(first - begin, length) for first, length, of in runs[row] if of == region]
            chunks = row == "chunks issued"
            colour, label = (f"C{region}", f"from region {region}") if chunks else ("0.4", None)
            axes.broken_barh(spans, (place - 0.35, 0.7), color=colour, label=label, linewidth=0)
    axes.set_yticks(range(len(runs)), list(runs))
    axes.set_ylim(len(runs) - 0.5, -1.7)  # downwards, and with room for the legend
    axes.set(xlabel="cycle", title="when words and chunks pass")
