# amaranth: UnusedElaboratable=no
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from golden.language.format import LanguageFormat, Shape, levels
from golden.language.quantiser import quantise
from rtl.transformer.config import DecoderConfig
from rtl.transformer.kinds import Limit, Target
from rtl.transformer.peak_memory import PeakMemory
from rtl.transformer.quantiser_lanes import QuantiserLanes
from rtl.transformer.steps import Steps
from rtl.transformer.vector_memory import VectorMemory
from tests.support.unit_bench import Batch, Played, Port, play

SHAPE = Shape(vocabulary=11, hidden=16, blocks=2, heads=2, key_heads=2, head=8, intermediate=20, context=9)
OUTPUTS = ("activations", "keys", "values", "gate", "up")
"""By target."""


class Word(NamedTuple):
    """A word that goes out: how many cycles behind the step's acceptance, where, and what."""

    cycle: int
    port: str
    payload: dict[str, Any]


class Memories:
    """Both memories, with values of all sizes, and what the unit makes of them by the golden model."""

    def __init__(self, config: DecoderConfig, seed: int):
        self.config, self.steps = config, Steps(config)
        self.random = np.random.default_rng(seed)
        self.latency = VectorMemory.LATENCY + 1 + 6
        size = (len(self.steps.result), config.lanes)
        bits = (min(config.vector, config.widths.linear), config.vector)
        self.s, self.y = (self._values(bit, size) for bit in bits)

    def _values(self, bits: int, size: tuple[int, int]) -> NDArray[np.int64]:
        """Sizes change every few words, so that vectors are small and large."""
        limits = (1 << self.random.integers(0, bits, size[0] // 8 + 1).repeat(8)[: size[0], None]) - 1
        extreme = self.random.random(size) < 0.1
        return np.where(extreme, limits, self.random.integers(-limits, limits + 1, size))

    def batch(self, unit: QuantiserLanes) -> tuple[Batch, list[list[Word]]]:
        """Some steps at a random position, and the words that come of each."""
        config, random = self.config, self.random
        chunk = int(random.integers(config.chunks(config.shape.context)))
        steps, expected, peaks, registers = [], [], {}, {}
        for number in range(random.integers(1, 7)):
            step = self._step(number, chunk)
            words = step["words"] + 1 if not step["by_chunks"] else (chunk + 1) * config.columns // config.lanes
            memory = self.s if step["results"] else self.y
            vector = memory[step["source"] :][:words]
            limits = {Limit.ACTIVATION: 127, Limit.KEY: levels(config.form.key_digits)}
            limits |= {Limit.VALUE: levels(config.form.value_digits), Limit.QUERY: int(random.integers(64, 128))}
            if step["limit"] == Limit.QUERY and random.random() < 0.2:
                limits[Limit.QUERY] = 0
            peaks[number, step["results"]], registers[number] = int(np.abs(vector).max()), limits[Limit.QUERY]
            found = quantise(vector.reshape(-1), limits[step["limit"]])[0].reshape(words, -1)
            steps.append((step, unit.timing(unit.config, step, chunk)))
            expected.append(self._words(step, found))
        return Batch(steps, {"place.chunk": chunk}, self._ports(peaks, registers)), expected

    def _step(self, number: int, chunk: int) -> dict[str, Any]:
        config, random, shape = self.config, self.random, self.config.shape
        target, results = Target(int(random.integers(len(Target)))), int(random.integers(2))
        limit = {Target.KEYS: Limit.KEY, Target.VALUES: Limit.VALUE}.get(target, Limit.ACTIVATION)
        if target == Target.ACTIVATIONS and random.random() < 0.5:
            limit = Limit.QUERY
        by_chunks = int(target == Target.ACTIVATIONS and random.random() < 0.5)
        lengths = {Target.KEYS: shape.head, Target.VALUES: shape.head}
        lengths[Target.ACTIVATIONS] = shape.head if limit == Limit.QUERY else shape.hidden
        words = config.words(lengths.get(target, shape.intermediate))
        return {
            "results": results,
            "words": words - 1,
            "by_chunks": by_chunks,
            "source": int(random.integers(len(self.steps.result) - max(config.score_words, words))),
            "peak": number,
            "limit": limit,
            "register": number,
            "target": target,
            "address": int(random.integers(4)) if target == Target.ACTIVATIONS else 0,
            "region": int(random.integers(len(self.steps.region))),
        }

    def _ports(self, peaks: dict[tuple[int, int], int], registers: dict[int, int]) -> list[Port]:
        late, shape = VectorMemory.LATENCY, self.s.shape[0]

        def register(number: int) -> dict[str, int]:
            return {"mantissa": registers.get(number, 0), "exponent": 5}

        return [
            Port("address", "s", late, lambda address: self.s[address % shape].tolist()),
            Port("address", "y", late, lambda address: self.y[address % shape].tolist()),
            Port("peak_address", "s_peak", PeakMemory.LATENCY, lambda number: peaks.get((number, 1), 3)),
            Port("peak_address", "y_peak", PeakMemory.LATENCY, lambda number: peaks.get((number, 0), 5)),
            Port("register_address", "register", 1, register),
        ]

    def _words(self, step: dict[str, Any], found: NDArray[np.int8]) -> list[Word]:
        groups, form, target = self.config.columns // self.config.lanes, self.config.form, step["target"]
        pace = {Target.KEYS: form.key_digits, Target.VALUES: form.value_digits}.get(target, 1)
        words = []
        for index, values in enumerate(found):
            place: dict[str, Any] = {"address": index}
            if target == Target.ACTIVATIONS:
                place = {"chunk": step["address"] + index // groups, "group": index % groups}
            elif target in (Target.KEYS, Target.VALUES):
                place = {"word": index, "region": step["region"]}
            words.append(Word(1 + index * pace + self.latency, OUTPUTS[target], {"data": values.tolist(), **place}))
        return words


def check(played: Played, expected: list[list[Word]]) -> None:
    """Every word in its cycle, and no other."""
    coming = {
        (accepted + word.cycle, word.port): word.payload
        for words, accepted in zip(expected, played.accepted, strict=True)
        for word in words
    }
    for cycle, seen in enumerate(played.cycles):
        for port in OUTPUTS:
            assert seen[f"{port}.valid"] == ((cycle, port) in coming), f"{port} in cycle {cycle}"
            if (cycle, port) in coming:
                assert seen[f"{port}.payload"] == coming[cycle, port]


@pytest.mark.parametrize(("lanes", "columns", "digits"), [(1, 4, (2, 5)), (2, 12, (3, 3)), (4, 8, (1, 4))])
@settings(max_examples=2)
@given(seed=st.integers(0, 2**16))
def test_vectors_are_quantised_as_golden_in_the_declared_cycles(
    lanes: int, columns: int, digits: tuple[int, int], seed: int
) -> None:
    form = LanguageFormat(key_digits=digits[0], value_digits=digits[1], scale_bits=8 + seed % 5)
    config = DecoderConfig(SHAPE, form, 8, columns, lanes)
    memories, unit = Memories(config, seed), QuantiserLanes(config)
    batches = [memories.batch(unit) for _ in range(20)]
    watched = [f"{port}.{part}" for port in OUTPUTS for part in ("valid", "payload")]
    for played, (_, expected) in zip(
        play(unit, [batch for batch, _ in batches], watched, Random(seed)), batches, strict=True
    ):
        check(played, expected)
