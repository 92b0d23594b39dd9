"""Benches of the engine's parts: the array with its accumulators and decoders, and the decoders alone."""

from gen.bench.harness import Harness, PackedArray, RegisteredDecoder
from gen.bench.measure import (
    Bench,
    Cells,
    Progress,
    available_cells,
    check_seeds,
    count_cells,
    measure,
    speeds,
    synthesise,
)
from gen.plan.devices import check_array
from gen.tools import Part, find_tools
from golden.errors import TritweaveError
from golden.formats import PACKINGS
from rtl.array.interface import ArrayConfig
from rtl.array.trit_decoder import TritDecoder
from rtl.engine.config import ARRAYS
from rtl.limits import check_range


def bench_array(
    part: Part, config: ArrayConfig, *, packing: str, array: str, seeds: int, progress: Progress = lambda _: None
) -> Bench:
    """Measure an array with its accumulators and the decoders of its weights.

    Parameters
    ----------
    part
        The device.
    config
        The array's size.
    packing
        How weights come in.
    array
        The implementation, one of `rtl.engine.config.ARRAYS`.
    seeds
        How many placements, at least 1.
    progress
        Called with 1 after each of the `steps`.

    """
    check_seeds(seeds)
    _check_packing(packing)
    if array not in ARRAYS:
        raise TritweaveError(f"array is {array!r}; it is one of {', '.join(ARRAYS)}")
    check_array(array, part.family)
    parameters: dict[str, object] = {
        "array": array,
        "packing": packing,
        "rows": config.rows,
        "columns": config.columns,
        "inputs": config.inputs,
        "accumulator_bits": config.accumulator_width,
    }
    return measure(
        "array",
        part,
        PackedArray(config, packing, array),
        parameters,
        units={"mac": config.rows * config.columns},
        counted="array, accumulators and decoders",
        seeds=seeds,
        progress=progress,
    )


def bench_decoder(part: Part, packing: str, *, groups: int, seeds: int, progress: Progress = lambda _: None) -> Bench:
    """Measure decoders side by side; parameters as in `bench_array`, `groups` is how many decoders."""
    check_seeds(seeds)
    _check_packing(packing)
    check_range("decoder", "groups", groups, 1, 1024)
    tools = find_tools(part.family)
    trits = groups * PACKINGS[packing].trits
    parameters: dict[str, object] = {"packing": packing}
    bare = synthesise(tools, part, TritDecoder(packing, trits), parameters)
    progress(1)
    core = RegisteredDecoder(packing, trits)
    whole = synthesise(tools, part, Harness(core, len(core.i), len(core.o)), parameters)
    progress(1)
    cells = count_cells(bare, sum(bare.cells.get(cell, 0) for cell in ("LUT4", "SB_LUT4")))
    return Bench(
        component="decoder",
        parameters=parameters,
        part=part,
        tools=dict(tools.versions),
        cells=cells,
        harness=Cells(0, 0, 0, 0, 0),
        available=available_cells(whole),
        fmax_mhz_seeds=speeds(whole, seeds, progress),
        slowest_path=whole.slowest_path(1),
        units={"group": groups, "trit": trits},
        rule=f"LUT4 of the decoders synthesised without a harness, each one {part.logic_cell}; "
        "fmax from register to register",
    )


def _check_packing(packing: str) -> None:
    if packing not in PACKINGS:
        raise TritweaveError(f"packing is {packing!r}; it is one of {', '.join(PACKINGS)}")
