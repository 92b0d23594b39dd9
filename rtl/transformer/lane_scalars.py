"""What each lane behind the array multiplies by."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.language.format import NOISE_FRACTION
from rtl.pipeline import registered
from rtl.transformer.config import DecoderConfig
from rtl.transformer.kinds import Result
from rtl.transformer.lane_shift import LaneShift
from rtl.transformer.scaled_sum import ScaledSum


class LaneScalars(wiring.Component):
    """Chooses mantissas, and makes exponents into amounts to shift by.

    A score's mantissa is its token's, and its amount has the register's exponent, too; other steps take the register's
    scalar, or 1 where a word is plain. Where the shift would be to the left there is none.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    register
        In, `DecoderConfig.scalar`.
    result, plain
        In: with it, what becomes of the word, and whether it stays as it is.
    key_scales
        In, ArrayLayout(`DecoderConfig.scalar`, lanes): a cycle behind them.
    mantissas, amounts
        Out, ArrayLayouts of `lanes`: `LATENCY` cycles behind them.

    Throughput: one word a cycle.

    """

    LATENCY = 2

    register: data.View
    result: Signal
    plain: Signal
    key_scales: data.View
    mantissas: data.View
    amounts: data.View

    def __init__(self, config: DecoderConfig):
        self.config = config
        bits = LaneShift.amount_bits(ScaledSum.product_bits(config))
        super().__init__(
            {
                "register": In(config.scalar),
                "result": In(Result),
                "plain": In(1),
                "key_scales": In(data.ArrayLayout(config.scalar, config.lanes)),
                "mantissas": Out(data.ArrayLayout(config.form.scale_bits, config.lanes)),
                "amounts": Out(data.ArrayLayout(bits, config.lanes)),
            }
        )

    def elaborate(self, platform) -> Module:
        """The register's part, which all lanes share, then each token's."""
        m = Module()
        scored, bits = self.result == Result.SCORE, self.amounts.shape().elem_shape
        fraction = Mux(scored, self.config.form.table_bits, Mux(self.result == Result.LOGIT, NOISE_FRACTION, 0))
        mantissa = registered(m, self.register.mantissa, "mantissa", reset_less=True)
        right = registered(m, -self.register.exponent - fraction, "right", reset_less=True)
        scored = registered(m, scored, "scored", reset_less=True)
        plain = registered(m, self.plain, "kept_plain", reset_less=True)
        for lane, scale in enumerate(self.key_scales):
            wanted = Signal(signed(len(right) + 1), name=f"wanted_{lane}")
            beyond = wanted[bits:-1].any()
            m.d.comb += wanted.eq(right - Mux(scored, scale.exponent, Const(0, 1)))
            m.d.sync += [
                self.mantissas[lane].eq(Mux(plain, 1, Mux(scored, scale.mantissa, mantissa))),
                self.amounts[lane].eq(Mux(plain | wanted[-1], 0, wanted[:bits] | beyond.replicate(bits))),
            ]
        return m
