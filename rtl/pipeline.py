"""Registers in a row."""

from amaranth.hdl import Module, Signal, Value


def registered(m: Module, value: Value, name: str, *, reset_less: bool = False) -> Signal:
    """`value`, one cycle later, in a register of that name."""
    register = Signal(value.shape(), name=name, reset_less=reset_less)
    m.d.sync += register.eq(value)
    return register


def delayed(m: Module, value: Value, cycles: int, name: str, *, reset_less: bool = False) -> Value:
    """`value`, some cycles later, in registers called `name` and a number."""
    for stage in range(cycles):
        value = registered(m, value, f"{name}_{stage}", reset_less=reset_less)
    return value
