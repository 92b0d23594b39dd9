from copy import deepcopy
from typing import Any

import pytest

from gen.netlist import fold_multiplier_registers, fold_output_registers, open_chain_ends


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


def block_ram(width: int, outputs: dict[str, int]) -> dict[str, Any]:
    parameters = {
        "DATA_WIDTH_A": f"{width:b}",
        "DATA_WIDTH_B": f"{width:b}",
        "REGMODE_A": "NOREG",
        "REGMODE_B": "NOREG",
    }
    pins = {f"DO{port}{bit}": [1000 + 100 * (port == "B") + bit] for port in "AB" for bit in range(18)}
    connections = pins | {pin: [net] for pin, net in outputs.items()}
    clocks = {"CLKA": [2], "CLKB": [2], "OCEA": ["0"], "OCEB": ["0"]}
    return {"type": "DP16KD", "parameters": parameters, "connections": connections | clocks}


def register(
    data: int, out: int, *, clock: int = 2, enable: int | None = None, reset: int | str = "0", begins: str = "RESET"
) -> dict[str, Any]:
    parameters = {"CEMUX": "1 " if enable is None else "CE", "LSRMUX": "LSR", "CLKMUX": "CLK", "REGSET": begins}
    connections = {"DI": [data], "Q": [out], "CLK": [clock], "LSR": [reset]}
    return {
        "type": "TRELLIS_FF",
        "parameters": parameters,
        "connections": connections | ({} if enable is None else {"CE": [enable]}),
    }


def folded(cells: dict[str, Any], ports: dict[str, list[int]] | None = None) -> int:
    """Ports that were folded in a netlist of these cells, and of module ports with these bits."""
    named = {name: {"bits": bits} for name, bits in (ports or {}).items()}
    return fold_output_registers({"modules": {"top": {"cells": cells, "ports": named}}})


@pytest.mark.parametrize(("enable", "pin"), [(None, "1"), (7, 7)])
def test_registers_behind_a_block_ram_move_into_the_port_that_they_belong_to(
    enable: int | None, pin: int | str
) -> None:
    ram = block_ram(18, {"DOB0": 10, "DOB17": 11})
    cells = {"ram": ram, "low": register(10, 20, enable=enable), "high": register(11, 21, enable=enable)}
    cells["reader"] = {"type": "LUT4", "parameters": {}, "connections": {"A": [20], "B": [21], "Z": [30]}}
    assert folded(cells) == 1
    assert sorted(cells) == ["ram", "reader"]
    assert (ram["parameters"]["REGMODE_A"], ram["parameters"]["REGMODE_B"]) == ("NOREG", "OUTREG")
    assert (ram["connections"]["DOB0"], ram["connections"]["DOB17"]) == ([20], [21])
    assert (ram["connections"]["OCEA"], ram["connections"]["OCEB"]) == (["0"], [pin])


def test_a_word_of_36_bits_has_the_registers_of_both_ports() -> None:
    ram = block_ram(36, {"DOA3": 10, "DOB0": 11})
    assert folded({"ram": ram, "low": register(11, 20), "high": register(10, 21)}) == 1
    assert (ram["parameters"]["REGMODE_A"], ram["parameters"]["REGMODE_B"]) == ("OUTREG", "OUTREG")
    assert (ram["connections"]["DOA3"], ram["connections"]["DOB0"]) == ([21], [20])


@pytest.mark.parametrize(
    ("second", "reader"),
    [
        (register(11, 21, clock=3), 30),
        (register(11, 21, enable=7), 30),
        (register(11, 21, reset=8), 30),
        (register(11, 21, begins="SET"), 30),
        (register(12, 21), 11),  # a bit that something else reads
        (register(11, 21), 10),  # and one that two read
    ],
    ids=["other clock", "other enable", "reset", "begins at 1", "no register", "read before it"],
)
def test_registers_stay_where_one_of_them_is_not_like_the_block_rams(second: dict[str, Any], reader: int) -> None:
    cells = {"ram": block_ram(18, {"DOB0": 10, "DOB17": 11}), "first": register(10, 20), "second": second}
    cells["reader"] = {"type": "LUT4", "parameters": {}, "connections": {"A": [reader], "Z": [31]}}
    before = deepcopy(cells)
    assert folded(cells) == 0
    assert cells == before


def test_registers_of_bits_that_leave_the_module_stay() -> None:
    cells = {"ram": block_ram(18, {"DOB0": 10}), "only": register(10, 20)}
    assert folded(cells, {"out": [10]}) == 0


def multiplier(factors: dict[str, int], product: dict[str, int]) -> dict[str, Any]:
    pins = {f"{factor}{bit}": ["0"] for factor in "AB" for bit in range(18)}
    pins |= {f"P{bit}": [1000 + bit] for bit in range(36)} | {pin: [net] for pin, net in (factors | product).items()}
    return {"type": "MULT18X18D", "parameters": {}, "port_directions": {}, "connections": pins}


def product_of(**changed: dict[str, Any]) -> dict[str, Any]:
    """Two bits times one, with registers in front of them and two behind each bit of the product, some replaced."""
    cells = {"multiplier": multiplier({"A0": 10, "A1": 11, "B0": 12}, {"P0": 20, "P1": 21})}
    cells |= {f"in_{net}": register(net - 10, net) for net in (10, 11, 12)}
    cells |= {f"out_{net}": register(net, net + 10) for net in (20, 21, 30, 31)}
    cells["reader"] = {"type": "LUT4", "parameters": {}, "connections": {"A": [40], "B": [41], "Z": [50]}}
    return cells | changed


@pytest.mark.parametrize(
    ("changed", "stages", "left"),
    [
        ({}, "INPUTA INPUTB OUTPUT PIPELINE", []),
        ({"in_12": register(2, 12, enable=7)}, "OUTPUT PIPELINE", ["in_10", "in_11", "in_12"]),
        ({"out_31": register(31, 41, reset=7)}, "INPUTA INPUTB OUTPUT", ["out_30", "out_31"]),
        ({"out_20": register(20, 30, clock=3)}, "INPUTA INPUTB", ["out_20", "out_21", "out_30", "out_31"]),
        # A factor's register stays for what else reads it, a product's that is read in between must stay.
        ({"other": register(10, 60)}, "INPUTA INPUTB OUTPUT PIPELINE", ["in_10", "other"]),
        ({"other": register(20, 60)}, "INPUTA INPUTB", ["other", "out_20", "out_21", "out_30", "out_31"]),
    ],
    ids=["all alike", "other enable", "reset", "other clock", "factor read", "product read"],
)
def test_registers_around_a_multiplier_move_into_it_stage_by_stage(
    changed: dict[str, Any], stages: str, left: list[str]
) -> None:
    cells = product_of(**changed)
    # What else reads a register is read itself.
    ports = {"other": {"bits": [60]}}
    assert fold_multiplier_registers({"modules": {"top": {"cells": cells, "ports": ports}}}) == 1
    parameters = cells["multiplier"]["parameters"]
    assert sorted(name[4:-4] for name in parameters if name.endswith("_CLK")) == stages.split()
    assert sorted(set(cells) - {"multiplier", "reader"}) == left
    pins = cells["multiplier"]["connections"]
    assert [pins[pin] for pin in ("CLK0", "CE0", "RST0")] == [[2], ["1"], ["0"]]
    assert pins["A1"] == ([1] if "INPUTA" in stages else [11])
    assert pins["P1"] == ([41] if "PIPELINE" in stages else [31] if "OUTPUT" in stages else [21])


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_a_register_between_two_multipliers_goes_into_one_of_them(order: tuple[str, str]) -> None:
    made = {
        "first": multiplier({"A0": 10, "B0": 11}, {"P0": 20}),
        "second": multiplier({"A0": 30, "B0": 31}, {f"P{bit}": 40 + bit for bit in range(36)}),
    }
    cells = {name: made[name] for name in order}
    cells |= {"between": register(20, 30), "beside": register(21, 31)}
    cells["reader"] = {"type": "LUT4", "parameters": {}, "connections": {"A": [40], "Z": [50]}}
    assert fold_multiplier_registers({"modules": {"top": {"cells": cells, "ports": {}}}}) == 1
    link = cells["second"]["connections"]["A0"]
    assert link == cells["first"]["connections"]["P0"]
    inside = [name for name in order if any(key.endswith("_CLK") for key in cells[name]["parameters"])]
    assert inside == [order[0]]
    assert "between" not in cells
