"""The array for ECP5: chains of ternary adds, each fused into one half of a CCU2C carry cell."""

from collections.abc import Iterator

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from golden.formats import OFFSET_BINARY
from rtl.array.carry_chain import CarryChains, chain_lengths
from rtl.array.interface import ArrayConfig, MacArray
from rtl.layouts import levels
from rtl.pipeline import delayed, registered

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
        return config.rows * sum(chain_lengths(cls._adders(config), cls.CHAIN))

    @classmethod
    def _spans(cls, config: ArrayConfig) -> list[range]:
        return [range(first, min(first + cls.SPAN, config.columns)) for first in range(0, config.columns, cls.SPAN)]

    @classmethod
    def _adders(cls, config: ArrayConfig) -> Iterator[int]:
        """The width of each adder of a row, in the order in which they are made."""
        sizes = [len(span) for span in cls._spans(config)]
        for size in sizes:
            yield from (_width(count + 1) for count in range(size))
        while len(sizes) > 1:
            pairs = [sizes[index : index + 2] for index in range(0, len(sizes), 2)]
            yield from (_width(sum(pair)) for pair in pairs if len(pair) > 1)
            sizes = [sum(pair) for pair in pairs]
        yield config.accumulator_width

    def elaborate(self, platform) -> Module:
        """Columns in their order of work, then rows side by side in groups."""
        m = Module()
        rows, columns = range(self.config.rows), range(self.config.columns)
        steps = self.steps(self.config)
        # A span that is shorter than the others begins later, so that all end together.
        delays: dict[int, int] = {}
        for span in self._spans(self.config):
            delays |= {column: steps - len(span) + index for index, column in enumerate(span)}
        activations, trits = [], []
        for column in columns:
            activation = Value.cast(self.activations[column])
            offset = Cat(activation[:7], ~activation[7])
            activations.append(delayed(m, offset, delays[column], f"u_{column}", reset_less=True))
            weights = Cat(Value.cast(self.weights[row][column]) for row in rows)
            trits.append(delayed(m, weights, delays[column] + 1, f"w_{column}", reset_less=True))
        valid, first, last = self._control(m, self.latency(self.config) - 2)
        done = registered(m, valid & last, "done_next")
        m.d.sync += self.done.eq(done)
        for group in range(0, len(rows), self.GROUP):
            copies = [_copy(m, activation, f"u_{column}_rows_{group}") for column, activation in enumerate(activations)]
            accumulate = _copy(m, ~first, f"accumulate_rows_{group}")
            enable = _copy(m, valid, f"enable_rows_{group}")
            for row in rows[group : group + self.GROUP]:
                operands = [(copies[column], trits[column][2 * row : 2 * row + 2]) for column in columns]
                self._row(m, row, operands, enable, accumulate)
        return m

    def _row(self, m: Module, row: int, operands: list[tuple[Value, Value]], enable: Value, accumulate: Value) -> None:
        """The spans of a row, their tree and the accumulator, on chains that run from one into the next."""
        chains = CarryChains(m, f"row_{row}", self.CHAIN)
        sums: list[tuple[int, Value]] = []
        for number, span in enumerate(self._spans(self.config)):
            total: Value = Const(0, 1)
            for index, column in enumerate(span):
                offset, trit = operands[column]
                total = chains.add(total, offset, _width(index + 1), neg=trit[1], nz=trit[0])
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
                    total = chains.add(total, pair[1][1], _width(size), nz=_ONE)
                sums.append((size, registered(m, total, f"tree_{row}_{level}_{index}", reset_less=True)))
            level += 1
        accumulator = Value.cast(self.sums[row])
        total = chains.add(sums[0][1], accumulator, len(accumulator), nz=accumulate)
        chains.finish()
        with m.If(enable):
            m.d.sync += accumulator.eq(total)


def _width(columns: int) -> int:
    """Bits of the sum of so many columns."""
    return (255 * columns).bit_length()


def _copy(m: Module, value: Value, name: str) -> Value:
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
