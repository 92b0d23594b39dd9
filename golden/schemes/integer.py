"""The integer form of a segmented matrix: what hardware computes, bit for bit.

A plane over a segment, an offset and a digit of the side path's weights are all the same to the array: a *part*, trits
over a range of the inputs, whose sums are worth a mantissa for each row. An offset is a part of ones; an int8 weight
is six balanced ternary digits, worth 1, 3, 9, 27, 81 and 243; a bias is a part over one more input, see
`golden.schemes.biases`. Every mantissa is a whole multiple of one real unit.

The sums of trits and activations are exact; each is multiplied by its mantissa, and by its group's factor where
activations have any, and added to the row's accumulator, which is wide enough for the exact sum. One rounding follows,
where the row leaves: a shift, to nearest, ties upwards, which is an accumulator that starts at half of a result's unit;
in a binary network downwards, so that all signs stay.
Rounding at each segment's end would need an increment beside every multiplier and save nothing, since a row's partial
sums must wait for its later segments in either case. The shift saves much: the quantiser behind costs some 23 LUT4 a
bit and lane. Mantissas over one unit need no shifter between the multiplier and the accumulator; with 15 bits and a
sign they fit the multipliers of FPGAs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.activations import Activations, activations_integer, group_limits, group_units, ranges
from golden.errors import TritweaveError
from golden.formats import MANTISSA_MAX, RESULT_BITS, STATIC
from golden.schemes.segmented import SegmentedMatrix
from golden.trits import balanced_ternary

ACCUMULATOR_BITS: Final = 62
"""The widest accumulator."""

SIDE_DIGITS: Final = 6
"""Balanced ternary digits of a side weight."""


class Mantissas(NamedTuple):
    """Reals as whole multiples of one unit."""

    values: list[NDArray[np.int64]]
    unit: float

    @classmethod
    def of(cls, arrays: Sequence[NDArray[np.floating[Any]]]) -> "Mantissas":
        """``RNE(x · MANTISSA_MAX / max|x|)``, computed in float64, over all arrays; then without common divisors.

        Equal reals have equal mantissas, so a matrix of one scale has mantissas of 1 and nothing to round.
        """
        peak = max(float(np.abs(array).max()) for array in arrays)
        rounded = [np.rint(array.astype(np.float64) * (MANTISSA_MAX / peak)).astype(np.int64) for array in arrays]
        divisor = int(np.gcd.reduce([np.gcd.reduce(array, axis=None) for array in rounded]))
        return cls([array // divisor for array in rounded], peak / MANTISSA_MAX * divisor)


class Part(NamedTuple):
    """Trits over one of the groups of inputs."""

    group: int
    """Its index."""
    trits: NDArray[np.int8]
    """Shape (outputs, inputs of the group)."""
    mantissas: NDArray[np.int64]
    """Shape (outputs,): what the sums are worth."""


class Results(NamedTuple):
    """What a layer makes of a batch."""

    values: NDArray[np.int64]
    """Shape (n, outputs)."""
    units: NDArray[np.float64]
    """Shape (n, 1): what one of them is worth, in units of the input."""


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """A segmented matrix as integers; an error says so if its sums would not fit `ACCUMULATOR_BITS`.

    Parameters
    ----------
    parts
        At least one, in the order of their groups.
    ends
        Of each group of inputs, the index behind its last one.
    rule
        How the input is quantised, one of `golden.formats.RULES` or `STATIC`.
    unit
        What a mantissa of 1 is worth.
    relu
        Whether negative results become zero.
    side
        Whether the last group, the side path's or that of the biases, has a number of parts of its own.

    """

    parts: tuple[Part, ...]
    ends: tuple[int, ...]
    rule: str
    unit: float
    relu: bool = False
    side: bool = False

    def __post_init__(self) -> None:
        if self.accumulator_bits > ACCUMULATOR_BITS:
            raise TritweaveError(
                f"{self.inputs} inputs in {len(self.parts)} parts need accumulators of {self.accumulator_bits} bits; "
                f"{ACCUMULATOR_BITS} are the most"
            )

    @classmethod
    def of(cls, matrix: SegmentedMatrix, *, relu: bool = False) -> "IntegerLayer":
        """The integer form of a matrix, whose order, input scales and bias are another's business."""
        groups, trits, reals = real_parts(matrix)
        mantissas = Mantissas.of(reals)
        parts = map(Part, groups, trits, mantissas.values)
        return cls(tuple(parts), matrix.groups, matrix.activations, mantissas.unit, relu, side=matrix.side is not None)

    def times(self, factor: int) -> "IntegerLayer":
        """The same with mantissas so many times as large, worth as much less."""
        parts = (part._replace(mantissas=part.mantissas * factor) for part in self.parts)
        return replace(self, parts=tuple(parts), unit=self.unit / factor)

    @property
    def outputs(self) -> int:
        """Length of the result."""
        return len(self.parts[0].mantissas)

    @property
    def inputs(self) -> int:
        """Length of the input."""
        return self.ends[-1]

    @property
    def passes(self) -> list[tuple[int, int]]:
        """What the array takes for each tile of outputs: ranges of inputs, one after another."""
        return [ranges(self.ends)[part.group] for part in self.parts]

    @property
    def one_scale(self) -> bool:
        """Whether there is nothing to multiply by."""
        return len(self.parts) == 1 and bool((self.parts[0].mantissas == 1).all()) and self.rule == "int8"

    @property
    def signed(self) -> bool:
        """Whether results are in a binary network, where signs count: these are rounded down, which keeps all signs."""
        return self.rule in (STATIC, "binary")

    @cached_property
    def bound(self) -> int:
        """No partial sum of a row, in whatever order, has a larger magnitude."""
        limits = group_limits(self.rule, len(self.ends))
        total = np.zeros(self.outputs, np.int64)
        for part in self.parts:
            trits = np.abs(part.trits).sum(axis=1, dtype=np.int64)
            total += int(limits[part.group]) * trits * np.abs(part.mantissas)
        return int(total.max())

    @cached_property
    def shift(self) -> int:
        """The fewest bits to leave out so that every result has at most `RESULT_BITS`."""
        shift = 0
        while self.bound + half(shift) >= 1 << shift + RESULT_BITS - 1:
            shift += 1
        return shift

    @property
    def accumulator_bits(self) -> int:
        """Bits of a row's accumulator, sign included, in which no sum overflows."""
        return (self.bound + half(self.shift)).bit_length() + 1

    def quantised(self, values: NDArray[np.integer[Any]]) -> Activations:
        """The input as the array takes it."""
        return activations_integer(values, self.rule, self.ends)

    def forward(self, values: NDArray[np.integer[Any]], shift: int | None = None) -> Results:
        """Integers of magnitude below 2**24, shape (n, inputs), to results, by a shift that is `shift` or larger."""
        if values.dtype.kind not in "iu" or (values.size and np.abs(values.astype(np.int64)).max() >= 1 << 24):
            raise TritweaveError(f"activations are {values.dtype}; integers of magnitude below 2**24 are taken")
        if values.ndim != 2 or values.shape[1] != self.inputs or not len(values):
            raise TritweaveError(
                f"the input has shape {values.shape}; the layer takes (n, {self.inputs}), n at least 1"
            )
        shift = self.shift if shift is None else shift
        quantised = self.quantised(values)
        total = np.full((len(values), self.outputs), 0 if self.signed else half(shift))
        for part in self.parts:
            inputs = slice(*ranges(self.ends)[part.group])
            sums = _dot(quantised.values[:, inputs], part.trits)
            total += quantised.factors[:, part.group, None] * sums * part.mantissas
        results = total >> shift
        return Results(np.maximum(results, 0) if self.relu else results, quantised.unit * (self.unit * 2.0**shift))


def real_parts(
    matrix: SegmentedMatrix,
) -> tuple[list[int], list[NDArray[np.int8]], list[NDArray[np.float64]]]:
    """Of each part of a matrix, without its bias: its group, its trits, and what a sum is worth, by row."""
    units = group_units(matrix.activations, len(matrix.groups))
    reals = [
        plane_scales[:, segment] * units[segment]
        for segment in range(len(matrix.ends))
        for plane_scales in matrix.scales.astype(np.float64)
    ]
    groups = [segment for segment in range(len(matrix.ends)) for _ in matrix.planes]
    bounds = ranges(matrix.groups)
    trits = [plane[:, slice(*bounds[group])] for group in range(len(matrix.ends)) for plane in matrix.planes]
    if matrix.offsets is not None:
        for segment in reversed(range(len(matrix.ends))):
            place = (segment + 1) * len(matrix.planes)
            groups.insert(place, segment)
            trits.insert(place, np.ones_like(trits[place - 1]))
            reals.insert(place, matrix.offsets[:, segment].astype(np.float64) * units[segment])
    if matrix.side is not None and matrix.side_scales is not None:
        groups += [len(matrix.ends)] * SIDE_DIGITS
        trits += list(balanced_ternary(matrix.side, SIDE_DIGITS))
        reals += [matrix.side_scales * (units[-1] * 3.0**digit) for digit in range(SIDE_DIGITS)]
    return groups, trits, reals


def half(shift: int) -> int:
    """Half of a result's unit, where there is one."""
    return 1 << shift >> 1


def _dot(values: NDArray[np.int8], weights: NDArray[np.int8]) -> NDArray[np.int64]:
    # A float64 product of integers below 2**53 is exact and reaches the fast matrix routines.
    return (values.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)
