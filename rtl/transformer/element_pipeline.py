"""The arithmetic of the element lanes: two products an element, and what stands in front of and behind them."""

from typing import Any, Final

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.formats import ACTIVATION_MAX
from golden.language.format import EXPONENTIAL_BITS, VECTOR_BITS
from rtl.layouts import ACTIVATION
from rtl.pipeline import delayed, registered
from rtl.transformer.config import EXPONENT, DecoderConfig
from rtl.transformer.element_factors import ElementFactors
from rtl.transformer.kinds import Element

_CUBE_SHIFT: Final = (ACTIVATION_MAX**3).bit_length() + 1 - VECTOR_BITS
"""Bits that relu²(gate)·up leaves out."""
_POWER_BITS: Final = EXPONENTIAL_BITS + 1
"""Of a power of two that is at most 1."""


def power_table(bits: int) -> list[int]:
    """``2**-f`` for f = 0, 1/2**bits, 2/2**bits, … as multiples of ``2**-EXPONENTIAL_BITS``, to nearest."""
    return [round(2 ** (EXPONENTIAL_BITS - index / (1 << bits))) for index in range(1 << bits)]


class ElementPipeline(wiring.Component):
    """What the element lanes make of a word of operands; a new word, of any operation, in each cycle.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    control
        In, `control_layout`: ``element``, what to do; ``far``, of a rotation, whether it is the cycle after the one of
        a pair's first element; ``counted``, of softmax, how many of the word's tokens count.
    s, gate, up
        In, ArrayLayouts, with `control`: results; or what relu²(gate)·up is made of.
    largest
        In, with `control`: the largest score.
    x
        In, ArrayLayout, `X_DELAY` cycles later: the residual.
    gains, rotations, scales
        In, ArrayLayouts, `FACTOR_DELAY` cycles later: factors.
    largest_exponent
        In, with `scales`: what these are aligned to; none that counts is larger.
    squares
        Out, ArrayLayout, `SQUARE_LATENCY` cycles later: squares of norms' elements, or softmax's powers of two.
    y
        Out, ArrayLayout, `LATENCY` cycles later: the result. A rotation's word is taken with the one in the next cycle,
        as ``(near, far)``.

    """

    X_DELAY: Final = 2
    """The distance to the largest score, and its power of two in the table."""
    FACTOR_DELAY: Final = X_DELAY
    """The same: it meets the operand."""
    SQUARE_LATENCY: Final = FACTOR_DELAY + 2
    """The factors, and the product."""
    LATENCY: Final = SQUARE_LATENCY + 1
    """The sum of two products, shifted."""

    control: data.View
    s: data.View
    gate: data.View
    up: data.View
    largest: Signal
    x: data.View
    gains: data.View
    rotations: data.View
    scales: data.View
    largest_exponent: Signal
    squares: data.View
    y: data.View

    def __init__(self, config: DecoderConfig):
        self.config = config
        form, lanes = config.form, config.lanes
        bits = max(form.residual_bits, VECTOR_BITS, config.widths.linear, _POWER_BITS)
        self.operand = signed(bits)
        """Shape of an element in front of the products."""
        self.factor = signed(max(form.gain_bits, form.rotation_bits + 1, form.scale_bits) + 1)
        """Shape of what it is multiplied by."""

        def words(shape: Any) -> data.ArrayLayout:
            return data.ArrayLayout(shape, lanes)

        super().__init__(
            {
                "control": In(self.control_layout(config)),
                "s": In(words(signed(config.result))),
                "gate": In(words(ACTIVATION)),
                "up": In(words(ACTIVATION)),
                "largest": In(signed(config.widths.score)),
                "x": In(words(signed(form.residual_bits))),
                "gains": In(words(signed(form.gain_bits + 1))),
                "rotations": In(words(ElementFactors.rotation_layout(config))),
                "scales": In(words(config.scalar)),
                "largest_exponent": In(EXPONENT),
                "squares": Out(words(unsigned(2 * bits - 1))),
                "y": Out(words(signed(config.vector))),
            }
        )

    @staticmethod
    def control_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of what accompanies a word."""
        return data.StructLayout({"element": Element, "far": 1, "counted": range(config.lanes + 1)})

    def elaborate(self, platform) -> Module:
        """Operand, products, result, lane by lane; what all lanes share is delayed here."""
        m = Module()
        controls = [self.control]
        for stage in range(self.SQUARE_LATENCY):
            controls.append(self.control.shape()(registered(m, controls[-1].as_value(), f"control_{stage}")))
        for lane in range(self.config.lanes):
            result, following = self._passed(m, lane, controls[0].element)
            operand = Signal(self.operand, name=f"operand_{lane}")
            candidates = {
                Element.NORM: self.x[lane],
                Element.HIDDEN_NORM: self._cube(m, lane),
                Element.POWERS: self._power(m, lane, following, result, controls[1].counted).as_signed(),
            }
            with m.Switch(controls[self.X_DELAY].element):
                for element, candidate in candidates.items():
                    with m.Case(element):
                        m.d.comb += operand.eq(candidate)
                with m.Default():
                    m.d.comb += operand.eq(result.as_signed())
            product, other = self._products(m, lane, controls[self.FACTOR_DELAY], operand, following.as_signed())
            m.d.comb += self.squares[lane].eq(other)
            self._result(m, lane, controls[self.SQUARE_LATENCY].element, product, other)
        return m

    def _passed(self, m: Module, lane: int, element: Value) -> tuple[Signal, Signal]:
        """A result, or of softmax how far it lies below the largest; and the one a cycle behind it."""
        result = self.s[lane]
        following = Signal(self.config.result, name=f"following_{lane}", reset_less=True)
        m.d.sync += following.eq(Mux(element == Element.POWERS, self.largest - result, result))
        return registered(m, following, f"passed_{lane}", reset_less=True), following

    def _power(self, m: Module, lane: int, ahead: Signal, distance: Signal, counted: Value) -> Value:
        """2 to the power of minus a distance that was `ahead` a cycle before; 0 if it does not count."""
        bits, score = self.config.form.table_bits, self.config.widths.score
        m.submodules[f"table_{lane}"] = table = Memory(shape=_POWER_BITS, depth=1 << bits, init=power_table(bits))
        read, fraction = table.read_port(), bits + (_POWER_BITS - 1).bit_length()
        m.d.comb += read.addr.eq(ahead[:bits])
        counts = Signal(name=f"counts_{lane}")
        m.d.comb += counts.eq((lane < counted) & ~ahead[fraction:score].any())
        counts = registered(m, counts, f"counted_{lane}", reset_less=True)
        return Mux(counts, read.data >> distance[bits:fraction], 0)

    def _cube(self, m: Module, lane: int) -> Value:
        """relu²(gate) · up, rounded."""
        magnitude = self.gate[lane][: ACTIVATION.width - 1]
        square = registered(m, magnitude * magnitude, f"square_{lane}", reset_less=True)
        up = registered(m, self.up[lane], f"up_{lane}", reset_less=True)
        cube = Signal(signed(VECTOR_BITS + _CUBE_SHIFT), name=f"cube_{lane}", reset_less=True)
        m.d.sync += cube.eq(square * up)
        return (cube >> _CUBE_SHIFT) + cube[_CUBE_SHIFT - 1]

    def _products(
        self, m: Module, lane: int, control: data.View, operand: Signal, following: Value
    ) -> tuple[Signal, Signal]:
        """The element times its factor, and the other product: a square, the pair's other half, or an element as it is.

        While a pair's first element is the operand, the second one follows; the first is in `element` next.
        """
        element = registered(m, operand, f"element_{lane}", reset_less=True)
        factor = Signal(self.factor, name=f"factor_{lane}", reset_less=True)
        other = Signal(self.operand, name=f"other_{lane}", reset_less=True)
        other_factor = Signal(self.operand, name=f"other_factor_{lane}", reset_less=True)
        rotation = self.rotations[lane]
        m.d.sync += other.eq(operand)
        with m.Switch(control.element):
            with m.Case(Element.ROTATE):
                m.d.sync += [
                    factor.eq(rotation.cosine),
                    other.eq(Mux(control.far, element, following)),
                    other_factor.eq(Mux(control.far, rotation.sine, -rotation.sine)),
                ]
            with m.Case(Element.POWERS):
                # A power of 1 has the sign's bit: as an operand it is -1, and so are its factors.
                mantissa, whole = self.scales[lane].mantissa, operand[_POWER_BITS - 1]
                m.d.sync += [factor.eq(Mux(whole, -mantissa, mantissa)), other_factor.eq(Mux(whole, -1, 1))]
            with m.Default():
                m.d.sync += [factor.eq(self.gains[lane]), other_factor.eq(operand)]
        product = registered(m, element * factor, f"product_{lane}", reset_less=True)
        return product, registered(m, other * other_factor, f"other_product_{lane}", reset_less=True)

    def _result(self, m: Module, lane: int, element: Value, product: Signal, other: Signal) -> None:
        """The product, or of a rotation the sum of both, shifted and rounded; of softmax, shifted to its scale."""
        form = self.config.form
        excess = form.gain_bits - form.quantiser_bits
        shifted, half = Signal(self.y[lane].shape(), name=f"shifted_{lane}"), Signal(name=f"half_{lane}")

        def shift(value: Value, bits: int) -> list[Any]:
            return [shifted.eq(value >> bits), half.eq(value[bits - 1] if bits else 0)]

        with m.Switch(element):
            with m.Case(Element.NORM):
                m.d.comb += shift(product, max(form.residual_bits + excess, 0))
            with m.Case(Element.ROTATE):
                m.d.comb += shift(product + other, form.rotation_bits)
            with m.Default():
                m.d.comb += shift(product, max(VECTOR_BITS + excess, 0))
        weight = product[form.scale_bits : form.scale_bits + EXPONENTIAL_BITS] >> self._behind(m, lane)
        m.d.sync += self.y[lane].eq(Mux(element == Element.POWERS, weight, shifted + half))

    def _behind(self, m: Module, lane: int) -> Value:
        """How far a value's exponent lies below the largest, or so far that nothing is left of a power."""
        difference = Signal(EXPONENT.width, name=f"difference_{lane}")
        amount = Signal(EXPONENTIAL_BITS.bit_length(), name=f"behind_{lane}", reset_less=True)
        m.d.comb += difference.eq(self.largest_exponent - self.scales[lane].exponent)
        m.d.sync += amount.eq(difference[: len(amount)] | difference[len(amount) :].any().replicate(len(amount)))
        return delayed(m, amount, self.SQUARE_LATENCY - self.FACTOR_DELAY - 1, f"behind_{lane}", reset_less=True)
