"""Pictures of benches: how far engines are from what their weight memory allows, and what area buys what speed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gen.pictures import picture
from golden.errors import TritweaveError
from golden.files.disk import write_bytes
from golden.formats import PACKINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figures = Mapping[str, Any]
"""What `tritweave bench ... --json` wrote."""

_BOTH = {"component": str, "device": str, "array": str, "packing": str, "macs": int}
_SPEED = {"lut_per_mac": float, "fmax_mhz": float}
_ENGINE = {"model": str, "fold": str, "weight_memory_bits": int, "utilisation": float}
_KINDS = {str: "a text", int: "a whole number", float: "a number"}


class Peer(NamedTuple):
    """A range of published figures."""

    lut_per_mac: tuple[float, float]
    fmax_mhz: tuple[float, float]


PEERS = (
    Peer((33, 33), (142, 142)),
    Peer((37, 37), (69, 69)),
    Peer((45, 45), (193, 193)),
    Peer((46, 46), (132, 149)),
    Peer((51, 53), (71, 84)),
    Peer((61, 61), (127, 127)),
    Peer((83, 83), (141, 141)),
    Peer((104, 141), (95, 146)),
)
"""Other open engines, placed by the same tools; the smallest accumulates in 8 bits that wrap."""

_GIGA_PER_KLUT = (1, 2, 4, 8, 16)


def read_figures(path: Path) -> Figures:
    """The figures of an array or an engine; an error names the file and what is wrong with it."""
    try:
        figures = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TritweaveError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(figures, dict):
        raise TritweaveError(f"{path} does not hold the figures of a bench, but a {type(figures).__name__}")
    wanted = _BOTH | _SPEED | (_ENGINE if figures.get("component") == "engine" else {})
    for key, kind in wanted.items():
        value: Any = figures.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
            raise TritweaveError(
                f"{path} has {key} = {value!r} where {_KINDS[kind]} belongs; "
                "it must be what `tritweave bench array` or `tritweave bench engine` wrote with --json"
            )
        if kind is not str and not value > 0:
            raise TritweaveError(f"{path} has {key} = {value!r}; it must be above 0")
    if figures["packing"] not in PACKINGS:
        raise TritweaveError(f"{path} has packing {figures['packing']!r}; it is one of {', '.join(PACKINGS)}")
    return figures


def plot_benches(results: Sequence[Figures], folder: Path) -> dict[Path, str]:
    """Draw all that the results allow.

    Parameters
    ----------
    results
        What `read_figures` gave.
    folder
        Where ``area.png`` goes, and ``roofline.png`` if there is an engine among the results.

    Returns
    -------
    The files, each with what it is.

    """
    engines = [result for result in results if result["component"] == "engine"]
    pictures = {folder / "area.png": (picture(lambda axes: _area(axes, results)), "LUT4 per MAC against fmax")}
    if engines:
        pictures[folder / "roofline.png"] = (
            picture(lambda axes: _roofline(axes, engines)),
            "weights a cycle against memory width",
        )
    for path, (content, _) in pictures.items():
        write_bytes(path, content)
    return {path: what for path, (_, what) in pictures.items()}


def _area(axes: "Axes", results: Sequence[Figures]) -> None:
    fastest = max(max(result["fmax_mhz"] for result in results), *(peer.fmax_mhz[1] for peer in PEERS)) * 1.35
    highest = max(max(result["lut_per_mac"] for result in results), *(peer.lut_per_mac[1] for peer in PEERS)) * 1.1
    for rate in _GIGA_PER_KLUT:
        axes.plot((0, fastest), (0, fastest / rate), color="0.8", linewidth=0.8, zorder=0)
        end = min(fastest, 0.97 * highest * rate)
        axes.annotate(f"{rate} GMAC/s per kLUT4", (end, end / rate), color="0.5", fontsize="x-small", ha="right")
    for index, peer in enumerate(PEERS):
        (low_lut, high_lut), (low_mhz, high_mhz) = peer
        axes.errorbar(
            (low_mhz + high_mhz) / 2,
            (low_lut + high_lut) / 2,
            xerr=(high_mhz - low_mhz) / 2,
            yerr=(high_lut - low_lut) / 2,
            fmt="x",
            color="0.45",
            label="" if index else "other open engines, same tools",
        )
    for component, marker, colour in (("array", "o", "tab:blue"), ("engine", "s", "tab:red")):
        ours = [result for result in results if result["component"] == component]
        for index, result in enumerate(ours):
            point = (result["fmax_mhz"], result["lut_per_mac"])
            axes.plot(*point, marker, color=colour, label="" if index else f"Tritweave, {component}s")
            # Engines are slower than arrays, so that left of them there is room.
            left = result["component"] == "engine" and point[0] > fastest / 4
            style: dict[str, Any] = {"xytext": (-7, -4), "ha": "right"} if left else {"xytext": (6, -10)}
            axes.annotate(_name(result), point, textcoords="offset points", fontsize="small", **style)
    axes.set(xlim=(0, fastest), ylim=(0, highest), xlabel="fmax in MHz", ylabel="LUT4 per MAC, as placed")
    axes.set_title("Area and speed: lower right is better")


def _roofline(axes: "Axes", engines: Sequence[Figures]) -> None:
    widths = [engine["weight_memory_bits"] for engine in engines]
    ends = (min(widths) / 4, max(widths) * 8)
    for packing in PACKINGS.values():
        share = packing.trits / packing.bits
        axes.plot(ends, [end * share for end in ends], linewidth=1, label=f"memory limit, {packing.name}")
    for macs in sorted({engine["macs"] for engine in engines}):
        axes.axhline(macs, color="0.6", linewidth=0.8, linestyle="dashed")
        axes.annotate(f"array of {macs}", (ends[1], macs), color="0.4", fontsize="x-small", ha="right", va="bottom")
    for index, engine in enumerate(engines):
        width, limit = engine["weight_memory_bits"], engine["macs"]
        achieved = limit * engine["utilisation"]
        axes.plot((width, width), (achieved, limit), color="tab:red", linewidth=0.8)
        axes.plot(width, limit, "s", color="tab:red", fillstyle="none", label="" if index else "an engine's limit")
        axes.plot(width, achieved, "s", color="tab:red", label="" if index else "used on average")
        text = f"{_name(engine)}: {engine['utilisation']:.0%}"
        axes.annotate(text, (width, achieved), textcoords="offset points", xytext=(7, -8), fontsize="small")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set(xlim=ends, xlabel="weight memory, bits a cycle", ylabel="weights a cycle")
    axes.set_title("Weights a cycle against weight memory width")


def _name(result: Figures) -> str:
    if result["component"] == "engine":
        return f"{result['model']} {result['fold']}, {result['packing']}, {result['device']}"
    return f"{result['array']} array of {result['macs']}, {result['packing']}, {result['device']}"
