"""Products with constants."""

from functools import reduce
from operator import add

from amaranth.hdl import Value


def times(value: Value, factor: int) -> Value:
    """A value times a constant above 0, as a sum of shifted values: synthesis would put a product into a DSP block."""
    return reduce(add, (value << bit for bit in range(factor.bit_length()) if factor >> bit & 1))
