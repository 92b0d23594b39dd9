"""Rotation of queries and keys by their position, halves against each other."""

from typing import NamedTuple

import numpy as np

from golden.language.scalars import Integers, rounded_shift


class Rotation(NamedTuple):
    """A table of angles: for each position and pair, cosine and sine as multiples of ``2**-bits``."""

    cosines: Integers
    """Shape (positions, head / 2)."""
    sines: Integers
    bits: int

    @classmethod
    def of(cls, positions: int, head: int, base: float, bits: int) -> "Rotation":
        """The angle of pair i at a position is ``position · base**(-2i / head)``."""
        angles = np.arange(positions)[:, None] * base ** (-np.arange(0, head, 2) / head)
        cosines, sines = (np.rint(np.ldexp(wave, bits)).astype(np.int64) for wave in (np.cos(angles), np.sin(angles)))
        return cls(cosines, sines, bits)

    def rotated(self, vectors: Integers, start: int) -> Integers:
        """Vectors of positions from `start` on, shape (..., positions, head); rounded to their own unit.

        Two products an element: ``(a·cos - b·sin, b·cos + a·sin)`` for the pair of elements i and i + head / 2.
        """
        near, far = np.split(vectors, 2, axis=-1)
        places = slice(start, start + vectors.shape[-2])
        cosines, sines = self.cosines[places], self.sines[places]
        turned = [near * cosines - far * sines, far * cosines + near * sines]
        return rounded_shift(np.concatenate(turned, axis=-1), self.bits)
