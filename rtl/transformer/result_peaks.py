"""The peaks of the array's results: each step's largest magnitude or score."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import levels
from rtl.pipeline import delayed
from rtl.quantiser.maxima import largest
from rtl.transformer.config import DecoderConfig
from rtl.transformer.peak_memory import PeakMemory
from rtl.transformer.steps import Steps


class ResultPeaks(wiring.Component):
    """Finds the largest magnitude, or the largest score, of the words of a step, and keeps it.

    Parameters
    ----------
    config
        The decoder.
    readers
        Read ports, 1 to 16.

    Members
    -------
    i
        In, stream of `layout`, always ready. ``data``: L results; ``counts``: lanes that count; ``score``: whether they
        are compared with their signs; ``keep``: whether there is a peak to keep; ``first``, ``last``: of the step;
        ``peak``: where to keep it.
    finished
        Out, 1: `latency` cycles after a step's last word, whether it has a peak or not.
    address, value
        In, Out: of `PeakMemory`; a value is new for an address in the cycle after `finished`.

    Throughput: one word a cycle.

    """

    i: stream.Interface
    finished: Signal
    address: data.View
    value: data.View

    def __init__(self, config: DecoderConfig, readers: int):
        self.config = config
        self.memory = PeakMemory(signed(config.result), len(Steps(config).peak), readers)
        super().__init__(
            {
                "i": In(stream.Signature(self.layout(config), always_ready=True)),
                "finished": Out(1),
                "address": In(self.memory.address.shape()),
                "value": Out(self.memory.value.shape()),
            }
        )

    @staticmethod
    def latency(config: DecoderConfig) -> int:
        """Cycles from a step's last word to `finished`: magnitudes, and the tree of their maxima."""
        return 1 + levels(config.lanes)

    @staticmethod
    def layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of a word."""
        results = data.ArrayLayout(signed(config.result), config.lanes)
        marks = {"score": 1, "keep": 1, "first": 1, "last": 1, "peak": Steps(config).peak}
        return data.StructLayout({"data": results, "counts": config.lanes} | marks)

    def elaborate(self, platform) -> Module:
        """Magnitudes as numbers without a sign, a tree, and the largest so far."""
        m = Module()
        m.submodules.memory = memory = self.memory
        word, bits = self.i.payload, self.config.result
        codes = [Signal(bits, name=f"code_{lane}") for lane in range(self.config.lanes)]
        for lane, code in enumerate(codes):
            # With the sign turned, numbers are in order, and 0 is below all of them.
            negated = word.data[lane][-1] & ~word.score
            magnitude = (word.data[lane] ^ negated.replicate(bits)) + negated
            turned = Cat(magnitude[: bits - 1], ~magnitude[bits - 1])
            m.d.sync += code.eq(Mux(word.counts[lane], turned, 0))
        cycles = self.latency(self.config)
        code = largest(m, codes, cycles - 1)
        valid = delayed(m, self.i.valid, cycles, "valid")
        fields = {name: delayed(m, word[name], cycles, name) for name in ("keep", "first", "last", "peak")}

        so_far, peak = Signal(bits), Signal(bits)
        m.d.comb += peak.eq(Mux(fields["first"] | (code > so_far), code, so_far))
        with m.If(valid):
            m.d.sync += so_far.eq(peak)
        m.d.comb += [
            self.finished.eq(valid & fields["last"]),
            memory.write.valid.eq(self.finished & fields["keep"]),
            memory.write.payload.index.eq(fields["peak"]),
            memory.write.payload.value.eq(Cat(peak[: bits - 1], ~peak[bits - 1])),
            memory.address.eq(self.address),
            self.value.eq(memory.value),
        ]
        return m
