"""Largest magnitudes: of the values of a word, and of vectors."""

from collections.abc import Sequence

from amaranth.hdl import Array, Module, Mux, Signal, Value


def largest(m: Module, values: Sequence[Value], cycles: int) -> Value:
    """The largest of unsigned values of one width, some cycles later, no fewer than `levels` of their number."""
    for level in range(cycles):
        pairs = [values[i : i + 2] for i in range(0, len(values), 2)]
        values = [Signal(len(values[0]), name=f"maximum_{level}_{i}") for i in range(len(pairs))]
        for value, pair in zip(values, pairs, strict=True):
            m.d.sync += value.eq(Mux(pair[0] > pair[-1], pair[0], pair[-1]))
    return values[0]


def vector_maxima(m: Module, value: Value, into: Value, channels: int, handed: Value, leaving: Value) -> list[Signal]:
    """By channel, the largest magnitude of the vector that enters, or 1, so that a zero vector's quotients are zeros.

    `value` is the largest magnitude of a word that enters the vector of the channel whose bit of `into` is 1. In the
    last cycle in which a vector's is needed, `handed` is 1 and `leaving` is its channel, which begins anew.
    """
    peaks = [Signal(len(value), name=f"peak_{index}", init=1) for index in range(channels)]
    for index, peak in enumerate(peaks):
        with m.If(into[index] & (value > peak)):
            m.d.sync += peak.eq(value)
    with m.If(handed):
        m.d.sync += Array(peaks)[leaving].eq(1)
    return peaks
