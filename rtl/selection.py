"""Choosing one of many values by a number, and the number of the first bit that is set."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Mux, Value


def selected(values: Sequence[Value], index: Value) -> Value:
    """The value with that number, as a tree of multiplexers; beyond the end, any of them.

    Parameters
    ----------
    values
        At least one.
    index
        Unsigned; bits that no value needs are ignored.

    """
    level = list(values)
    for bit in index:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [Mux(bit, pair[-1], pair[0]) if len(pair) > 1 else pair[0] for pair in pairs]
    return level[0]


def selected_byte(value: Value, index: Value) -> Value:
    """The byte of a value with that number, the lowest byte being 0."""
    return selected([value[at : at + 8] for at in range(0, len(value), 8)], index)


def leading_zeros(value: Value) -> Value:
    """How many bits of a value that is not 0 lie above its highest set bit, by halving."""
    count: list[Value] = []
    size = 1 << (len(value) - 1).bit_length()
    rest = Cat(Const(0, size - len(value)), value)
    while size > 1:
        size //= 2
        upper, lower = rest[size : 2 * size], rest[:size]
        empty = ~upper.any()
        count.insert(0, empty)
        rest = Mux(empty, lower, upper)
    return Cat(*count)
