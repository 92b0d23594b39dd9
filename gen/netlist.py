"""The last change to a synthesised ECP5 netlist before it is placed: carry chains whose ends are open."""

from typing import Any

from rtl.array.carry_chain import START


def open_chain_ends(netlist: dict[str, Any]) -> int:
    """Open the carry pins that Yosys ties although nothing depends on them; returns how many.

    For every chain whose carry input is a constant or whose last carry output is a net, used or not, nextpnr spends a
    whole cell. A carry output that nothing reads is opened, and so is the constant carry input of a chain's first
    half-cell that makes the carry itself (`rtl.array.carry_chain.START`), whatever comes in.

    Parameters
    ----------
    netlist
        What Yosys's ``write_json`` writes, changed in place.

    """
    opened = 0
    for module in netlist["modules"].values():
        cells = [cell for cell in module["cells"].values() if cell["type"] == "CCU2C"]
        pins = [(cell, pin) for cell in module["cells"].values() for pin in cell["connections"]]
        used = {
            bit for cell, pin in pins if (cell["type"], pin) != ("CCU2C", "COUT") for bit in cell["connections"][pin]
        }
        used |= {bit for port in module["ports"].values() for bit in port["bits"]}
        for cell in cells:
            connections = cell["connections"]
            if "COUT" in connections and connections["COUT"][0] not in used:
                connections["COUT"] = ["x"]
                opened += 1
            if connections.get("CIN") == ["0"] and int(cell["parameters"]["INIT0"], 2) == START:
                connections["CIN"] = ["x"]
                opened += 1
    return opened
