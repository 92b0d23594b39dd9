"""Choosing one of many values by a number."""

from collections.abc import Sequence

from amaranth.hdl import Mux, Value


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
