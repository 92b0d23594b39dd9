"""The largest exponents of cached values, to which softmax weights are aligned."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices
from rtl.pipeline import registered
from rtl.transformer.config import EXPONENT, LEAST_EXPONENT, DecoderConfig
from rtl.transformer.steps import Steps


class ExponentPeaks(wiring.Component):
    """For each region of the cache of values, the largest exponent of a token's scale so far.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    region, head
        In: whose; which of the block's key heads that is, in their order within a block. Both from two cycles before
        `write` on until one cycle after.
    first
        In, 1: the token is its sequence's first, so that what was before does not count.
    exponent
        In, EXPONENT: of the token's scale.
    write
        In, 1: it counts from now on; at least two cycles apart.
    peaks
        Out, ArrayLayout(EXPONENT, key heads): the block's peaks, one cycle after their writes.
    largest
        Out, EXPONENT: the largest of those that the block has had, two cycles after.

    """

    region: Signal
    head: Signal
    first: Signal
    exponent: Signal
    write: Signal
    peaks: data.View
    largest: Signal

    def __init__(self, config: DecoderConfig):
        self.config, steps = config, Steps(config)
        super().__init__(
            {
                "region": In(steps.region),
                "head": In(indices(config.shape.key_heads)),
                "first": In(1),
                "exponent": In(EXPONENT),
                "write": In(1),
                "peaks": Out(data.ArrayLayout(EXPONENT, config.shape.key_heads)),
                "largest": Out(EXPONENT),
            }
        )

    def elaborate(self, platform) -> Module:
        """A memory of all regions, registers of the block's, and the largest of those."""
        m = Module()
        shape = self.config.shape
        regions = len(indices(shape.blocks * shape.key_heads))
        m.submodules.memory = memory = Memory(shape=EXPONENT, depth=regions, init=[])
        write, read = memory.write_port(), memory.read_port()
        heads = Array(self.peaks[head] for head in range(shape.key_heads))
        peak = Signal(EXPONENT)
        before = registered(m, Mux(self.first, Const(LEAST_EXPONENT, EXPONENT), read.data), "before", reset_less=True)
        m.d.comb += [
            read.addr.eq(self.region),
            peak.eq(Mux(self.exponent > before, self.exponent, before)),
            write.addr.eq(self.region),
            write.data.eq(peak),
            write.en.eq(self.write),
        ]
        with m.If(self.write):
            m.d.sync += heads[self.head].eq(peak)
        if shape.key_heads == 1:
            m.d.comb += self.largest.eq(self.peaks[0])
            return m
        written = registered(m, self.write, "written")
        newest = heads[self.head]
        with m.If(written & ((self.head == 0) | (newest > self.largest))):
            m.d.sync += self.largest.eq(newest)
        return m
