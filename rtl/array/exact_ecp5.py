"""The exact array for ECP5: chains of signed ternary adds, each with a half-cell of a CCU2C for its missing one."""

from amaranth.hdl import Const, Module, Mux, Value

from golden.formats import accumulator_width
from rtl.array.carry_chain import CarryChains, chain_lengths
from rtl.array.ecp5 import Ecp5Array, adder_widths, arrivals, copied, dot_product
from rtl.array.exact import ExactArray
from rtl.array.interface import ArrayConfig
from rtl.pipeline import delayed, registered


class ExactEcp5Array(ExactArray):
    """Spans of columns, a tree and accumulators as in `Ecp5Array`, whose constants it has, but of signed numbers.

    In front of each adder stands a half-cell that sends it a one where a weight is -1, so the sums lack nothing.
    Activations are within -127 and 127: their sums fit just so.

    Parameters, members: `ExactArray`. Latency: as of `Ecp5Array`.
    """

    family = "ecp5"

    @classmethod
    def latency(cls, config: ArrayConfig) -> int:
        """Cycles from the last chunk of a tile to `done`."""
        return Ecp5Array.latency(config)

    @classmethod
    def half_cells(cls, config: ArrayConfig) -> int:
        """Half-cells of all carry chains: each takes the place of a LUT4."""
        return config.rows * sum(chain_lengths(adder_widths(config, accumulator_width), Ecp5Array.CHAIN, signed=True))

    def elaborate(self, platform) -> Module:
        """Columns in their order of work, then rows side by side in groups."""
        m = Module()
        rows = range(self.config.rows)
        activations, trits = arrivals(m, self, [Value.cast(value) for value in self.activations])
        cycles = self.latency(self.config) - 2
        valid, first, last = self._control(m, cycles)
        triple = delayed(m, self.triple, cycles, "triple") if self.digits else Const(0, 1)
        m.d.sync += self.done.eq(registered(m, valid & last, "done_next"))
        for group in range(0, len(rows), Ecp5Array.GROUP):
            copies = [copied(m, value, f"u_{column}_rows_{group}") for column, value in enumerate(activations)]
            kept = copied(m, ~first, f"kept_rows_{group}")
            enable = copied(m, valid | triple, f"enable_rows_{group}")
            tripled = copied(m, triple, f"triple_rows_{group}") if self.digits else triple
            for row in rows[group : group + Ecp5Array.GROUP]:
                operands = [(copy, trit[2 * row : 2 * row + 2]) for copy, trit in zip(copies, trits, strict=True)]
                self._row(m, row, operands, enable, kept, tripled)
        return m

    def _row(
        self, m: Module, row: int, operands: list[tuple[Value, Value]], enable: Value, kept: Value, tripled: Value
    ) -> None:
        """The spans of a row, their tree and the accumulator, on chains that run from one into the next."""
        chains = CarryChains(m, f"row_{row}", Ecp5Array.CHAIN)

        def add(a: Value, b: Value, columns: int, neg: Value, nz: Value) -> Value:
            return chains.add_signed(a, b, accumulator_width(columns), neg=neg, nz=nz)

        dot = dot_product(m, row, operands, add)
        accumulator = Value.cast(self.sums[row])
        added = Mux(tripled, accumulator.as_signed() << 1, dot)[: len(accumulator)]
        total = chains.add_signed(added, accumulator, len(accumulator), nz=kept)
        chains.finish()
        with m.If(enable):
            m.d.sync += accumulator.eq(total)
