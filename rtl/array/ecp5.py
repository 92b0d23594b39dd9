"""The array for ECP5: chains of ternary adds, each fused into one half of a CCU2C carry cell."""

from collections.abc import Callable, Iterator, Sequence

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from golden.formats import OFFSET_BINARY
from rtl.array.carry_chain import CarryChains, chain_lengths
from rtl.array.interface import ArrayConfig, MacArray
from rtl.layouts import levels
from rtl.pipeline import delayed, registered

Add = Callable[[Value, Value, int, Value, Value], Value]
"""Makes the adder of two sums that ends a sum of so many columns, ``neg`` and ``nz`` being those of the second."""

_ONE = Const(1, 1)


class Ecp5Array(MacArray):
    """Spans of `SPAN` columns are summed column by column, a register a step; a tree joins the spans of a row.

    Activations enter in offset binary, u = x + 128: +1 adds u, -1 adds 255 - u, 0 adds 0. Every partial sum is then
    positive and fits its bits, so the carry out of an adder is 0 and adders share carry chains. What that leaves out,
    -(128·n₊ + 127·n₋) over all chunks of the tile, is the row's correction.

    Columns further along a span work later; activations and weights wait for them in registers. The first registers
    hold the inputs, so that whatever feeds the array has a cycle of its own.

    Latency ``2 + steps + ceil(log2 ceil(C / SPAN))`` cycles. Interface: `MacArray`.
    """

    SPAN = 4
    """Columns that are summed one after the other: more are smaller, but their weights wait in more registers."""
    CHAIN = 28
    """Half-cells of a carry chain, unless a single adder takes more."""
    GROUP = 4
    """Rows that share a copy of the activation and control registers."""

    correction = OFFSET_BINARY
    family = "ecp5"

    @classmethod
    def steps(cls, config: ArrayConfig) -> int:
        """Registers along a span."""
        return min(config.columns, cls.SPAN)

    @classmethod
    def latency(cls, config: ArrayConfig) -> int:
        """Cycles from the last chunk of a tile to `done`."""
        return 2 + cls.steps(config) + levels(-(-config.columns // cls.SPAN))

    @classmethod
    def half_cells(cls, config: ArrayConfig) -> int:
        """Half-cells of all carry chains: each takes the place of a LUT4."""
        return config.rows * sum(chain_lengths(adder_widths(config, _width), cls.CHAIN))

    @classmethod
    def spans(cls, config: ArrayConfig) -> list[range]:
        """The columns of each span."""
        return [range(first, min(first + cls.SPAN, config.columns)) for first in range(0, config.columns, cls.SPAN)]

    def elaborate(self, platform) -> Module:
        """Columns in their order of work, then rows side by side in groups."""
        m = Module()
        rows, columns = range(self.config.rows), range(self.config.columns)
        offsets = [Cat(value[:7], ~value[7]) for value in map(Value.cast, self.activations)]
        activations, trits = arrivals(m, self, offsets)
        valid, first, last = self._control(m, self.latency(self.config) - 2)
        done = registered(m, valid & last, "done_next")
        m.d.sync += self.done.eq(done)
        for group in range(0, len(rows), self.GROUP):
            copies = [
                copied(m, activation, f"u_{column}_rows_{group}") for column, activation in enumerate(activations)
            ]
            accumulate = copied(m, ~first, f"accumulate_rows_{group}")
            enable = copied(m, valid, f"enable_rows_{group}")
            for row in rows[group : group + self.GROUP]:
                operands = [(copies[column], trits[column][2 * row : 2 * row + 2]) for column in columns]
                self._row(m, row, operands, enable, accumulate)
        return m

    def _row(self, m: Module, row: int, operands: list[tuple[Value, Value]], enable: Value, accumulate: Value) -> None:
        """The spans of a row, their tree and the accumulator, on chains that run from one into the next."""
        chains = CarryChains(m, f"row_{row}", self.CHAIN)

        def add(a: Value, b: Value, columns: int, neg: Value, nz: Value) -> Value:
            return chains.add(a, b, _width(columns), neg=neg, nz=nz)

        dot = dot_product(m, row, operands, add)
        accumulator = Value.cast(self.sums[row])
        total = chains.add(dot, accumulator, len(accumulator), nz=accumulate)
        chains.finish()
        with m.If(enable):
            m.d.sync += accumulator.eq(total)


def _width(columns: int) -> int:
    """Bits of the sum of so many columns."""
    return (255 * columns).bit_length()


def adder_widths(config: ArrayConfig, width: Callable[[int], int]) -> Iterator[int]:
    """The width of each adder of a row, in the order in which they are made; `width` says it of a sum of columns."""
    sizes = [len(span) for span in Ecp5Array.spans(config)]
    for size in sizes:
        yield from (width(count + 1) for count in range(size))
    while len(sizes) > 1:
        pairs = [sizes[index : index + 2] for index in range(0, len(sizes), 2)]
        yield from (width(sum(pair)) for pair in pairs if len(pair) > 1)
        sizes = [sum(pair) for pair in pairs]
    yield config.accumulator_width


def arrivals(m: Module, array: MacArray, activations: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """Each column's activation, and its trits of all rows, when the column's turn in its span comes."""
    config, steps = array.config, Ecp5Array.steps(array.config)
    # A span that is shorter than the others begins later, so that all end together.
    delays: dict[int, int] = {}
    for span in Ecp5Array.spans(config):
        delays |= {column: steps - len(span) + index for index, column in enumerate(span)}
    values, trits = [], []
    for column, activation in enumerate(activations):
        values.append(delayed(m, activation, delays[column], f"u_{column}", reset_less=True))
        weights = Cat(Value.cast(array.weights[row][column]) for row in range(config.rows))
        trits.append(delayed(m, weights, delays[column] + 1, f"w_{column}", reset_less=True))
    return values, trits


def dot_product(m: Module, row: int, operands: Sequence[tuple[Value, Value]], add: Add) -> Value:
    """The spans of a row and their tree, of pairs of an activation and its trit; registered."""
    sums: list[tuple[int, Value]] = []
    for number, first in enumerate(range(0, len(operands), Ecp5Array.SPAN)):
        span = operands[first : first + Ecp5Array.SPAN]
        total: Value = Const(0, 1)
        for index, (activation, trit) in enumerate(span):
            total = add(total, activation, index + 1, trit[1], trit[0])
            total = registered(m, total, f"span_{row}_{number}_{index}", reset_less=True)
        sums.append((len(span), total))
    level = 0
    while len(sums) > 1:
        pairs = [sums[index : index + 2] for index in range(0, len(sums), 2)]
        sums = []
        for index, pair in enumerate(pairs):
            size, total = pair[0]
            if len(pair) > 1:
                size += pair[1][0]
                total = add(total, pair[1][1], size, Const(0, 1), _ONE)
            sums.append((size, registered(m, total, f"tree_{row}_{level}_{index}", reset_less=True)))
        level += 1
    return sums[0][1]


def copied(m: Module, value: Value, name: str) -> Value:
    """A register made of cells, because synthesis merges all others that hold the same."""
    copy = Signal(len(value), name=name)
    for bit in range(len(value)):
        m.submodules[f"{name}_{bit}"] = Instance(
            "TRELLIS_FF",
            p_GSR="DISABLED",
            p_CEMUX="1",
            p_CLKMUX="CLK",
            p_LSRMUX="LSR",
            p_REGSET="RESET",
            i_CLK=ClockSignal(),
            i_LSR=Const(0, 1),
            i_DI=value[bit],
            o_Q=copy[bit],
        )
    return copy
