"""The decoder once more, one number after another in Python's integers: slow, plain, and written from the document.

Nothing but the model's constants is shared with `golden.language`: rounding is by fractions, powers of two are decimal,
square roots are `math.isqrt`, sums are sums.
"""

from decimal import Decimal, getcontext
from fractions import Fraction
from math import floor, isqrt

from golden.language.integers import IntegerBlock, IntegerModel

getcontext().prec = 40

Scalar = tuple[int, int]
"""Mantissa and exponent; the mantissa of zero is 0."""


def upwards(value: Fraction) -> int:
    """To nearest, ties upwards."""
    return floor(value + Fraction(1, 2))


def even(value: Fraction) -> int:
    """To nearest, ties to even."""
    return round(value)


def scalar(value: Fraction, bits: int) -> Scalar:
    """So many bits of mantissa."""
    if value == 0:
        return 0, 0
    exponent = 0
    while value * Fraction(2) ** -exponent >= 1 << bits:
        exponent += 1
    while value * Fraction(2) ** -exponent < 1 << bits - 1:
        exponent -= 1
    mantissa = upwards(value * Fraction(2) ** -exponent)
    return (mantissa >> 1, exponent + 1) if mantissa == 1 << bits else (mantissa, exponent)


def worth(number: Scalar) -> Fraction:
    return number[0] * Fraction(2) ** number[1]


def divided(numerator: int, denominator: int, bits: int) -> Scalar:
    """A restoring divider's bits, the rest left out, then rounded."""
    if numerator == 0:
        return 0, 0
    shift = max(denominator.bit_length() + bits + 1 - numerator.bit_length(), 0)
    return scalar(Fraction((numerator << shift) // denominator, 1 << shift), bits)


def relative(maximum: int, vector: list[int], start: int, bits: int) -> Scalar:
    squares = sum(value * value for value in vector) + start
    if squares == 0:
        return 0, 0
    pairs = -(-squares.bit_length() // 2) - (bits + 2)
    aligned = floor(squares * Fraction(4) ** -pairs)
    mantissa, exponent = divided(maximum, isqrt(aligned), bits)
    return mantissa, exponent - pairs


def quantised(vector: list[int], limit: int) -> tuple[list[int], int]:
    maximum = max(max(map(abs, vector)), 1)
    return [even(Fraction(limit * value, maximum)) for value in vector], maximum


class PlainDecoder:
    """One sequence."""

    def __init__(self, model: IntegerModel):
        self.model, self.form = model, model.form
        self.keys: list[list[list[tuple[list[int], Scalar]]]] = [
            [[] for _ in range(model.shape.key_heads)] for _ in model.blocks
        ]
        self.values = [[[] for _ in range(model.shape.key_heads)] for _ in model.blocks]
        self.position = 0

    def step(self, token: int) -> tuple[list[int], Fraction]:
        """Logits and what one is worth."""
        model, bits = self.model, self.form.scale_bits
        residual = [int(digit) << self.form.fraction_bits for digit in model.embedding[token]]
        for index, block in enumerate(model.blocks):
            residual = self.attention(index, block, residual)
            residual = self.feed_forward(block, residual)
        self.position += 1
        vector, maximum = self.normed(residual, model.final_gains)
        unit = worth(relative(maximum, residual, model.epsilon, bits)) * worth(constant(model.logit))
        return dot(model.embedding, vector), worth(scalar(unit, bits))

    def normed(self, vector: list[int], gains) -> tuple[list[int], int]:
        products = [value * int(gain) for value, gain in zip(vector, gains.values, strict=True)]
        return quantised([upwards(Fraction(product, 1 << gains.shift)) for product in products], 127)

    def rotated(self, head: list[int]) -> list[int]:
        table, half = self.model.rotation, len(head) // 2
        found = [0] * len(head)
        for pair in range(half):
            cosine, sine = int(table.cosines[self.position, pair]), int(table.sines[self.position, pair])
            near, far = head[pair], head[pair + half]
            found[pair] = upwards(Fraction(near * cosine - far * sine, 1 << table.bits))
            found[pair + half] = upwards(Fraction(far * cosine + near * sine, 1 << table.bits))
        return found

    def attention(self, index: int, block: IntegerBlock, residual: list[int]) -> list[int]:
        shape, form, bits = self.model.shape, self.form, self.form.scale_bits
        vector, maximum = self.normed(residual, block.attention_gains)
        size = relative(maximum, residual, self.model.epsilon, bits)
        sums = dot(block.attention, vector)
        heads = [sums[start : start + shape.head] for start in range(0, len(sums), shape.head)]
        for group in range(shape.key_heads):
            key = self.rotated(heads[shape.heads + group])
            value = heads[shape.heads + shape.key_heads + group]
            for stored, row, digits in (
                (self.keys, key, form.key_digits),
                (self.values, value, form.value_digits),
            ):
                small, largest = quantised(row, (3**digits - 1) // 2)
                scale = scalar(worth(size) * largest, bits) if any(small) else (0, 0)
                stored[index][group].append((small, scale))
        contexts: list[int] = []
        through = scalar(worth(size) * worth(constant(block.score)), bits)
        for number in range(shape.heads):
            group = number // (shape.heads // shape.key_heads)
            contexts += self.head(index, group, self.rotated(heads[number]), through)
        vector, maximum = self.normed(contexts, block.context_gains)
        size = relative(maximum, contexts, 0, bits)
        return self.added(residual, dot(block.output, vector), size, constant(block.output_scale))

    def peak(self, index: int, group: int) -> int | None:
        return max((scale[1] for _, scale in self.values[index][group] if scale[0]), default=None)

    def head(self, index: int, group: int, query: list[int], through: Scalar) -> list[int]:
        form, bits = self.form, self.form.scale_bits
        peaks = [self.peak(index, other) for other in range(self.model.shape.key_heads)]
        peak, highest = peaks[group], max((each for each in peaks if each is not None), default=0)
        maximum = max(max(map(abs, query)), 1)
        limit, exponent = scalar(worth(scalar(worth(through) * maximum, bits)), 7)
        small, _ = quantised(query, limit)
        scores = []
        for key, (mantissa, shift) in self.keys[index][group]:
            product = sum(one * other for one, other in zip(small, key, strict=True)) * mantissa
            right = max(-(shift + exponent + form.table_bits), 0) if product else 0
            most = (1 << 10 + form.table_bits) - 1
            scores.append(max(-most, min(most, floor(Fraction(product, 1 << right)))))
        powers, weights = [], []
        for score, (_, (mantissa, shift)) in zip(scores, self.values[index][group], strict=True):
            whole, part = divmod(max(scores) - score, 1 << form.table_bits)
            entry = 32768 * Decimal(2) ** (-Decimal(part) / (1 << form.table_bits))
            powers.append(int(entry.to_integral_value()) >> whole)
            weights.append(powers[-1] * mantissa >> bits + peak - shift if mantissa and peak is not None else 0)
        sevens, _ = quantised(weights, 127)
        factor = divided(max(weights), sum(powers), bits)
        guard = 15 - ((254 * ((3**form.value_digits - 1) // 2) * 257) // 256 + 1).bit_length()
        found = []
        for element in range(len(query)):
            total = sum(
                weight * value[element] for weight, (value, _) in zip(sevens, self.values[index][group], strict=True)
            )
            behind = 0 if peak is None else peak - highest
            found.append(upwards(total * worth(factor) * Fraction(2) ** (behind + guard)))
        assert all(abs(value) < 1 << 15 for value in found)
        return found

    def feed_forward(self, block: IntegerBlock, residual: list[int]) -> list[int]:
        sums = dot(block.forward, self.normed(residual, block.forward_gains)[0])
        half = len(sums) // 2
        gate, _ = quantised([max(value, 0) for value in sums[:half]], 127)
        up, _ = quantised(sums[half:], 127)
        hidden = [upwards(Fraction(g * g * u, 64)) for g, u in zip(gate, up, strict=True)]
        vector, maximum = self.normed(hidden, block.hidden_gains)
        size = relative(maximum, hidden, 0, self.form.scale_bits)
        return self.added(residual, dot(block.down, vector), size, constant(block.down_scale))

    def added(self, residual: list[int], sums: list[int], size: Scalar, through: Scalar) -> list[int]:
        most = (1 << self.form.residual_bits - 1) - 1
        mantissa, exponent = scalar(worth(size) * worth(through), self.form.scale_bits)
        changes = [upwards(Fraction(value * mantissa, 1 << max(-exponent, 0))) for value in sums]
        return [max(-most, min(most, old + change)) for old, change in zip(residual, changes, strict=True)]


def constant(found) -> Scalar:
    return int(found.mantissa), int(found.exponent)


def dot(rows, vector: list[int]) -> list[int]:
    return [sum(int(weight) * value for weight, value in zip(row, vector, strict=True)) for row in rows]
