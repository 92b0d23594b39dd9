"""What the element lanes find out about a vector: its largest magnitude and its sum."""

from collections.abc import Callable, Sequence
from operator import add
from typing import Final

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import levels
from rtl.pipeline import delayed, registered
from rtl.transformer.config import DecoderConfig
from rtl.transformer.peak_memory import PeakMemory
from rtl.transformer.steps import Steps

_STEPS: Final = 2
"""Additions or comparisons a cycle."""


class ElementSums(wiring.Component):
    """The largest magnitude and the sum of each vector's elements, kept by its number.

    Parameters
    ----------
    config
        The decoder.
    square
        Bits of what is added up, no sign.
    lead
        Cycles by which what is added up comes before what the largest magnitude is found of.

    Members
    -------
    word
        In, `word_layout`, with `squares`: ``first``, ``last``, of its vector; ``epsilon``, whether the sum starts with
        `DecoderConfig.epsilon` instead of 0; ``index``, the vector's number.
    squares
        In, ArrayLayout: what is added up. A vector's words come without a gap.
    values
        In, ArrayLayout, `lead` cycles later.
    peak_address, peak
        In, Out, ArrayLayouts of `READERS`: the largest magnitude of the vector of that number, a cycle later.
    sum_address, sum
        In, Out: its sum, a cycle later.

    Latency: `latency` cycles from a vector's last word to the first in which both can be read.

    """

    READERS = 2

    word: data.View
    squares: data.View
    values: data.View
    peak_address: data.View
    peak: data.View
    sum_address: Signal
    sum: Signal

    def __init__(self, config: DecoderConfig, square: int, lead: int):
        self.config, self.lead = config, lead
        number = Steps(config).peak
        super().__init__(
            {
                "word": In(self.word_layout(config)),
                "squares": In(data.ArrayLayout(square, config.lanes)),
                "values": In(data.ArrayLayout(signed(config.vector), config.lanes)),
                "peak_address": In(data.ArrayLayout(number, self.READERS)),
                "peak": Out(data.ArrayLayout(config.vector - 1, self.READERS)),
                "sum_address": In(number),
                "sum": Out(config.square_sum),
            }
        )

    @staticmethod
    def word_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of what accompanies a word."""
        return data.StructLayout({"first": 1, "last": 1, "epsilon": 1, "index": Steps(config).peak})

    @classmethod
    def latency(cls, config: DecoderConfig, lead: int) -> int:
        """Cycles from a vector's last word to its peak and sum: magnitudes, tree, the largest so far, the memory."""
        return max(lead + cls._cycles(config, 2), cls._cycles(config, 1)) + 1

    @staticmethod
    def _cycles(config: DecoderConfig, beside: int) -> int:
        """Cycles of a tree, and of so many steps beside it."""
        return -(-(levels(config.lanes) + beside) // _STEPS)

    def elaborate(self, platform) -> Module:
        """Two trees, what stands behind them, and the memories."""
        m = Module()
        config = self.config
        numbers = len(Steps(config).peak)
        m.submodules.peaks = peaks = PeakMemory(unsigned(config.vector - 1), numbers, self.READERS)
        m.submodules.sums = sums = PeakMemory(unsigned(config.square_sum), numbers, 1)
        layout = self.word_layout(config)

        def late(cycles: int, name: str) -> data.View:
            return layout(delayed(m, self.word.as_value(), cycles, name))

        cycles = self._cycles(config, 1)
        summed, added = late(cycles - 1, "summed"), late(cycles, "added")
        total = Signal(config.square_sum, reset_less=True)
        value = _reduced(m, [*self.squares], add, cycles, "sum")
        m.d.sync += total.eq(Mux(summed.first, Mux(summed.epsilon, config.epsilon, 0), total) + value)

        cycles = self.lead + self._cycles(config, 2)
        compared, found = late(cycles - 1, "compared"), late(cycles, "found")
        magnitudes = [Mux(value < 0, -value, value)[: config.vector - 1] for value in self.values]
        peak = Signal(config.vector - 1, reset_less=True)
        value = _reduced(m, magnitudes, _larger, self._cycles(config, 2), "peak", 1)
        with m.If(compared.first | (value > peak)):
            m.d.sync += peak.eq(value)
        for memory, word, result in ((sums, added, total), (peaks, found, peak)):
            m.d.comb += [
                memory.write.valid.eq(word.last),
                memory.write.payload.index.eq(word.index),
                memory.write.payload.value.eq(result),
            ]
        m.d.comb += [
            peaks.address.eq(self.peak_address),
            self.peak.eq(peaks.value),
            sums.address[0].eq(self.sum_address),
            self.sum.eq(sums.value[0]),
        ]
        return m


def _larger(one: Value, other: Value) -> Value:
    return Mux(one > other, one, other)


def _reduced(
    m: Module,
    values: Sequence[Value],
    combine: Callable[[Value, Value], Value],
    cycles: int,
    name: str,
    before: int = 0,
) -> Value:
    """Values combined by a tree of `_STEPS` levels a cycle, `before` of which are taken, and one is left at the end."""
    for level in range(before, cycles * _STEPS - 1):
        values = [
            combine(*values[at : at + 2]) if at + 1 < len(values) else values[at] for at in range(0, len(values), 2)
        ]
        if level % _STEPS == _STEPS - 1:
            values = [registered(m, value, f"{name}_{level}_{at}", reset_less=True) for at, value in enumerate(values)]
    return values[0]
