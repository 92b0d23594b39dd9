"""The interface of the multiply-accumulate array, which every implementation of it shares."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Member, Out

from golden.formats import Correction, accumulator_width
from rtl.layouts import ACTIVATION, TRIT
from rtl.limits import check_range
from rtl.pipeline import delayed


@dataclass(frozen=True)
class ArrayConfig:
    """Size of an array.

    Parameters
    ----------
    rows
        R, outputs a tile, 1 to 1024.
    columns
        C, inputs a chunk, 1 to 1024.
    inputs
        Longest input vector that is summed, 1 to 2**23; the accumulators hold any such sum. For numbers of several
        digits, times the largest of them.

    """

    rows: int
    columns: int
    inputs: int

    def __post_init__(self) -> None:
        check_range("array", "rows", self.rows, 1, 1024)
        check_range("array", "columns", self.columns, 1, 1024)
        check_range("array", "inputs", self.inputs, 1, 1 << 23)

    @property
    def accumulator_width(self) -> int:
        """Bits of an accumulator."""
        return accumulator_width(self.inputs)


class MacArray(wiring.Component):
    """R × C ternary multiply-accumulate: every cycle, C activations times R·C trits into R accumulators.

    Nothing in here stalls: whoever feeds it starts a tile only when its inputs are there and its outputs have room.

    Parameters
    ----------
    config
        The size.

    Members
    -------
    valid
        In, 1: a chunk is given in this cycle.
    first, last
        In, 1: the chunk is the first, the last of its tile.
    activations
        In, ArrayLayout(signed(8), C).
    weights
        In, ArrayLayout(ArrayLayout(TRIT, C), R).
    done
        Out, 1: the sums of a tile are complete, `latency` cycles after its last chunk.
    sums
        Out, ArrayLayout(signed(accumulator_width), R): valid in the cycle of `done` only. The true sum of row r is
        ``sums[r]`` plus the row's correction, modulo 2**accumulator_width; `correction` says how it is made.

    Throughput: one chunk a cycle; tiles follow each other without a gap.

    """

    correction: ClassVar[Correction]
    """What the sums lack."""
    family: ClassVar[str | None] = None
    """The device family whose cells it is made of; None: any will do."""

    valid: Signal
    first: Signal
    last: Signal
    activations: data.View
    weights: data.View
    done: Signal
    sums: data.View

    def __init__(self, config: ArrayConfig, more: dict[str, Member] | None = None):
        self.config = config
        super().__init__(
            (more or {})
            | {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "activations": In(data.ArrayLayout(ACTIVATION, config.columns)),
                "weights": In(data.ArrayLayout(data.ArrayLayout(TRIT, config.columns), config.rows)),
                "done": Out(1),
                "sums": Out(data.ArrayLayout(signed(config.accumulator_width), config.rows)),
            }
        )

    @classmethod
    def latency(cls, config: ArrayConfig) -> int:
        """Cycles from the last chunk of a tile to `done`, at least 2."""
        raise NotImplementedError

    def _control(self, m: Module, cycles: int) -> tuple[Value, Value, Value]:
        """`valid`, `first` and `last`, some cycles later: they keep pace with the operands."""
        valid, first, last = (
            delayed(m, value, cycles, name)
            for name, value in (("valid", self.valid), ("first", self.first), ("last", self.last))
        )
        return valid, first, last
