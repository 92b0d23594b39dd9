"""The array whose sums lack nothing: like the portable one, with the ones that two's complement needs."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In

from golden.formats import EXACT
from rtl.array.interface import ArrayConfig, MacArray
from rtl.layouts import levels
from rtl.pipeline import delayed, registered


class ExactArray(MacArray):
    """A register for the masked operands, one a level of each row's adder tree, one for the accumulators.

    An operand is ``(x ^ neg) & nz``, one too small for a weight -1. A row's adders, accumulator included, are as many
    as its columns: each has one column's missing one as its carry, which waits in a register a level until its adder's
    turn. So trits that meet activations 0 add exactly 0, whatever they are.

    Parameters
    ----------
    config
        The size; of numbers of several digits, ``inputs`` is the longest vector times the largest number.
    digits
        Whether the sums of a tile can be tripled, so that passes for one digit of its weights each become one sum.

    Members
    -------
    triple
        In, 1, with `digits` only: no chunk is given in this cycle, and the sums of the tile so far triple. Neither
        `valid` nor `first` is 1 with it.

    Latency ``2 + ceil(log2 C)`` cycles. Interface: `MacArray`.

    """

    correction = EXACT

    triple: Signal

    def __init__(self, config: ArrayConfig, *, digits: bool = False):
        super().__init__(config, {"triple": In(1)} if digits else {})
        self.digits = digits

    @classmethod
    def latency(cls, config: ArrayConfig) -> int:
        """Cycles from the last chunk of a tile to `done`."""
        return 2 + levels(config.columns)

    def elaborate(self, platform) -> Module:
        """Rows side by side, one pipeline of control beside them."""
        m = Module()
        cycles = self.latency(self.config) - 1
        valid, first, last = self._control(m, cycles)
        triple = delayed(m, self.triple, cycles, "triple") if self.digits else Const(0, 1)
        m.d.sync += self.done.eq(valid & last)
        for row in range(self.config.rows):
            dot, carry = self._dot_product(m, row)
            accumulator = self.sums[row]
            kept = Mux(first, 0, accumulator)
            added = Mux(triple, accumulator << 1, dot)
            with m.If(valid | triple):
                m.d.sync += accumulator.eq(_sum(kept, added, carry & ~triple))
        return m

    def _dot_product(self, m: Module, row: int) -> tuple[Value, Value]:
        """The sum of a row's masked operands, one register a level, and the one that it still lacks."""
        sums: list[tuple[Value, Value]] = []
        for column in range(self.config.columns):
            trit = self.weights[row][column]
            operand = Signal(signed(8), name=f"operand_{row}_{column}", reset_less=True)
            m.d.sync += operand.eq((self.activations[column] ^ trit.neg.replicate(8)) & trit.nz.replicate(8))
            sums.append((operand, registered(m, trit.neg & trit.nz, f"one_{row}_{column}", reset_less=True)))
        level = 0
        while len(sums) > 1:
            pairs = [sums[i : i + 2] for i in range(0, len(sums), 2)]
            sums = []
            for i, pair in enumerate(pairs):
                total, carry = pair[0]
                if len(pair) > 1:
                    total, carry = _sum(total, pair[1][0], carry), pair[1][1]
                place = f"{row}_{level}_{i}"
                total = registered(m, total, f"sum_{place}", reset_less=True)
                sums.append((total, registered(m, carry, f"one_{place}", reset_less=True)))
            level += 1
        return sums[0]


def _sum(a: Value, b: Value, carry: Value) -> Value:
    """``a + b + carry`` by one adder: a bit below the lowest makes the carry."""
    low, high = (Cat(below, value).as_signed() for below, value in ((carry, a), (Const(1, 1), b)))
    return (low + high) >> 1
