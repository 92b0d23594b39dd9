"""Vectors for quantisers, their way through one, and what the model makes of them."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from golden.activations import activations_integer, ranges
from golden.formats import STATIC
from golden.quantise import quantise_activations
from rtl.quantiser.config import QuantizerConfig
from rtl.quantiser.quantiser import Quantizer
from sim.pysim import Bench, Driver, Pauses, Transfer, never


class Vector(NamedTuple):
    """Words of a vector; of each group the index behind its last word, and whether it becomes int8."""

    words: list[list[int]]
    ends: tuple[int, ...]
    wide: tuple[bool, ...]


class Run(NamedTuple):
    """Transfers in and out; the factors, and when each word out was first offered."""

    taken: list[Transfer]
    left: list[Transfer]
    factors: list[Transfer]
    offered: list[int]


def whole(*words: list[int], wide: bool = True) -> Vector:
    """A vector that is one group."""
    return Vector(list(words), (len(words),), (wide,))


def words_of(config: QuantizerConfig, vectors: list[Vector], channel: int = 0) -> list[dict[str, Any]]:
    """Vectors of one channel on their way in, word by word."""
    words = []
    for vector in vectors:
        for index, word in enumerate(vector.words):
            words.append({"channel": channel, "data": word, "last": index == len(vector.words) - 1})
            if config.grouped:
                group = sum(end <= index for end in vector.ends)
                words[-1] |= {"group_last": index + 1 in vector.ends}
                words[-1] |= {"wide": vector.wide[group]} if config.int4 else {}
    return words


def quantised(
    config: QuantizerConfig, words: list[dict[str, Any]], offering: Pauses = never, taking: Pauses = never
) -> Run:
    """Send words and take as many."""
    quantizer = Quantizer(config)
    bench = Bench(quantizer, limit=3000)
    taken, left = bench.send(quantizer.i, words, offering), bench.collect(quantizer.o, len(words), taking)

    def watch() -> Driver:
        while len(left) < len(words):
            yield {}

    seen = bench.play(watch(), "o.valid", "o.ready", *(("factor",) if config.grouped else ()))
    bench.run()
    factors = [
        Transfer(cycle, {name: value for name, value in now["factor"].items() if name != "valid"})
        for cycle, now in enumerate(seen)
        if config.grouped and now["factor"]["valid"]
    ]
    before = [{"o.valid": 0, "o.ready": 0}, *seen]
    return Run(
        taken,
        left,
        factors,
        [
            cycle
            for cycle, (then, now) in enumerate(pairwise(before))
            if now["o.valid"] and (then["o.ready"] or not then["o.valid"])
        ],
    )


def model(rule: str, vector: Vector) -> tuple[list[list[int]], list[int]]:
    """The words of a vector and the factors of its groups; `STATIC`: a binary network's input, whose low bits count."""
    words = np.array(vector.words)
    if rule == STATIC:
        return words.astype(np.int8).tolist(), []
    flat, lanes = words.reshape(1, -1), words.shape[1]
    ends = tuple(end * lanes for end in vector.ends)
    if rule == "int4-groups" and vector.wide != (*[False] * (len(ends) - 1), True):
        # An int8 group of one zero at the end is worth nothing, and every other group becomes int4.
        values, factors, _ = activations_integer(np.pad(flat, ((0, 0), (0, 1))), rule, (*ends, flat.size + 1))
        values, factors = values[:, :-1], factors[:, :-1]
        for (start, end), wide in zip(ranges(ends), vector.wide, strict=True):
            if wide:
                values[:, start:end] = quantise_activations(flat[:, start:end])[0]
    else:
        values, factors, _ = activations_integer(flat, rule, ends)
    return [list(map(int, word)) for word in values.reshape(words.shape)], list(map(int, factors[0]))


def golden(config: QuantizerConfig, vectors: list[Vector], channel: int = 0) -> list[dict[str, object]]:
    """The words that come out of the model."""
    expected = []
    for vector in vectors:
        given = config.rule == "binary" and channel == len(config.depths) - 1
        words, _ = model(STATIC if given else config.rule, vector)
        last = len(words) - 1
        expected += [{"data": word, "last": index == last, "channel": channel} for index, word in enumerate(words)]
    return expected


def random_vectors(config: QuantizerConfig, lengths: list[int], seed: int) -> list[Vector]:
    """Vectors of that many words; groups of small and of large values."""
    random = np.random.default_rng(seed)
    largest = (1 << config.width - 1) - 1
    vectors = []
    for length in lengths:
        cuts = random.choice(length - 1, random.integers(min(config.groups, length)), replace=False) + 1
        ends = (*sorted(cuts.tolist()), length)
        limits = [int(random.choice([0, 1, 2, min(5, largest), largest >> config.width // 2, largest])) for _ in ends]
        words = [
            random.integers(-limit, limit, (end - start, config.lanes), endpoint=True).clip(-largest, largest)
            for (start, end), limit in zip(ranges(ends), limits, strict=True)
        ]
        likely = [False] * (len(ends) - 1) + [True]
        wide = likely if random.random() < 0.5 else (random.random(len(ends)) < 0.5).tolist()
        vectors.append(Vector(np.concatenate(words).tolist(), ends, tuple(wide)))
    return vectors


def check_factors(run: Run, config: QuantizerConfig, vectors: list[list[Vector]]) -> None:
    """Every group's factor comes once, in the order in which they leave, after its vector and before its words."""
    entered = [[word.cycle for word in run.taken if word.payload["channel"] == c] for c in range(len(config.depths))]
    waiting = [list(of_channel) for of_channel in vectors]
    factors, place = list(run.factors), 0
    while place < len(run.left):
        channel = run.left[place].payload["channel"]
        vector = waiting[channel].pop(0)
        for group, value in enumerate(model(config.rule, vector)[1]):
            factor = factors.pop(0)
            assert factor.payload == {"channel": channel, "group": group, "value": value}
            assert entered[channel][len(vector.words) - 1] + config.handover_latency + 2 <= factor.cycle
            assert factor.cycle <= run.offered[place + (0, *vector.ends)[group]] - config.division_latency + 1
        place += len(vector.words)
        del entered[channel][: len(vector.words)]
    assert not factors
