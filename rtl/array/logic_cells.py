"""iCE40 adders, logic cell by logic cell: a carry, and beside it a LUT4 with one input more than a sum needs."""

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

ADD = 0xC33C
"""a + b + carry, with I1 = a, I2 = b, I3 = carry."""
KEEP_OR_ADD = 0xC99C
"""a with I0 = 1, a + b + carry with I0 = 0."""
ADD_AND_FLIP = 0x6996
"""a + b + carry, every bit of it flipped with I0 = 1."""

_ZERO = Const(0, 1)


def add(
    m: Module,
    name: str,
    a: Value,
    b: Value,
    width: int,
    *,
    table: int = ADD,
    control: Value = _ZERO,
    carry: Value = _ZERO,
) -> Value:
    """The lowest `width` bits of a sum, one logic cell a bit.

    Parameters
    ----------
    m
        Where the cells go.
    name
        What the cells' names begin with.
    a, b
        Two's complement; both are extended to `width`.
    width
        Bits of the sum.
    table
        What becomes of the sum: `ADD`, `KEEP_OR_ADD` or `ADD_AND_FLIP`.
    control
        I0 of every cell.
    carry
        Carry into the lowest bit. Unless it is constant, placement adds a logic cell that makes it.

    """
    total = []
    for bit in range(width):
        inputs = a[min(bit, len(a) - 1)], b[min(bit, len(b) - 1)]
        total.append(_lut4(m, f"{name}_{bit}", table, (control, *inputs, carry)))
        if bit < width - 1:
            carry = _carry(m, f"{name}_carry_{bit}", *inputs, carry)
    return Cat(total)


def _lut4(m: Module, name: str, table: int, inputs: tuple[Value, Value, Value, Value]) -> Value:
    output = Signal(name=name)
    pins = {f"i_I{index}": value for index, value in enumerate(inputs)}
    m.submodules[name] = Instance("SB_LUT4", p_LUT_INIT=Const(table, 16), **pins, o_O=output)
    return output


def _carry(m: Module, name: str, a: Value, b: Value, carry: Value) -> Value:
    output = Signal(name=name)
    m.submodules[name] = Instance("SB_CARRY", i_I0=a, i_I1=b, i_CI=carry, o_CO=output)
    return output
