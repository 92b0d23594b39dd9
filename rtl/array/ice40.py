"""The array for iCE40: the LUT4 input that a sum leaves free stands in for a quarter of the masked operands."""

from amaranth.hdl import Const, Module, Value

from golden.formats import ONES_COMPLEMENT
from rtl.array.interface import ArrayConfig, MacArray
from rtl.array.logic_cells import ADD_AND_FLIP, KEEP_OR_ADD, add
from rtl.layouts import levels
from rtl.pipeline import registered


class Ice40Array(MacArray):
    """Groups of up to `GROUP` columns, a tree that joins a row's groups, the accumulators; a register a step.

    An operand, ``(x ^ neg) & nz``, takes a LUT4 a bit beside the adder's, for SB_CARRY sees an adder's inputs as they
    are. The first column of a group, y, has none: ``~y``, the same for all rows, enters the adder, which adds it or
    keeps its other input. Where the weight is not -1 (``plus``), what is added to it is flipped before, the sum after:

    ======== ======================= ===============================
    register plus = 0                plus = 1
    ======== ======================= ===============================
    left     ``m0 + ~y·nz``          ``~m0 + ~y·nz + nz``
    right    ``m1 + m2``             ``~(m1 + m2)``
    group    ``left + right``        ``~(left + right + 1)``
    ======== ======================= ===============================

    Since ``~v`` is -v - 1, that is ``m0 + m1 + m2`` and y times its weight, one too small if the weight is -1, as in
    every operand: the row's correction is its number of -1 weights, over all chunks of the tile.

    Latency ``2 + max(ceil(log2 C), 2)`` cycles. Interface: `MacArray`.
    """

    GROUP = 4
    """Most columns of a group."""

    correction = ONES_COMPLEMENT
    family = "ice40"

    @classmethod
    def latency(cls, config: ArrayConfig) -> int:
        """Cycles from the last chunk of a tile to `done`."""
        return 2 + max(levels(config.columns), 2)

    @classmethod
    def logic_cells(cls, config: ArrayConfig) -> int:
        """Logic cells as placed, without the control's few."""
        sizes = [len(group) for group in cls._groups(config.columns)]
        row = sum(cls._group_cells(size) for size in sizes)
        shared = 8 * len(sizes)
        while len(sizes) > 1:
            sizes = [sum(pair) for pair in zip(sizes[::2], sizes[1::2], strict=True)]
            row += sum(_width(size) for size in sizes)
        return config.rows * (row + config.accumulator_width) + shared

    @staticmethod
    def _group_cells(columns: int) -> int:
        """Logic cells of a row's group."""
        operands = 8 * (columns - 1)
        sums = _width(2) + (_width(columns - 2) if columns > 2 else 0) + _width(columns)  # left, right, group
        registers = 3  # zero, plus, late_plus
        carries = 2 if columns > 2 else 1  # into left, and into group, which adds nothing where there is no right
        return operands + sums + registers + carries

    @classmethod
    def _groups(cls, columns: int) -> list[range]:
        """Groups of nearly one size, as many as a tree has leaves, so that no sum waits for another."""
        count = 1 << levels(-(-columns // cls.GROUP))
        bounds = [columns * index // count for index in range(count + 1)]
        return [range(bounds[index], bounds[index + 1]) for index in range(count)]

    def elaborate(self, platform) -> Module:
        """Rows side by side, one pipeline of control beside them."""
        m = Module()
        valid, first, last = self._control(m, self.latency(self.config) - 1)
        m.d.sync += self.done.eq(valid & last)
        groups = self._groups(self.config.columns)
        shared = [
            registered(m, ~self.activations[group[0]].as_unsigned(), f"shared_{group[0]}", reset_less=True)
            for group in groups
        ]
        for row in range(self.config.rows):
            sums = [(self._group(m, row, group, y), len(group)) for group, y in zip(groups, shared, strict=True)]
            level = 0
            while len(sums) > 1:
                pairs = list(zip(sums[::2], sums[1::2], strict=True))
                sums = []
                for index, ((left, left_size), (right, right_size)) in enumerate(pairs):
                    name, size = f"sum_{row}_{level}_{index}", left_size + right_size
                    total = add(m, f"{name}_add", left, right, _width(size))
                    sums.append((registered(m, total, name, reset_less=True), size))
                level += 1
            accumulator, dot = Value.cast(self.sums[row]), sums[0][0]
            total = add(m, f"total_{row}", dot, accumulator, len(accumulator), table=KEEP_OR_ADD, control=first)
            with m.If(valid):
                m.d.sync += accumulator.eq(total)
        return m

    def _group(self, m: Module, row: int, columns: range, y: Value) -> Value:
        """The sum of a group three cycles after its inputs; `y` is its first activation, flipped, one cycle after."""
        name = f"{row}_{columns[0]}"
        trit = self.weights[row][columns[0]]
        zero = registered(m, ~trit.nz, f"zero_{name}", reset_less=True)
        plus = registered(m, ~trit.neg, f"plus_{name}", reset_less=True)
        late_plus = registered(m, plus, f"late_plus_{name}", reset_less=True)
        operands = [self._operand(row, column) for column in columns[1:]] or [Const(0, 8)]
        operands[0] ^= (~trit.neg).replicate(8)
        first, *rest = (
            registered(m, operand, f"operand_{name}_{index}", reset_less=True) for index, operand in enumerate(operands)
        )
        left = add(m, f"left_{name}_add", first, y, _width(2), table=KEEP_OR_ADD, control=zero, carry=plus)
        left = registered(m, left, f"left_{name}", reset_less=True)
        if rest:
            if len(rest) > 1:
                right = add(m, f"right_{name}_add", rest[0], rest[1], _width(2), table=ADD_AND_FLIP, control=plus)
            else:
                right = rest[0] ^ plus.replicate(8)
            right = registered(m, right, f"right_{name}", reset_less=True)
            width = _width(len(columns))
            total = add(
                m, f"group_{name}_add", left, right, width, table=ADD_AND_FLIP, control=late_plus, carry=late_plus
            )
        else:
            total = left ^ late_plus.replicate(len(left))
        return registered(m, total, f"group_{name}", reset_less=True)

    def _operand(self, row: int, column: int) -> Value:
        trit = self.weights[row][column]
        return (self.activations[column].as_unsigned() ^ trit.neg.replicate(8)) & trit.nz.replicate(8)


def _width(columns: int) -> int:
    """Bits of the sum of so many columns."""
    return (128 * columns - 1).bit_length() + 1
