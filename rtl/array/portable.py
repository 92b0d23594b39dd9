"""The array for any FPGA or ASIC: masked operands into a registered adder tree."""

from amaranth.hdl import Module, Mux, Signal, Value, signed

from golden.formats import ONES_COMPLEMENT
from rtl.array.interface import ArrayConfig, MacArray
from rtl.layouts import levels
from rtl.pipeline import registered


class PortableArray(MacArray):
    """A register for the masked operands, one a level of each row's adder tree, one for the accumulators.

    A trit's operand is ``(x ^ neg) & nz`` on every bit: the ones' complement for -1, so no carry enters the tree. What
    that leaves out is the number of -1 weights of the row, over all chunks of the tile: the row's correction.

    Latency ``2 + ceil(log2 C)`` cycles. Interface: `MacArray`.
    """

    correction = ONES_COMPLEMENT

    @classmethod
    def latency(cls, config: ArrayConfig) -> int:
        """Cycles from the last chunk of a tile to `done`."""
        return 2 + levels(config.columns)

    def elaborate(self, platform) -> Module:
        """Rows side by side, one pipeline of control beside them."""
        m = Module()
        valid, first, last = self._control(m, self.latency(self.config) - 1)
        m.d.sync += self.done.eq(valid & last)
        for row in range(self.config.rows):
            dot = self._dot_product(m, row)
            accumulator = self.sums[row]
            with m.If(valid):
                m.d.sync += accumulator.eq(Mux(first, dot, dot + accumulator))
        return m

    def _dot_product(self, m: Module, row: int) -> Value:
        """The masked operands of a row and their sum, one register a level."""
        sums: list[Value] = []
        for column in range(self.config.columns):
            trit = self.weights[row][column]
            operand = Signal(signed(8), name=f"operand_{row}_{column}", reset_less=True)
            m.d.sync += operand.eq((self.activations[column] ^ trit.neg.replicate(8)) & trit.nz.replicate(8))
            sums.append(operand)
        level = 0
        while len(sums) > 1:
            pairs = [sums[i : i + 2] for i in range(0, len(sums), 2)]
            sums = [
                registered(m, sum(pair[1:], pair[0]), f"sum_{row}_{level}_{i}", reset_less=True)
                for i, pair in enumerate(pairs)
            ]
            level += 1
        return sums[0]
