# amaranth: UnusedElaboratable=no
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from golden.language.feed_forward import HIDDEN_SHIFT
from golden.language.format import VECTOR_BITS, LanguageFormat, Shape
from golden.language.norm import Gains
from golden.language.rotary import Rotation
from golden.language.scalars import Scalars, rounded_shift
from golden.language.softmax import exponentials, weighted
from golden.language.softmax import power_table as golden_power_table
from rtl.transformer.config import LEAST_EXPONENT, DecoderConfig
from rtl.transformer.element_factors import ElementFactors
from rtl.transformer.element_lanes import ElementLanes
from rtl.transformer.element_pipeline import power_table
from rtl.transformer.kinds import Element
from rtl.transformer.steps import Steps
from rtl.transformer.vector_memory import VectorMemory
from tests.support.unit_bench import Batch, Played, Port, play

SHAPE = Shape(vocabulary=11, hidden=16, blocks=2, heads=2, key_heads=2, head=8, intermediate=20, context=9)
NORMS = (Element.NORM, Element.CONTEXT_NORM, Element.HIDDEN_NORM)


def packed(words: NDArray[np.int64], bits: int) -> list[int]:
    """Words of signed values as integers."""
    return [sum((int(value) & (1 << bits) - 1) << bits * place for place, value in enumerate(word)) for word in words]


class Expected(NamedTuple):
    """Of a step: the words that it writes, by address in the order of writing, its peak, and its sum if it counts."""

    writes: list[tuple[int, list[int]]]
    peak: int
    sum: int | None


class Memories:
    """What the unit reads, and what it makes of it by the golden model."""

    def __init__(self, config: DecoderConfig, seed: int):
        self.config, self.steps = config, Steps(config)
        self.random = random = np.random.default_rng(seed)
        shape, form, widths = config.shape, config.form, config.widths
        self.head_words = config.words(shape.head)
        self.contexts = (shape.heads + 2 * shape.key_heads) * self.head_words
        self.scores = self.contexts + shape.heads * self.head_words
        depths = (self.contexts, self.scores - self.contexts, 2 * config.score_words)
        bits = (widths.linear, VECTOR_BITS, widths.score)
        parts = [self._values(depth, bit) for depth, bit in zip(depths, bits, strict=True)]
        self.s = np.vstack([*parts, np.zeros((len(self.steps.result) - sum(depths), config.lanes), np.int64)])
        self.x = self._values(config.words(shape.hidden), form.residual_bits)
        hidden = config.words(shape.intermediate)
        self.gate, self.up = self._values(hidden, 8).clip(0), self._values(hidden, 8)
        self.gains = self._values(ElementFactors.gain_words(config), form.gain_bits + 1)
        self.rotation = Rotation.of(shape.context, shape.head, 100.0, form.rotation_bits)
        regions = (shape.blocks * shape.key_heads, config.score_words, config.lanes)
        exponents = random.integers(-40, 3, regions)
        mantissas = random.integers(1 << form.scale_bits - 1, 1 << form.scale_bits, regions)
        zero = random.random(regions) < 0.2
        self.scales = Scalars(np.where(zero, 0, mantissas), np.where(zero, LEAST_EXPONENT, exponents))
        self.gain = 0

    def _values(self, words: int, bits: int) -> NDArray[np.int64]:
        """Signed values without the least, and some extremes."""
        limit = (1 << bits - 1) - 1
        size = (words, self.config.lanes)
        kinds = self.random.integers(4, size=size)
        extremes = self.random.choice([-limit, 0, limit], size=size)
        return np.where(kinds == 0, extremes, self.random.integers(-limit, limit + 1, size))

    def unit(self) -> ElementLanes:
        """The unit with its two memories."""
        form, rotation = self.config.form, self.rotation
        angles = np.stack([rotation.cosines, rotation.sines], axis=-1).reshape(-1, 2)
        words = angles.reshape(-1, 2 * self.config.lanes)
        return ElementLanes(self.config, packed(self.gains, form.gain_bits + 1), packed(words, form.rotation_bits + 2))

    def ports(self, largest: dict[int, int]) -> list[Port]:
        """What answers the unit; the largest scores by their numbers."""
        late = VectorMemory.LATENCY

        def scale(place: dict[str, int]) -> list[dict[str, int]]:
            found = (place["region"] % len(self.scales.mantissa), place["word"] % self.config.score_words)
            pairs = zip(self.scales.mantissa[found], self.scales.exponent[found], strict=True)
            return [{"mantissa": int(mantissa), "exponent": int(exponent)} for mantissa, exponent in pairs]

        def read(memory: NDArray[np.int64]) -> Any:
            return lambda address: memory[address % len(memory)].tolist()

        return [
            Port("x_address", "x", late, read(self.x)),
            Port("s_address", "s", late, read(self.s)),
            Port("hidden_address", "gate", late, read(self.gate)),
            Port("hidden_address", "up", late, read(self.up)),
            Port("value_scales_address", "value_scales", late, scale),
            Port("scores_address", "largest", 1, lambda address: largest.get(address, 0)),
        ]

    def norm(self, step: dict[str, Any]) -> Expected:
        """A norm of any kind, of the next gains."""
        words, form = step["words"] + 1, self.config.form
        bits = form.residual_bits if step["element"] == Element.NORM else VECTOR_BITS
        if step["rewind"]:
            self.gain = 0
        vector = {
            Element.NORM: self.x[:words],
            Element.CONTEXT_NORM: self.s[step["source"] :][:words],
            Element.HIDDEN_NORM: rounded_shift(self.gate[:words] ** 2 * self.up[:words], HIDDEN_SHIFT),
        }[step["element"]]
        gains = self.gains[self.gain :][:words]
        self.gain += words
        found = rounded_shift(vector * gains, Gains.of(np.ones(1), bits, form).shift)
        start = self.config.epsilon if step["element"] == Element.NORM else 0
        return self._expected(step, found, int((vector**2).sum()) + start)

    def rotate(self, step: dict[str, Any], position: int) -> Expected:
        """A head's vector, turned."""
        near, far = (self.s[step["source"] + half : step["source"] + half + step["words"] + 1] for half in (0, 0))
        half = self.head_words // 2
        far = self.s[step["source"] + half :][:half]
        vector = np.concatenate([near, far]).reshape(1, -1)
        turned = self.rotation.rotated(vector, position).reshape(-1, self.config.lanes)
        order = [word + side for word in range(half) for side in (0, half)]
        writes = [(step["target"] + word, turned[word].tolist()) for word in order]
        return Expected(writes, int(np.abs(turned).max()), None)

    def powers(self, step: dict[str, Any], position: int, largest: dict[int, int], peak: int) -> Expected:
        """Softmax in front of the quantiser."""
        config = self.config
        words = (position // config.columns + 1) * config.columns // config.lanes
        counts = np.arange(words * config.lanes) <= position
        scores = self.s[step["source"] :][:words].reshape(-1)
        largest[step["scores"]] = int(scores[counts].max())
        powers = exponentials(scores, counts, config.form.table_bits)
        scales = Scalars(*(part[step["region"], :words].reshape(-1) for part in self.scales))
        right = np.clip(config.form.scale_bits + peak - scales.exponent, 0, 62)
        found = (powers * scales.mantissa >> right).reshape(words, -1)
        grouped, peaks = powers[None, None, None], np.full((1, 1), peak)
        golden = weighted(grouped, Scalars(*(part[None] for part in scales)), peaks, config.form.scale_bits)
        expected = self._expected(step, found, int(golden.total.item()))
        assert expected.peak == golden.maximum.item() or golden.maximum.item() == 1
        return expected

    def _expected(self, step: dict[str, Any], found: NDArray[np.int64], total: int) -> Expected:
        writes = [(step["target"] + word, values.tolist()) for word, values in enumerate(found)]
        return Expected(writes, int(np.abs(found).max()), total)

    def batch(self, unit: ElementLanes) -> tuple[Batch, list[Expected]]:
        """Some steps at a random position, each with a number of its own, and what comes of them."""
        config, random = self.config, self.random
        shape, position = config.shape, int(random.integers(config.shape.context))
        chunk, block = position // config.columns, int(random.integers(shape.blocks))
        heads = range(block * shape.key_heads, (block + 1) * shape.key_heads)
        peaks = [int(self.scales.exponent[head].reshape(-1)[: position + 1].max()) for head in heads]
        steps, expected, largest = [], [], {}
        for number in random.permutation(len(self.steps.peak))[: random.integers(2, 7)].tolist():
            step = self._step(number, heads[0])
            steps.append((step, unit.timing(unit.config, step, chunk)))
            if step["element"] in NORMS:
                expected.append(self.norm(step))
            elif step["element"] == Element.ROTATE:
                expected.append(self.rotate(step, position))
            else:
                expected.append(self.powers(step, position, largest, peaks[step["head"]]))
        reads = [{"peak_address": [step["peak"]] * 2, "sum_address": step["peak"]} for step, _ in reversed(steps)]
        inputs = {"place.position": position, "place.chunk": chunk, "exponent_peaks": peaks}
        return Batch(steps, inputs, self.ports(largest), reads), expected

    def _step(self, number: int, region: int) -> dict[str, Any]:
        config, random, shape = self.config, self.random, self.config.shape
        element = Element(int(random.integers(len(Element))))
        fields: dict[str, Any] = {"element": element, "peak": number, "rewind": 0, "source": 0, "scores": 0}
        fields |= {"words": 0, "region": 0, "head": 0}
        fields["target"] = int(random.integers(len(self.steps.result) - max(config.score_words, 16)))
        if element in NORMS:
            length = shape.intermediate if element == Element.HIDDEN_NORM else shape.hidden
            fields["words"] = int(random.integers(config.words(length)))
            fields["rewind"] = int(random.random() < 0.2 or self.gain + fields["words"] + 1 > len(self.gains))
            fields["source"] = self.contexts if element == Element.CONTEXT_NORM else 0
        elif element == Element.ROTATE:
            fields["words"] = self.head_words // 2 - 1
            fields["source"] = int(random.integers(self.contexts // self.head_words)) * self.head_words
        else:
            parity, head = random.integers(2), int(random.integers(shape.key_heads))
            fields["source"] = self.scores + int(parity) * config.score_words
            fields |= {"scores": int(parity), "head": head, "region": region + head}
        return fields


def check(played: Played, batch: Batch, expected: list[Expected], delay: int) -> None:
    """Writes in their cycles, peaks and sums behind them."""
    writes = {}
    for cycle, accepted in zip(expected, played.accepted, strict=True):
        writes |= {accepted + 1 + delay + at: write for at, write in enumerate(cycle.writes)}
    for cycle, seen in enumerate(played.cycles):
        assert seen["y_write.valid"] == (cycle in writes), f"cycle {cycle} of {batch}"
        if cycle in writes:
            payload = seen["y_write.payload"]
            assert (payload["address"], payload["data"]) == writes[cycle]
    for answer, step in zip(played.answers, reversed(expected), strict=True):
        assert answer["peak"] == [step.peak] * 2
        assert step.sum is None or answer["sum"] == step.sum


FORMS = [
    LanguageFormat(),
    LanguageFormat(scale_bits=8, gain_bits=6, fraction_bits=2, quantiser_bits=16, table_bits=5, key_digits=2),
    LanguageFormat(residual_bits=20, gain_bits=12, scale_bits=16, rotation_bits=14, table_bits=8, quantiser_bits=24),
]


@pytest.mark.parametrize(("lanes", "form"), [(1, 1), (2, 0), (4, 0), (4, 2)])
@settings(max_examples=2)
@given(seed=st.integers(0, 2**16))
def test_steps_of_all_kinds_are_golden_and_take_the_declared_cycles(lanes: int, form: int, seed: int) -> None:
    config = DecoderConfig(SHAPE, FORMS[form], 8, 4 if form == 0 else 12, lanes, epsilon=seed * 5)
    memories = Memories(config, seed)
    unit = memories.unit()
    batches = [memories.batch(unit) for _ in range(20)]
    watched = ("y_write.valid", "y_write.payload", "peak", "sum")
    all_played = play(unit, [batch for batch, _ in batches], watched, Random(seed))
    for played, (batch, expected) in zip(all_played, batches, strict=True):
        check(played, batch, expected, VectorMemory.LATENCY + 5)


@pytest.mark.parametrize("bits", range(4, 9))
def test_the_table_of_powers_is_golden(bits: int) -> None:
    assert power_table(bits) == golden_power_table(bits).tolist()
