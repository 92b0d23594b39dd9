"""The last changes to a synthesised ECP5 netlist before it is placed, which Yosys does not make.

Carry chains get open ends, and block RAMs and multipliers the registers that stand around them.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

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


_BLOCK_RAM_BITS: Final = 18
_WIDE: Final = 36


def fold_output_registers(netlist: dict[str, Any]) -> int:
    """Move the registers behind block RAMs into them; returns how many block RAM ports got theirs.

    Without its own register a DP16KD answers 5.6 ns after the clock, and a register in the fabric behind it must wait
    for that and the wires. A port's register can move where every bit that is read goes to one flip-flop and nowhere
    else, and all of these have the port's clock, one enable, no reset, and begin at 0, as the block RAM's own does.

    Parameters
    ----------
    netlist
        What Yosys's ``write_json`` writes, changed in place.

    """
    folded = 0
    for module in netlist["modules"].values():
        uses = _uses(module)
        registers = {
            cell["connections"]["DI"][0]: (name, cell)
            for name, cell in module["cells"].items()
            if cell["type"] == "TRELLIS_FF" and _plain(cell)
        }
        for memory in [cell for cell in module["cells"].values() if cell["type"] == "DP16KD"]:
            for outputs, ports in _readers(memory).items():
                # A net of two pins is the output and one reader.
                read = [pin for pin in outputs if uses[memory["connections"][pin][0]] > 1]
                nets = {pin: memory["connections"][pin][0] for pin in read}
                if not read or any(uses[net] > 2 or net not in registers for net in nets.values()):
                    continue
                behind = {pin: registers[net] for pin, net in nets.items()}
                clocks = {cell["connections"]["CLK"][0] for _, cell in behind.values()}
                enables = {_enable(cell) for _, cell in behind.values()}
                if clocks != {memory["connections"][f"CLK{port}"][0] for port in ports} or len(enables) > 1:
                    continue
                for pin, (name, register) in behind.items():
                    memory["connections"][pin] = register["connections"]["Q"]
                    del module["cells"][name]
                for port in ports:
                    memory["parameters"][f"REGMODE_{port}"] = "OUTREG"
                    memory["connections"][f"OCE{port}"] = [*enables]
                folded += 1
    return folded


def fold_multiplier_registers(netlist: dict[str, Any]) -> int:
    """Move the registers around multipliers into them; returns how many multipliers got some.

    Without registers of its own a MULT18X18D takes 3.9 ns from its factors to the product, and the wires to and fro as
    much again. A register may be folded on the same conditions as with block RAMs; those of a factor stay as well where
    something else reads them. Of two behind the product, the first moves into the middle of the multiplier.

    Parameters
    ----------
    netlist
        What Yosys's ``write_json`` writes, changed in place.

    """
    folded = 0
    for module in netlist["modules"].values():
        cells = module["cells"]
        uses = _uses(module)
        plain = {name: cell for name, cell in cells.items() if cell["type"] == "TRELLIS_FF" and _plain(cell)}
        by_output = {cell["connections"]["Q"][0]: cell for cell in plain.values()}
        by_input = {cell["connections"]["DI"][0]: (name, cell) for name, cell in plain.items()}
        for multiplier in [cell for cell in cells.values() if cell["type"] == "MULT18X18D"]:
            pins, stages = multiplier["connections"], []
            factors = {pin: pins[pin][0] for factor in "AB" for pin in (f"{factor}{bit}" for bit in range(18))}
            before = {pin: by_output.get(net) for pin, net in factors.items() if net != "0"}
            controls = {cell and _control(cell) for cell in before.values()}
            if None not in controls and len(controls) == 1:
                stages = ["INPUTA", "INPUTB"]
                for pin, cell in before.items():
                    if cell:
                        pins[pin] = cell["connections"]["DI"]
                        # A register between two multipliers goes into one of them.
                        by_input.pop(cell["connections"]["DI"][0], None)
            else:
                controls = set()
            for stage in ("OUTPUT", "PIPELINE"):
                product = {pin: pins[pin][0] for pin in (f"P{bit}" for bit in range(36)) if uses[pins[pin][0]] > 1}
                after = {pin: by_input.get(net) for pin, net in product.items() if uses[net] == 2}
                both = controls | {found and _control(found[1]) for found in after.values()}
                if len(after) < len(product) or None in both or len(both) != 1:
                    break
                for pin, found in after.items():
                    if found:
                        pins[pin] = found[1]["connections"]["Q"]
                        by_output.pop(found[1]["connections"]["Q"][0], None)
                        del cells[found[0]]
                controls = both
                stages.append(stage)
            for clock, enable in (control for control in controls if control):
                folded += 1
                for stage in stages:
                    multiplier["parameters"] |= {f"REG_{stage}_{pin}": f"{pin}0" for pin in ("CLK", "CE", "RST")}
                pins |= {"CLK0": [clock], "CE0": [enable], "RST0": ["0"]}
                multiplier["port_directions"] |= dict.fromkeys(("CLK0", "CE0", "RST0"), "input")
        uses = _uses(module)
        for name, register in plain.items():
            if name in cells and uses[register["connections"]["Q"][0]] == 1:
                del cells[name]
    return folded


def _uses(module: Mapping[str, Any]) -> Counter[int | str]:
    """How many pins and ports each net of a module has."""
    pins = [bit for cell in module["cells"].values() for bits in cell["connections"].values() for bit in bits]
    return Counter(pins + [bit for port in module["ports"].values() for bit in port["bits"]])


def _readers(memory: Mapping[str, Any]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """A block RAM's outputs that are one word, and the ports whose registers stand behind them."""
    by_port = {port: tuple(f"DO{port}{bit}" for bit in range(_BLOCK_RAM_BITS)) for port in "AB"}
    if int(memory["parameters"]["DATA_WIDTH_B"], 2) == _WIDE:
        return {by_port["A"] + by_port["B"]: ("A", "B")}
    return {outputs: (port,) for port, outputs in by_port.items()}


def _plain(register: Mapping[str, Any]) -> bool:
    """Whether a flip-flop has no reset and begins at 0."""
    parameters, connections = register["parameters"], register["connections"]
    unset = connections.get("LSR", ["0"]) == ["0"] and parameters.get("LSRMUX", "LSR") == "LSR"
    return unset and parameters.get("REGSET", "RESET") == "RESET" and parameters.get("CLKMUX", "CLK") == "CLK"


def _enable(register: Mapping[str, Any]) -> int | str:
    """The net that enables a flip-flop, or a constant."""
    return register["connections"]["CE"][0] if register["parameters"]["CEMUX"] == "CE" else "1"


def _control(register: Mapping[str, Any]) -> tuple[int | str, int | str]:
    """The nets that clock and enable a flip-flop."""
    return register["connections"]["CLK"][0], _enable(register)
