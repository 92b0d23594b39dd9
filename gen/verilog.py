"""Verilog of any component: readable port names, and a header that says what it was made from."""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from amaranth.back import verilog
from amaranth.hdl import Const, Elaboratable, Module, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Flow, In


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


def generate(component: wiring.Component, name: str, parameters: Mapping[str, object]) -> str:
    """The Verilog of a component.

    Parameters
    ----------
    component
        The top of the design.
    name
        Of the module.
    parameters
        What the header lists, in order.

    Returns
    -------
    One Verilog file: synchronous to ``clk``, with ``rst`` a synchronous, active-high reset.

    """
    top = Ports(component)
    with warnings.catch_warnings():
        # Parts that a configuration does not use are dropped on purpose.
        warnings.simplefilter("ignore", category=UserWarning)
        text = verilog.convert(top, name=name, ports=top.signals, strip_internal_attrs=True, emit_src=False)
    # Elements of arrays are named like bits of a bus, and Yosys's ABC9 confuses the two: \a[1] becomes \a.1.
    text = re.sub(r"\\\S*\[\d+\]\S*(?= )", lambda match: match[0].replace("[", ".").replace("]", ""), text)
    lines = [
        f"// {name}: {(component.__doc__ or type(component).__name__).strip().splitlines()[0]}",
        "//",
        "// Parameters",
    ]
    width = max((len(key) for key in parameters), default=0)
    lines += [f"//   {key:<{width}}  {value}" for key, value in parameters.items()]
    width = max(len(port.name) for port in top.ports)
    lines += ["//", "// Ports"]
    # A board's top makes its reset, and has its clock among its members.
    header = re.search(rf"^module {name}\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert header
    lines += [
        f"//   {port.name:<{width}}  {port.direction:<6}  {port.width:>5} bits{', signed' if port.signed else ''}"
        for port in {port.name: port for port in top.ports}.values()
        if port.name in re.split(r"[,\s]+", header[1])
    ]
    return "\n".join(lines) + "\n\n" + text.split("\n", 1)[1]
