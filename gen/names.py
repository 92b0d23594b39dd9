"""Names in Verilog: what is driven by a part is called after the part and its port, and nothing needs an escape."""

import re
from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Fragment, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Flow, Out

_WORDS = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam design
disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable endtask
event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout input
instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor noshowcancelled
not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup pulsestyle_ondetect
pulsestyle_onevent rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled
signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1
triand trior trireg unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor accept_on alias
always_comb always_ff always_latch assert assume before bind bins binsof bit break byte chandle checker class clocking
const constraint context continue cover covergroup coverpoint cross dist do endchecker endclass endclocking endgroup
endinterface endpackage endprogram endproperty endsequence enum eventually expect export extends extern final
first_match foreach forkjoin global iff ignore_bins illegal_bins implements implies import inside int interconnect
interface intersect join_any join_none let local logic longint matches modport nettype new nexttime null package
packed priority program property protected pure rand randc randcase randsequence ref reject_on restrict return
s_always s_eventually s_nexttime s_until s_until_with sequence shortint shortreal soft solve static string strong
struct super sync_accept_on sync_reject_on tagged this throughout timeprecision timeunit type typedef union unique
unique0 until until_with untyped var virtual void wait_order weak wildcard with within
"""
KEYWORDS = frozenset(_WORDS.split())
"""Of Verilog and SystemVerilog: no names there."""

_LONGEST = 40
"""Of a port that is made of several signals; beyond it, only the first and the last are named."""
_ALIAS = re.compile(r"^connect \\(\w+) (.*)$", re.MULTILINE)
_DECLARED = re.compile(r"^  (?:wire|memory|cell \S+) (?:.* )?(\\\S+)$", re.MULTILINE)
_MODULE = re.compile(r"^module (\\\S+)\n(.*?)^end$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^  cell (\\\S+) .*?^  end$", re.MULTILINE | re.DOTALL)
_IDENTIFIER = re.compile(r"\\\S+")


class _Names:
    """Names that are given once."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = set(taken)

    def give(self, name: str) -> str:
        """The name, letters, digits and single underscores only, with a number behind it if it is taken."""
        plain = re.sub(r"\W+|__+", "_", re.sub(r"\$\d+$", "", name)).strip("_")
        unique, number = plain, 1
        while unique in self._taken or unique in KEYWORDS:
            number += 1
            unique = f"{plain}_{number}"
        self._taken.add(unique)
        return unique


def name_signals(design: Any) -> None:
    """Give the signals of a prepared design, what `Fragment.prepare` returns, the names that a reader expects.

    In the component that has it as a member, a signal is called as the member; above, after the component, too:
    ``valid`` of the part ``array`` is ``array_valid`` there. Where several signals are one wire, the one that is
    assigned goes before those that only pass it on, and gives the wire its name.
    """
    members: dict[int, tuple[Fragment, Flow]] = {}
    for component, fragment in design.elaboratables.items():
        if isinstance(component, wiring.Component):
            for _, member, value in component.signature.flatten(component):
                members[id(Value.cast(value))] = (fragment, member.flow)

    def name(fragment: Fragment, hierarchy: tuple[str, ...]) -> None:
        info = design.fragments[fragment]
        info.name = hierarchy
        ports = {id(signal): port for port, signal, _ in design.ports} if fragment is design.fragment else {}
        names = _Names(ports.values())
        parts = [(part, names.give(given or "part")) for part, given, _ in fragment.subfragments]
        for part, given in parts:
            name(part, (*hierarchy, given))
        driven = {
            id(signal): domain != "comb"
            for domain, statements in fragment.statements.items()
            for statement in statements
            for signal in statement._lhs_signals()
        }

        def place(signal: Signal) -> int:
            """Where the signal stands among those that may name a wire."""
            owner, flow = members.get(id(signal), (fragment, None))
            below = owner is not fragment and fragment in _above(design, owner)
            if driven.get(id(signal)):
                return 0
            if below:
                return 3 if flow is Out else 4
            return 1 if id(signal) in driven else 2

        given_names = type(info.signal_names)()
        for signal in sorted(info.used_signals, key=place):
            if id(signal) in ports:
                given_names[signal] = ports[id(signal)]
            elif signal.name:
                owner, _ = members.get(id(signal), (fragment, None))
                given_names[signal] = names.give("_".join([*_path(design, fragment, owner), signal.name]))
        info.signal_names = given_names

    name(design.fragment, design.hierarchy)


def _above(design: Any, fragment: Fragment) -> list[Fragment]:
    """The fragment and all that it is in."""
    found = []
    while fragment is not None:
        found.append(fragment)
        fragment = design.fragments[fragment].parent
    return found


def _path(design: Any, fragment: Fragment, owner: Fragment) -> list[str]:
    """What leads from a fragment to the one below it that has a member; nothing if it is not below."""
    around = _above(design, fragment)
    return [design.fragments[part].name[-1] for part in reversed(_above(design, owner)) if part not in around]


def without_escapes(rtlil: str) -> str:
    """RTLIL as Amaranth writes it, with identifiers that are Verilog's as they are.

    Modules are called after their place in the design, fields of structs and elements of arrays after what they are
    part of, and ports that pass several signals on after these.
    """
    modules = dict(_MODULE.findall(rtlil))
    places = _Names()
    kinds = {name: "\\" + places.give(name) for name in modules}
    tables = {name: _table(body) for name, body in modules.items()}

    def renamed(module: re.Match[str]) -> str:
        table = tables[module[1]]

        def cell(found: re.Match[str]) -> str:
            ports = tables.get(found[1], {})
            head, *lines = found[0].splitlines()
            own = head.rsplit(" ", 1)[1]
            lines = [
                f"    connect {ports.get(port, port)} {_replaced(rest, table)}" if port else line
                for line in lines
                for port, rest in [_port(line)]
            ]
            return "\n".join([f"  cell {kinds.get(found[1], found[1])} {table.get(own, own)}", *lines])

        pieces, end = [f"module {kinds[module[1]]}\n"], 0
        for found in _CELL.finditer(module[2]):
            pieces += [_replaced(module[2][end : found.start()], table), cell(found)]
            end = found.end()
        return "".join([*pieces, _replaced(module[2][end:], table), "end"])

    return _MODULE.sub(renamed, rtlil)


def _port(line: str) -> tuple[str, str]:
    """Port and signal of a cell's connection, nothing for other lines."""
    words = line.split(" ", 6)
    return (words[5], words[6]) if line.startswith("    connect ") else ("", "")


def _replaced(text: str, table: dict[str, str]) -> str:
    return _IDENTIFIER.sub(lambda found: table.get(found[0], found[0]), text)


def _table(body: str) -> dict[str, str]:
    """A module's identifiers, each with its new name."""
    declared = list(dict.fromkeys(_DECLARED.findall(body)))
    names = _Names(name[1:] for name in declared if re.fullmatch(r"\\\w+", name))
    aliases = _ALIAS.findall(body)

    def wanted(name: str) -> str:
        if not name.startswith("\\port$"):
            return name
        found = {
            int(bits[1]): alias
            for alias, source in aliases
            if (bits := re.fullmatch(rf"{re.escape(name)} \[(?:\d+:)?(\d+)\]", source))
        }
        parts = [found[place] for place in sorted(found)] or ["inputs"]
        joined = "_".join(parts)
        return joined if len(joined) <= _LONGEST else f"{parts[0]}_to_{parts[-1]}"

    return {name: "\\" + names.give(wanted(name)) for name in declared if not re.fullmatch(r"\\\w+", name)}
