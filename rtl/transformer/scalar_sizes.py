"""Widths and other numbers of the scalar unit, derived from a decoder's."""

from dataclasses import dataclass

from golden.formats import ACTIVATION_MAX
from golden.language.format import EXPONENTIAL_BITS, QUERY_BITS, VECTOR_BITS, levels
from rtl.transformer.config import DecoderConfig
from rtl.transformer.kinds import Operation


@dataclass(frozen=True)
class ScalarSizes:
    """Numbers of a scalar unit; widths are in bits without sign.

    Parameters
    ----------
    config
        The decoder.

    """

    config: DecoderConfig

    @property
    def mantissa(self) -> int:
        """Of a scalar's mantissa."""
        return self.config.form.scale_bits

    @property
    def digits(self) -> int:
        """Of a root, and of a quotient whose first digit may be 0: a mantissa, and one to round by."""
        return self.mantissa + 2

    @property
    def digit_cycles(self) -> int:
        """Cycles for them."""
        return self.digits // self.config.scalar_pace

    @property
    def element_peak(self) -> int:
        """Of a largest magnitude of the element lanes, which may be one of softmax weights."""
        return max(self.config.vector, EXPONENTIAL_BITS)

    @property
    def result_peak(self) -> int:
        """Of a largest magnitude of the result lanes."""
        return self.config.result - 1

    @property
    def factor(self) -> int:
        """Of what a mantissa is multiplied with: a largest magnitude, or a mantissa."""
        return max(self.element_peak, self.result_peak, self.mantissa)

    @property
    def integer(self) -> int:
        """Of a sum, or of a factor; an even number, so that roots have whole exponents."""
        bits = max(self.config.square_sum, self.factor)
        return bits + bits % 2

    @property
    def operand(self) -> int:
        """Of an integer that has been moved up: all of a factor or a sum of powers; of a radicand, what decides."""
        return max(2 * self.digits, self.config.widths.power_total, self.factor)

    def offset(self, operation: Operation) -> int:
        """Of a result's exponent, what neither operands nor rounding decide.

        An integer of w bits that is moved up by p places has w - p bits, and ``-1 - p`` is what is added of p. A
        product of a mantissa and an integer of n bits is worth its mantissa times ``2**(n - 1)``, or twice that; a
        quotient, times ``2**(n - d - b)`` where the divisor has d and a mantissa b bits. A root has half of its
        radicand's.
        """
        match operation:
            case Operation.ROOT:
                return 1 + self.integer - self.integer // 2 - self.mantissa
            case Operation.FACTOR:
                # With one key head, there is no largest peak, of which ``-1 - peak`` is added.
                return 1 - self.mantissa + self._guard + (self.config.shape.key_heads > 1)
            case Operation.QUERY:
                return self.integer + self.mantissa - QUERY_BITS
            case _:
                return self.integer

    @property
    def _guard(self) -> int:
        """Fraction bits of a context's element, so that it has `VECTOR_BITS`."""
        largest = 2 * ACTIVATION_MAX * levels(self.config.form.value_digits) * 257 // 256 + 1
        return VECTOR_BITS - 1 - largest.bit_length()
