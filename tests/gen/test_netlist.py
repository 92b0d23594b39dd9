from typing import Any

from gen.netlist import open_chain_ends


def cell(init: int, cin: int | str, cout: int) -> dict[str, Any]:
    return {
        "type": "CCU2C",
        "parameters": {"INIT0": f"{init:016b}"},
        "connections": {"CIN": [cin], "COUT": [cout], "S0": [cout + 100]},
    }


def test_only_ends_that_nothing_depends_on_are_opened() -> None:
    cells = {
        "start": cell(0x000A, "0", 2),
        "middle": cell(0x96AA, 2, 3),
        "end": cell(0x96AA, 3, 4),
        "start of a chain that needs its carry": cell(0x96AA, "0", 5),
        "start of a chain with a carry of one": cell(0x000A, "1", 6),
        "reader": {"type": "LUT4", "parameters": {}, "connections": {"A": [5], "Z": [7]}},
    }
    netlist = {"modules": {"top": {"cells": cells, "ports": {"carry": {"bits": [6]}}}}}
    assert open_chain_ends(netlist) == 2
    carries = {
        name: (c["connections"]["CIN"], c["connections"]["COUT"]) for name, c in cells.items() if name != "reader"
    }
    assert carries == {
        "start": (["x"], [2]),
        "middle": ([2], [3]),
        "end": ([3], ["x"]),
        "start of a chain that needs its carry": (["0"], [5]),
        "start of a chain with a carry of one": (["1"], [6]),
    }
