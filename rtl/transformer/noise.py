"""The sampler's random numbers: a shift register over GF(2), and a table of noise that it chooses from."""

from functools import reduce
from math import log, log2
from operator import xor
from typing import Final

from amaranth.hdl import Cat, Value

from golden.language.format import NOISE_FRACTION, NOISE_INDEX

STATE_BITS: Final = 32
"""Of the shift register."""

_SHIFTS: Final = (13, 17, 5)


def stepped(state: Value, count: int) -> Value:
    """The shift register's state some steps later: each bit is a sum of the present ones.

    A step is ``x ^= x << 13; x ^= x >> 17; x ^= x << 5``, which is linear: what becomes of a state is the sum of what
    becomes of its bits.
    """
    columns = [1 << bit for bit in range(STATE_BITS)]
    for _ in range(count):
        columns = [_step(column) for column in columns]
    rows = [[state[bit] for bit, column in enumerate(columns) if column >> row & 1] for row in range(STATE_BITS)]
    return Cat(reduce(xor, row) for row in rows)


def _step(state: int) -> int:
    left, right, last = _SHIFTS
    state ^= state << left & (1 << STATE_BITS) - 1
    state ^= state >> right
    return state ^ (state << last & (1 << STATE_BITS) - 1)


def noise_table() -> list[int]:
    """Gumbel noise in log2, ``-log2(-ln u)``, at the middles of equal steps of u, in `NOISE_FRACTION` bits."""
    count = 1 << NOISE_INDEX
    return [round(-log2(-log((place + 0.5) / count)) * (1 << NOISE_FRACTION)) for place in range(count)]
