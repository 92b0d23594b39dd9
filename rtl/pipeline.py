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


def carried(m: Module, value: Value, first: Value, cycles: int, hold: int, name: str) -> Value:
    """`value`, which stands still for `hold` cycles from one in which `first` is 1 on, some cycles later.

    It takes a register for as many cycles as it stands still, not one for each.
    """
    for stage, start in enumerate(range(0, cycles, hold)):
        wait = min(hold, cycles - start)
        ahead = delayed(m, first, wait - 1, f"{name}_first_{stage}")
        register = Signal(value.shape(), name=f"{name}_{stage}", reset_less=True)
        with m.If(ahead):
            m.d.sync += register.eq(value)
        value, first = register, registered(m, ahead, f"{name}_next_{stage}")
    return value
