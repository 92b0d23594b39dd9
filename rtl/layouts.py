"""The closed list of shapes that pass between components."""

from amaranth.hdl import signed
from amaranth.lib import data

from golden.formats import LOAD_WIDTH, MEMORIES

ACTIVATION = signed(8)
"""A quantised activation, -127 to 127."""


TRIT = data.StructLayout({"nz": 1, "neg": 1})
"""A weight: ``nz`` says whether it counts, ``neg`` its sign; ``neg`` means nothing while ``nz`` is 0."""

LOAD = data.StructLayout({"data": LOAD_WIDTH, "address": 24, "last": 1, "memory": range(len(MEMORIES) + 1)})
"""One transfer of the memory image, see `golden.files.image`: ``data`` for word ``address`` of memory ``memory``.

A word's transfers come lowest bits first; ``last`` marks the one that completes it.
"""

RECEIVED = data.StructLayout({"data": 8, "error": 1})
"""A byte off a serial line; ``error``: its stop bit was not there."""

BYTE = data.StructLayout({"data": 8, "last": 1})
"""A byte of a frame; ``last`` marks the frame's final byte."""


def words(shape, lanes: int) -> data.StructLayout:
    """Payload of a stream of vectors: `lanes` values a word, ``last`` on the final word of a vector."""
    return data.StructLayout({"data": data.ArrayLayout(shape, lanes), "last": 1})


def indices(count: int) -> range:
    """Shape of an index into `count` things: at least one bit, because Verilog has no vectors without bits."""
    return range(max(count, 2))


def levels(count: int) -> int:
    """Levels of a binary tree that reduces `count` values to one."""
    return (count - 1).bit_length()
