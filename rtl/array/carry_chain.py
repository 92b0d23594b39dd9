"""ECP5 carry chains, cell by cell: ternary adders one behind the other on one physical chain."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

TERNARY_ADD = 0x96AA
"""a + ((b ^ neg) & nz) + carry, with A = a, B = b, C = neg, D = nz; the low nibble makes a the carry generated."""
PASS_CARRY = 0xAAAA
"""a + carry, with A = a."""
START = 0x000A
"""Sends on A as the carry, whatever came in."""
SEND_ONE = 0x0008
"""Sends on A & B as the carry, whatever came in, with C = D = 1."""

_ZERO, _ONE = Const(0, 1), Const(1, 1)


class _Half(NamedTuple):
    """Half a CCU2C: its function, its inputs A to D, and where its sum goes."""

    init: int
    inputs: tuple[Value, Value, Value, Value]
    sum: Signal


class CarryChains:
    """Adders that follow each other on carry chains; the carry out of each must be 0 if `add` follows it.

    A chain begins with a half-cell that sends on a carry whatever comes in, so its carry input stays open: a constant
    there would cost a whole cell. The last carry output stays open too.

    Parameters
    ----------
    m
        Where the cells go.
    name
        What the cells' names begin with.
    limit
        Half-cells of a chain: a new one starts where an adder would go beyond. Longer is smaller; shorter is faster,
        as far as timing analysis sees, which follows the carry from one adder to the next.

    """

    def __init__(self, m: Module, name: str, limit: int) -> None:
        self._m, self._name, self._limit = m, name, limit
        self._halves: list[_Half] = []
        self._chains = 0

    def add(self, a: Value, b: Value, width: int, *, neg: Value = _ZERO, nz: Value) -> Value:
        """``a + ((b ^ neg) & nz)``, all unsigned, the lowest `width` bits; operands beyond them are left out."""
        if self._halves and len(self._halves) + width > self._limit:
            self.finish()
        if not self._halves:
            self._halves = [_Half(START, (_ZERO,) * 4, Signal(name="start"))]
        total = []
        for bit in range(width):
            low = a[bit] if bit < len(a) else _ZERO
            inputs = (low, b[bit], neg, nz) if bit < len(b) else (low, _ZERO, _ZERO, _ZERO)
            total.append(Signal(name=f"{self._name}_sum_{bit}"))
            self._halves.append(_Half(TERNARY_ADD if bit < len(b) else PASS_CARRY, inputs, total[-1]))
        return Cat(total)

    def add_signed(self, a: Value, b: Value, width: int, *, neg: Value = _ZERO, nz: Value) -> Value:
        """``a + b``, ``a - b`` or ``a``, all signed, the lowest `width` bits; a half-cell in front makes it exact.

        What carry the adder before it sends on does not matter.
        """
        if self._halves and len(self._halves) + 1 + width > self._limit:
            self.finish()
        self._halves.append(_Half(SEND_ONE, (neg, nz, _ONE, _ONE), Signal(name="send")))
        total = [Signal(name=f"{self._name}_sum_{bit}") for bit in range(width)]
        for bit in range(width):
            low, high = (value[min(bit, len(value) - 1)] for value in (a, b))
            self._halves.append(_Half(TERNARY_ADD, (low, high, neg, nz), total[bit]))
        return Cat(total).as_signed()

    def finish(self) -> None:
        """Make the cells of the chain at hand; what is added next starts another."""
        halves, self._halves = self._halves, []
        if len(halves) % 2:
            halves.append(_Half(PASS_CARRY, (_ZERO,) * 4, Signal(name="spare")))
        carry = None
        for number, pair in enumerate(zip(halves[::2], halves[1::2], strict=True)):
            ports: dict[str, object] = {"p_INJECT1_0": "NO", "p_INJECT1_1": "NO"}
            for index, half in enumerate(pair):
                ports[f"p_INIT{index}"] = Const(half.init, 16)
                ports |= {f"i_{pin}{index}": value for pin, value in zip("ABCD", half.inputs, strict=True)}
                ports[f"o_S{index}"] = half.sum
            if carry is not None:
                ports["i_CIN"] = carry
            if number < len(halves) // 2 - 1:
                carry = Signal(name=f"{self._name}_carry_{self._chains}_{number}")
                ports["o_COUT"] = carry
            self._m.submodules[f"{self._name}_{self._chains}_{number}"] = Instance("CCU2C", **ports)
        self._chains += 1


def chain_lengths(widths: Iterable[int], limit: int, *, signed: bool = False) -> Iterator[int]:
    """Half-cells of each chain that adders of these widths make, spare ones included."""
    length = 0
    for width in widths:
        if length and length + width + signed > limit:
            yield length + length % 2
            length = 0
        length += width + (signed or not length)
    if length:
        yield length + length % 2
