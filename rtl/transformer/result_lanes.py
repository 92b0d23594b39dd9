"""What becomes of the array's sums: results, scores, contexts, a longer residual, or logits."""

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.language.format import LOGIT_BITS
from rtl.layouts import indices, words
from rtl.pipeline import delayed
from rtl.transformer.config import DecoderConfig
from rtl.transformer.kinds import Result
from rtl.transformer.lane_scalars import LaneScalars
from rtl.transformer.result_peaks import ResultPeaks
from rtl.transformer.scale_memory import ScaleMemory
from rtl.transformer.scaled_sum import ScaledSum
from rtl.transformer.steps import Steps
from rtl.transformer.vector_memory import VectorMemory


class ResultLanes(wiring.Component):
    """Multiplies each sum by a scalar's mantissa, shifts it by the exponent, adds, saturates, and hands it on.

    One product serves all steps; where there is no scalar it is a product with 1. A score is rounded down and saturates
    to `Widths.score` bits, a logit to `LOGIT_BITS`, an element of the residual to `residual_bits`; contexts and scaled
    residuals are rounded to nearest, ties upwards.

    Parameters
    ----------
    config
        The decoder.
    readers
        Read ports of the peaks, 1 to 16.

    Members
    -------
    sums
        In, stream of `Steps.sums`, always ready.
    place
        In, `Steps.place`: of the token at hand; later ones' scores are no peaks.
    greedy
        In, 1: logits leave as they are, otherwise in units of ``2**-NOISE_FRACTION``; steady during a token.
    register_address, register
        Out, In: a register of the scalar unit, answered 1 cycle later.
    key_scales_address, key_scales
        Out, In: a word of the keys' scales, answered `ScaleMemory.LATENCY` cycles later.
    x_address, x
        Out, In: a word of the residual, answered `VectorMemory.LATENCY` cycles later.
    x_write, s_write
        Out, streams of `x_layout`, `s_layout`, always ready: words for the residual, and for the memory of results.
    logits
        Out, stream of `logits_layout`, always ready; ``last`` on the last word.
    saturated
        Out, 32: elements of the residual that were cut to its width since the last reset, modulo 2**32.
    finished
        Out, 1: in the next cycle everything that the step has changed can be read.
    peak_address, peak
        In, Out, ArrayLayouts of `readers`: a step's peak, `PeakMemory.LATENCY` cycle later; it is the largest magnitude
        of RAW words, and the largest score up to the token at hand.

    Latency: `LATENCY` cycles from a word of sums to what is written, or to its logits; `finish_latency` to `finished`.
    Throughput: one word a cycle.

    """

    OPERANDS = ScaleMemory.LATENCY + 1
    """Cycles to the register of sums, mantissas and amounts in front of the product."""
    SHIFTED = OPERANDS + ScaledSum.SHIFTED
    """Cycles to what is left of the product, where it meets the residual."""
    TOTAL = OPERANDS + ScaledSum.TOTAL
    """Cycles to what may have to be cut."""
    LATENCY = OPERANDS + ScaledSum.LATENCY

    sums: stream.Interface
    place: data.View
    greedy: Signal
    register_address: Signal
    register: data.View
    key_scales_address: data.View
    key_scales: data.View
    x_address: Signal
    x: data.View
    x_write: stream.Interface
    s_write: stream.Interface
    logits: stream.Interface
    saturated: Signal
    finished: Signal
    peak_address: data.View
    peak: data.View

    def __init__(self, config: DecoderConfig, readers: int):
        self.config, self.steps = config, Steps(config)
        self.peaks = ResultPeaks(config, readers)
        residual = data.ArrayLayout(signed(config.form.residual_bits), config.lanes)
        super().__init__(
            {
                "sums": In(stream.Signature(self.steps.sums, always_ready=True)),
                "place": In(self.steps.place),
                "greedy": In(1),
                "register_address": Out(self.steps.register),
                "register": In(config.scalar),
                "key_scales_address": Out(ScaleMemory.place(config)),
                "key_scales": In(data.ArrayLayout(config.scalar, config.lanes)),
                "x_address": Out(indices(config.words(config.shape.hidden))),
                "x": In(residual),
                "x_write": Out(stream.Signature(self.x_layout(config), always_ready=True)),
                "s_write": Out(stream.Signature(self.s_layout(config), always_ready=True)),
                "logits": Out(stream.Signature(self.logits_layout(config), always_ready=True)),
                "saturated": Out(32),
                "finished": Out(1),
                "peak_address": In(self.peaks.address.shape()),
                "peak": Out(self.peaks.value.shape()),
            }
        )

    @staticmethod
    def finish_latency(config: DecoderConfig) -> int:
        """Cycles from a step's last word of sums to `finished`."""
        return ResultLanes.LATENCY + ResultPeaks.latency(config)

    @staticmethod
    def x_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of a write of the residual."""
        return VectorMemory.layout(signed(config.form.residual_bits), config.lanes, config.words(config.shape.hidden))

    @staticmethod
    def s_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of a write of the memory of results."""
        return VectorMemory.layout(signed(config.result), config.lanes, len(Steps(config).result))

    @staticmethod
    def logits_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of a word for the sampler."""
        return words(signed(max(config.widths.logit_sum, LOGIT_BITS)), config.lanes)

    def elaborate(self, platform) -> Module:
        """The lanes, and beside them what is known of their words."""
        m = Module()
        stages = self._stages(m)
        shifted, total, final = (stages[cycle] for cycle in (self.SHIFTED, self.TOTAL, self.LATENCY))
        m.submodules.scalars = scalars = self._scalars(m, stages)
        added, above, cut = shifted.result == Result.RESIDUAL, self._above(total), Signal(self.config.lanes)
        m.d.comb += self.x_address.eq(stages[self.SHIFTED - VectorMemory.LATENCY].address)
        for index, value in enumerate(self.sums.payload.data):
            m.submodules[f"lane_{index}"] = lane = ScaledSum(self.config)
            m.d.comb += [
                lane.sum.eq(delayed(m, value, self.OPERANDS, f"sum_{index}", reset_less=True)),
                lane.mantissa.eq(scalars.mantissas[index]),
                lane.amount.eq(scalars.amounts[index]),
                lane.addend.eq(Mux(added, self.x[index], 0)),
                lane.nearest.eq(added | (shifted.result == Result.CONTEXT)),
                lane.above.eq(above),
                lane.rectify.eq(total.rectify),
                cut[index].eq(lane.cut),
                *(port.payload.data[index].eq(lane.o) for port in (self.s_write, self.x_write, self.logits)),
            ]
        self._leave(m, final)
        self._count(m, final, cut)
        self._peaks(m, final)
        return m

    def _stages(self, m: Module) -> list[data.View]:
        """What is known of the word that came so many cycles before."""
        word, step = self.sums.payload, self.sums.payload.step
        here = self.place.position >> (self.config.lanes - 1).bit_length()
        layout = data.StructLayout(
            {
                "valid": 1,
                "last": 1,
                "result": Result,
                "rectify": 1,
                "address": self.steps.result,
                "peak": self.steps.peak,
                "present": 1,  # the token at hand is one of its tokens
            }
        )
        stages = [Signal(layout, name=f"stage_{cycle}") for cycle in range(self.LATENCY + 1)]
        first = stages[0]
        m.d.comb += [
            first.valid.eq(self.sums.valid),
            first.last.eq(word.last),
            first.result.eq(step.result),
            first.rectify.eq((step.result == Result.RAW) & step.rectify),
            first.address.eq(step.target + word.index),
            first.peak.eq(step.peak),
            first.present.eq(word.index == here),
        ]
        for before, after in pairwise(stages):
            m.d.sync += after.eq(before)
        return stages

    def _scalars(self, m: Module, stages: list[data.View]) -> LaneScalars:
        """Scalars are addressed by the word as it comes."""
        scalars = LaneScalars(self.config)
        word, known = self.sums.payload, stages[self.OPERANDS - LaneScalars.LATENCY]
        m.d.comb += [
            self.register_address.eq(word.step.register),
            self.key_scales_address.word.eq(word.index),
            self.key_scales_address.region.eq(word.step.region),
            scalars.register.eq(self.register),
            scalars.key_scales.eq(self.key_scales),
            scalars.result.eq(known.result),
            scalars.plain.eq((known.result == Result.RAW) | ((known.result == Result.LOGIT) & self.greedy)),
        ]
        return scalars

    def _above(self, word: data.View) -> Value:
        """Bits of a total that equal the sign of one that is not cut."""
        widths, ones = self.config.widths, (1 << ScaledSum.total_bits(self.config) - 1) - 1
        bits = {
            Result.SCORE: (1, widths.score),
            Result.RESIDUAL: (1, self.config.form.residual_bits),
            Result.LOGIT: (~self.greedy, LOGIT_BITS),
        }
        masks = [
            Mux((word.result == result) & needed, ones >> width - 1 << width - 1, 0)
            for result, (needed, width) in bits.items()
        ]
        return masks[0] | masks[1] | masks[2]

    def _leave(self, m: Module, word: data.View) -> None:
        """Each word to one of three."""
        residual, logit = word.result == Result.RESIDUAL, word.result == Result.LOGIT
        m.d.comb += [
            self.s_write.valid.eq(word.valid & ~residual & ~logit),
            self.x_write.valid.eq(word.valid & residual),
            self.logits.valid.eq(word.valid & logit),
            self.s_write.payload.address.eq(word.address),
            self.x_write.payload.address.eq(word.address),
            self.logits.payload.last.eq(word.last),
        ]

    def _count(self, m: Module, word: data.View, cut: Value) -> None:
        """Elements of the residual that were cut."""
        few = Signal(range(self.config.lanes + 1))
        m.d.sync += few.eq(Mux(self.x_write.valid, sum(cut[1:], cut[0]), 0))
        m.d.sync += self.saturated.eq(self.saturated + few)

    def _peaks(self, m: Module, word: data.View) -> None:
        """Their peaks, of scores only up to the token at hand."""
        m.submodules.peaks = peaks = self.peaks
        score, results = word.result == Result.SCORE, peaks.i.payload
        first, future = Signal(init=1), Signal()
        with m.If(word.valid):
            m.d.sync += [first.eq(word.last), future.eq((future | word.present) & ~word.last)]
        here = self.place.position[: (self.config.lanes - 1).bit_length()]
        m.d.comb += [
            peaks.i.valid.eq(word.valid),
            results.data.eq(self.s_write.payload.data),
            results.score.eq(score),
            results.keep.eq(score | (word.result == Result.RAW)),
            results.first.eq(first),
            results.last.eq(word.last),
            results.peak.eq(word.peak),
            *(
                counts.eq(~score | (~future & (~word.present | (lane <= here))))
                for lane, counts in enumerate(results.counts)
            ),
            self.finished.eq(peaks.finished),
            peaks.address.eq(self.peak_address),
            self.peak.eq(peaks.value),
        ]
