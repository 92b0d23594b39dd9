"""One lane behind the array: a sum times a scalar, added to what was there, and saturated."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.language.format import LOGIT_BITS
from rtl.transformer.config import DecoderConfig
from rtl.transformer.lane_shift import LaneShift

_FACTOR_BITS = 18
"""Of a signed factor that one multiplier of ECP5 takes."""


class ScaledSum(wiring.Component):
    """``addend + sum · mantissa / 2**amount``, rounded and saturated as those that come with it say.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    sum, mantissa, amount
        In: signed(`DecoderConfig.accumulator`), `LanguageFormat.scale_bits` without a sign, and `LaneShift`'s.
    addend
        In, signed(residual_bits): `SHIFTED` cycles behind them.
    nearest
        In, 1, with `addend`: the shifted product is rounded to nearest, ties upwards, instead of down.
    above
        In, a bit for each of the total but its sign, `TOTAL` cycles behind the sum: those that equal the sign of a
        total that need not be cut. A total is cut to ``±(2**n - 1)``, n being the lowest of them; without any, never.
    rectify
        In, 1, with `above`: what is below 0 becomes 0.
    o
        Out, signed(`bits`): `LATENCY` cycles behind the sum.
    cut
        Out, 1, with `o`: it was saturated.

    Throughput: one sum a cycle.

    """

    SHIFTED = 1 + LaneShift.LATENCY
    """The register of the product, and the shift."""
    TOTAL = SHIFTED + 1
    """And the register of the total."""
    LATENCY = TOTAL + 1
    """And the output's."""

    sum: Signal
    mantissa: Signal
    amount: Signal
    addend: Signal
    nearest: Signal
    above: Signal
    rectify: Signal
    o: Signal
    cut: Signal

    def __init__(self, config: DecoderConfig):
        self.config = config
        product = self.product_bits(config)
        super().__init__(
            {
                "sum": In(signed(config.accumulator)),
                "mantissa": In(config.form.scale_bits),
                "amount": In(LaneShift.amount_bits(product)),
                "addend": In(signed(config.form.residual_bits)),
                "nearest": In(1),
                "above": In(self.total_bits(config) - 1),
                "rectify": In(1),
                "o": Out(signed(self.bits(config))),
                "cut": Out(1),
            }
        )

    @staticmethod
    def product_bits(config: DecoderConfig) -> int:
        """Of the product, sign included."""
        return config.accumulator + config.form.scale_bits

    @staticmethod
    def total_bits(config: DecoderConfig) -> int:
        """Of the total, sign included."""
        shifted = LaneShift.bits_out(ScaledSum.product_bits(config), ScaledSum.needed(config))
        return max(shifted, config.form.residual_bits) + 1

    @staticmethod
    def needed(config: DecoderConfig) -> int:
        """Of a shifted product, sign included; one with more is cut, whatever it is added to."""
        most = max(ScaledSum.bits(config), config.form.residual_bits + 1)
        return min(most, ScaledSum.product_bits(config))

    @staticmethod
    def bits(config: DecoderConfig) -> int:
        """Of the output, sign included."""
        return max(config.result, config.form.residual_bits, config.widths.logit_sum, LOGIT_BITS)

    def elaborate(self, platform) -> Module:
        """Product, shift, total, limits."""
        m = Module()
        m.submodules.shift = shift = LaneShift(self.product_bits(self.config), self.needed(self.config))
        amount, total = Signal.like(self.amount), Signal(signed(len(self.above) + 1))
        # What the shift lost enters the adder as a carry.
        carry = Cat(self.nearest, self.addend).as_signed() + Cat(shift.lost, shift.o).as_signed()
        m.d.sync += [
            shift.i.eq(self._product()),
            amount.eq(self.amount),
            total.eq(carry[1:].as_signed()),
        ]
        m.d.comb += shift.amount.eq(amount)

        sign, differing = total[-1], Signal(len(self.above))
        signs = sign.replicate(len(self.above))
        m.d.comb += differing.eq(total[:-1] ^ signs)
        beyond = (differing & self.above).any()
        # The least number of n + 1 bits is one too low.
        least = sign & (differing | self.above).all()
        cut = Signal()
        m.d.comb += cut.eq(beyond | least)
        limit = Cat(1, ~(signs ^ self.above)[1:])
        m.d.sync += [
            self.cut.eq(cut),
            self.o.eq(Mux(self.rectify & sign, 0, Mux(cut, Cat(limit, sign).as_signed(), total))),
        ]
        return m

    def _product(self) -> Value:
        """The sum times the mantissa, with one multiplier: what it does not take is recoded in digits of -2 to 2."""
        product = Value.cast(self.sum[:_FACTOR_BITS].as_signed() * self.mantissa)
        for place in range(_FACTOR_BITS, len(self.sum), 2):
            below, here = self.sum[place - 1], self.sum[place]
            negative = self.sum[min(place + 1, len(self.sum) - 1)]
            double = (below == here) & (here ^ negative)
            multiple = Mux(below ^ here, self.mantissa, Mux(double, self.mantissa << 1, 0))
            digit = Cat(multiple ^ negative.replicate(len(multiple)), negative).as_signed()
            # What turns the complement into the negative enters as a carry.
            upper = Cat(negative, product[place:]).as_signed() + Cat(negative, digit).as_signed()
            product = Cat(product[:place], upper[1:]).as_signed()
        return product
