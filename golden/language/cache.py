"""The cache of one block: keys and values as numbers of a few digits, with a scale per token and key head."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.language.format import ZERO_EXPONENT, LanguageFormat, Shape, levels
from golden.language.quantiser import quantise
from golden.language.scalars import Integers, Scalars


@dataclass(frozen=True, eq=False)
class Cache:
    """Keys and values of sequences that advance together.

    A key's scale is a mantissa and an exponent; a value's too, and beside it lies the largest exponent of a value of
    this token or an earlier one, which is what p is aligned to.

    Parameters
    ----------
    keys, values
        Shape (sequences, key heads, positions, head).
    key_scales, value_scales
        Shape (sequences, key heads, positions).
    peaks
        Of the values' exponents, same shape.

    """

    keys: NDArray[np.int8]
    values: NDArray[np.int8]
    key_scales: Scalars
    value_scales: Scalars
    peaks: Integers

    @classmethod
    def empty(cls, shape: Shape, sequences: int, positions: int) -> "Cache":
        """Room for so many positions."""
        size = (sequences, shape.key_heads, positions)
        digits = [np.zeros((*size, shape.head), np.int8) for _ in range(2)]
        scales = [Scalars(np.zeros(size, np.int64), np.full(size, ZERO_EXPONENT)) for _ in range(2)]
        return cls(digits[0], digits[1], scales[0], scales[1], np.full(size, ZERO_EXPONENT))

    def write(self, start: int, keys: Integers, values: Integers, sizes: Scalars, form: LanguageFormat) -> None:
        """Quantise rotated keys, and values, both of shape (sequences, key heads, n, head), from a position on.

        `sizes` are what `golden.language.norm.relative_size` says of their tokens, shape (sequences, 1, n, 1).
        """
        places = slice(start, start + keys.shape[2])
        pairs = (
            (keys, form.key_digits, self.keys, self.key_scales),
            (values, form.value_digits, self.values, self.value_scales),
        )
        for vectors, digits, stored, scales in pairs:
            stored[:, :, places], maximum = quantise(vectors, levels(digits))
            zero = ~stored[:, :, places].any(axis=-1)
            made = sizes.times_integers(maximum, form.scale_bits)
            scales.mantissa[:, :, places] = np.where(zero, 0, made.mantissa[..., 0])
            scales.exponent[:, :, places] = np.where(zero, ZERO_EXPONENT, made.exponent[..., 0])
        before = self.peaks[:, :, max(start - 1, 0), None]
        peaks = np.maximum.accumulate(self.value_scales.exponent[:, :, places], axis=2)
        self.peaks[:, :, places] = np.maximum(peaks, before)

    def first(self, count: int) -> "Cache":
        """Its first positions, as a view."""
        places = np.s_[:, :, :count]
        key_scales, value_scales = (
            Scalars(scales.mantissa[places], scales.exponent[places]) for scales in (self.key_scales, self.value_scales)
        )
        return Cache(self.keys[places], self.values[places], key_scales, value_scales, self.peaks[places])
