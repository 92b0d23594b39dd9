"""The integer form of a segmented matrix: what hardware computes, bit for bit.

Every scale, offset and side scale of a matrix is a whole multiple, its mantissa, of one real unit. The dot products of
trits and activations are exact; each is multiplied by its mantissa where its segment ends and added to the row's
accumulator, which is wide enough for the exact sum. One rounding follows, where the row leaves: a shift, to nearest,
ties to even.

To round once is the smallest exact hardware. Rounding at each segment's end would need a shifter, a rounding
increment and the test for ties beside every multiplier; its result would depend on the number of segments; and it
would save nothing, since a row's partial sums must wait for its later segments in either case. The last rounding saves
much: the quantiser behind it costs some 23 LUT4 a bit and lane. Mantissas over one unit need no shifter between the
multiplier and the accumulator, as mantissas with exponents of their own would; with 15 bits and a sign they fit
the 18-bit multipliers of FPGAs.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.activations import activations_integer, group_limits, group_units, ranges
from golden.errors import TritiumError
from golden.segmented import SegmentedMatrix

MANTISSA_MAX: Final = (1 << 15) - 1
"""The mantissa of a matrix's largest scale, unless a common divisor makes all of them smaller."""

RESULT_BITS: Final = 24
"""Bits of a result, sign included. A worst-case sum fills them; real ones lie below it by about the square root of the
number of inputs, and keep some 18 bits for the 8-bit quantiser behind."""

ACCUMULATOR_BITS: Final = 62
"""The widest accumulator."""


class Mantissas(NamedTuple):
    """Reals as whole multiples of one unit."""

    values: list[NDArray[np.int64]]
    unit: float

    @classmethod
    def of(cls, arrays: list[NDArray[np.floating[Any]]]) -> "Mantissas":
        """``RNE(x · MANTISSA_MAX / max|x|)``, computed in float64, over all arrays; then without common divisors.

        Equal reals have equal mantissas, so a matrix of one scale has mantissas of 1 and nothing to round.
        """
        peak = max(float(np.abs(array).max()) for array in arrays)
        rounded = [np.rint(array.astype(np.float64) * (MANTISSA_MAX / peak)).astype(np.int64) for array in arrays]
        divisor = int(np.gcd.reduce([np.gcd.reduce(array, axis=None) for array in rounded]))
        return cls([array // divisor for array in rounded], peak / MANTISSA_MAX * divisor)


class Results(NamedTuple):
    """What the integer form makes of a batch."""

    values: NDArray[np.int64]
    """Shape (n, outputs), of `RESULT_BITS` bits."""
    units: NDArray[np.float64]
    """Shape (n, 1): what one of them is worth, in units of the input."""


@dataclass(frozen=True, eq=False)
class IntegerMatrix:
    """A segmented matrix as integers.

    Parameters
    ----------
    matrix
        The matrix; an error says so if its sums would not fit `ACCUMULATOR_BITS`.

    """

    matrix: SegmentedMatrix

    def __post_init__(self) -> None:
        if self.accumulator_bits > ACCUMULATOR_BITS:
            raise TritiumError(
                f"{self.matrix.inputs} inputs in {len(self.matrix.planes)} planes need accumulators of "
                f"{self.accumulator_bits} bits; {ACCUMULATOR_BITS} are the most"
            )

    @cached_property
    def mantissas(self) -> Mantissas:
        """Of scales, offsets and side scales with their groups' units, in this order, as far as the matrix has them."""
        matrix = self.matrix
        units = group_units(matrix.activations, len(matrix.groups))
        segments = units[: len(matrix.ends)]
        pairs = ((matrix.scales, segments), (matrix.offsets, segments), (matrix.side_scales, units[-1]))
        return Mantissas.of([array * unit for array, unit in pairs if array is not None])

    @cached_property
    def input_mantissas(self) -> Mantissas | None:
        """Of the input scales."""
        return None if self.matrix.input_scales is None else Mantissas.of([self.matrix.input_scales])

    @cached_property
    def bound(self) -> int:
        """No partial sum of a row, in whatever order, has a larger magnitude."""
        matrix, values = self.matrix, self.mantissas.values
        rest = values[1:]
        limits = group_limits(matrix.activations, len(matrix.groups))
        total = np.zeros(matrix.outputs, np.int64)
        for segment, (start, end) in enumerate(ranges(matrix.ends)):
            trits = np.abs(matrix.planes[:, :, start:end]).sum(axis=2, dtype=np.int64)
            total += limits[segment] * (trits * np.abs(values[0][:, :, segment])).sum(axis=0)
            if matrix.offsets is not None:
                total += limits[segment] * (end - start) * np.abs(rest[0][:, segment])
        if matrix.side is not None:
            total += limits[-1] * np.abs(matrix.side.astype(np.int64)).sum(axis=1) * np.abs(rest[-1])
        return int(total.max())

    @property
    def accumulator_bits(self) -> int:
        """Bits of a row's accumulator, sign included, in which no sum overflows."""
        return self.bound.bit_length() + 1

    @property
    def shift(self) -> int:
        """Bits by which a row's sum is rounded."""
        return max(0, self.accumulator_bits - RESULT_BITS)

    def forward(self, batch: NDArray[np.integer[Any]]) -> Results:
        """Integers of magnitude below 2**24, shape (n, inputs), to results."""
        if batch.dtype.kind not in "iu" or (batch.size and np.abs(batch.astype(np.int64)).max() >= 1 << 24):
            raise TritiumError(f"activations are {batch.dtype}; integers of magnitude below 2**24 are taken")
        matrix, values = self.matrix, self.mantissas.values
        arranged = matrix.arranged(batch).astype(np.int64)
        unit = self.mantissas.unit
        if self.input_mantissas is not None:
            arranged = arranged * self.input_mantissas.values[0]
            unit *= self.input_mantissas.unit
        quantised, factors, activation_unit = activations_integer(arranged, matrix.activations, matrix.groups)
        total = np.zeros((len(batch), matrix.outputs), np.int64)
        for segment, (start, end) in enumerate(ranges(matrix.ends)):
            part, factor = quantised[:, start:end], factors[:, segment, None]
            for plane, mantissas in zip(matrix.planes, values[0], strict=True):
                total += factor * _dot(part, plane[:, start:end]) * mantissas[:, segment]
            if matrix.offsets is not None:
                total += factor * part.sum(axis=1, keepdims=True, dtype=np.int64) * values[1][:, segment]
        if matrix.side is not None:
            total += factors[:, -1:] * _dot(quantised[:, matrix.ends[-1] :], matrix.side) * values[-1]
        return Results(shifted(total, self.shift), unit * 2.0**self.shift * activation_unit)


def shifted(values: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """``RNE(value / 2**shift)``: an arithmetic shift, and an increment above half or at half of an odd result."""
    if not shift:
        return values
    floor, half = values >> shift, 1 << shift - 1
    rest = values & (1 << shift) - 1
    return floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))


def distance(matrix: SegmentedMatrix, batch: NDArray[np.integer[Any]], unit: float = 1.0) -> float:
    """How far the integer form is from the float one: the largest difference over the largest float result."""
    results, units = IntegerMatrix(matrix).forward(batch)
    exact = matrix.evaluate(batch * np.float64(unit))
    return float(np.abs(results * units * unit - exact).max() / max(np.abs(exact).max(), np.finfo(np.float64).tiny))


def _dot(values: NDArray[np.int8], weights: NDArray[np.int8]) -> NDArray[np.int64]:
    # A float64 product of integers below 2**53 is exact and reaches the fast matrix routines.
    return (values.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)
