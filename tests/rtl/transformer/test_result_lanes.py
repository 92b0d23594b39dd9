# amaranth: UnusedElaboratable=no
from collections import deque
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from golden.language.format import VECTOR_BITS, LanguageFormat, Shape, levels
from golden.language.residual import added
from golden.language.sampler import at_sampler
from golden.language.scalars import Scalars, scaled
from golden.language.scores import scores
from rtl.transformer.config import LEAST_EXPONENT, DecoderConfig
from rtl.transformer.kinds import Result
from rtl.transformer.result_lanes import ResultLanes
from rtl.transformer.scale_memory import ScaleMemory
from rtl.transformer.steps import Steps
from rtl.transformer.vector_memory import VectorMemory
from sim.pysim import Driver, trace

Random = np.random.Generator


class Step(NamedTuple):
    """A step of the array, its sums, what shall be written of it, and its peak."""

    fields: dict[str, int]
    sums: NDArray[np.int64]
    port: str
    data: NDArray[np.int64]
    peak: int | None


class Run(NamedTuple):
    """Steps of one token, and what they read."""

    config: DecoderConfig
    position: int
    greedy: bool
    registers: Scalars
    key_scales: Scalars
    """Shape (regions, tokens)."""
    residual: NDArray[np.int64]
    steps: list[Step]
    saturated: int


@st.composite
def runs(draw: st.DrawFn) -> Run:
    lanes = draw(st.sampled_from([1, 2, 4]))
    key_heads = draw(st.integers(1, 2))
    shape = Shape(11, hidden=16, blocks=2, heads=2, key_heads=key_heads, head=8, intermediate=20, context=9)
    digits = [draw(st.integers(1, 5)) for _ in range(3)]
    bits = {
        "scale_bits": draw(st.integers(8, 16)),
        "residual_bits": draw(st.integers(12, 24)),
        "table_bits": draw(st.integers(4, 8)),
    }
    form = LanguageFormat(*digits, **bits, fraction_bits=2)
    config = DecoderConfig(shape, form, rows=4 * draw(st.integers(1, 3)), columns=4, lanes=lanes)
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    position = int(random.integers(shape.context))
    names = draw(st.lists(st.sampled_from(Result), min_size=4, max_size=30))
    return made(config, position, bool(random.integers(2)), names, random)


def scalars(random: Random, size: int | tuple[int, int], low: int, high: int, bits: int) -> Scalars:
    """Some are 0."""
    zero = random.random(size) < 0.1
    exponents = np.where(zero, LEAST_EXPONENT, random.integers(low, high, size))
    return Scalars(np.where(zero, 0, random.integers(1 << bits - 1, 1 << bits, size)), exponents)


def made(config: DecoderConfig, position: int, greedy: bool, names: list[Result], random: Random) -> Run:
    layouts, form, shape, lanes = Steps(config), config.form, config.shape, config.lanes
    registers = scalars(random, len(layouts.register), -40, 6, form.scale_bits)
    region_sizes = len(layouts.region), config.score_words * lanes
    key_scales = scalars(random, region_sizes, -30, 2, form.scale_bits)
    limit = (1 << form.residual_bits - 1) - 1
    residual = random.integers(-limit, limit + 1, shape.hidden)
    run = Run(config, position, greedy, registers, key_scales, residual, [], 0)
    now, saturated = residual.copy(), 0
    for result in names:
        register, region = (int(random.integers(len(count))) for count in (layouts.register, layouts.region))
        fields = {"register": register, "region": region, "result": result, "rectify": int(random.integers(2))}
        fields["peak"] = int(random.integers(len(layouts.peak)))
        scalar = Scalars(*(part[register : register + 1] for part in registers))
        words = 1 + int(random.integers(min(4, shape.hidden // lanes)))
        if result == Result.SCORE:
            words = config.words(position + 1)
        depth = len(layouts.result) if result != Result.RESIDUAL else shape.hidden // lanes
        fields["target"] = int(random.integers(depth - words + 1))
        count, peak, port = words * lanes, None, "s_write"
        if result == Result.RAW:
            sums = drawn(random, config.widths.linear, count)
            data = np.maximum(sums, 0) if fields["rectify"] else sums
            peak = int(np.abs(data).max())
        elif result == Result.SCORE:
            query = random.integers(-127, 128, shape.head).astype(np.int8)
            most = levels(form.key_digits)
            keys = random.integers(-most, most + 1, (count, shape.head)).astype(np.int8)
            sums = keys.astype(np.int64) @ query
            scales = Scalars(*(part[region, :count] for part in key_scales))
            data = scores(query[None, None], scalar.exponent[:, None], keys, scales, form)[0, 0]
            peak = int(data[: position + 1].max())
        elif result == Result.CONTEXT:
            bound = (1 << VECTOR_BITS - 1) - 1
            sums = drawn(random, config.widths.context_sum, count)
            # A factor never leads beyond its bits.
            while np.abs(data := scaled(sums, scalar)).max() > bound:
                sums = sums >> 1
        elif result == Result.RESIDUAL:
            sums, port = drawn(random, config.widths.added, count), "x_write"
            places = slice(fields["target"] * lanes, fields["target"] * lanes + count)
            data, cut = added(now[places], sums, scalar, form.residual_bits)
            now[places] = data
            saturated += cut
        else:
            sums, port = drawn(random, config.widths.logit_sum, count), "logits"
            data = sums if greedy else at_sampler(sums, scalar)
        run.steps.append(Step(fields, sums, port, data, peak))
    return run._replace(saturated=saturated)


def drawn(random: Random, bits: int, count: int) -> NDArray[np.int64]:
    limit = (1 << bits - 1) - 1
    return random.integers(-limit, limit + 1, count) >> random.integers(0, bits, count)


class Played(NamedTuple):
    """What was written, by port, and what else was seen."""

    writes: dict[str, list[tuple[int, Any]]]
    finished: list[int]
    peaks: list[int]
    saturated: int


def schedule(run: Run, random: Random) -> list[tuple[Step, int] | None]:
    """Words by cycles; a step of the residual comes when the one before has been written."""
    cycles: list[tuple[Step, int] | None] = []
    for step in run.steps:
        if step.fields["result"] == Result.RESIDUAL:
            cycles += [None] * ResultLanes.LATENCY
        for word in range(len(step.sums) // run.config.lanes):
            cycles += [None] * int(random.integers(3) // 2)
            cycles.append((step, word))
    return cycles


def play(run: Run, cycles: list[tuple[Step, int] | None]) -> Played:
    config, lanes = run.config, run.config.lanes
    residual = run.residual.reshape(-1, lanes).copy()
    peaks, rest = [], ResultLanes.finish_latency(config) + 4
    finishing = iter(run.steps)

    def driver() -> Driver:
        behind = deque([residual[0].tolist()] * (VectorMemory.LATENCY - 1))
        scales = deque([[{"mantissa": 0, "exponent": 0}] * lanes] * (ScaleMemory.LATENCY - 1))
        inputs: dict[str, Any] = {"place": {"position": run.position}, "greedy": run.greedy}
        reading: deque[bool] = deque([False, False])
        for coming in [*cycles, *[None] * rest]:
            inputs["sums.valid"] = coming is not None
            if coming:
                step, word = coming
                data = step.sums.reshape(-1, lanes)
                last = word == len(data) - 1
                inputs["sums.payload"] = {
                    "data": data[word].tolist(),
                    "index": word,
                    "last": last,
                    "step": step.fields,
                }
            seen = yield inputs
            if reading.popleft():
                peaks.append(seen["peak"][1])
            reading.append(bool(seen["finished"]))
            inputs = {"register": one(run.registers, seen["register_address"])}
            if seen["finished"]:
                inputs["peak_address"] = [0, next(finishing).fields["peak"]]
            behind.append(residual[seen["x_address"]].tolist())
            inputs["x"] = behind.popleft()
            place = seen["key_scales_address"]
            region = min(place["region"], len(run.key_scales.mantissa) - 1)
            tokens = range(place["word"] * lanes, (place["word"] + 1) * lanes)
            in_range = tokens.stop <= run.key_scales.mantissa.shape[1]
            scales.append([one(run.key_scales, (region, token if in_range else 0)) for token in tokens])
            inputs["key_scales"] = scales.popleft()
            if seen["x_write.valid"]:
                written = seen["x_write.payload"]
                residual[written["address"]] = written["data"]

    ports = ["s_write", "x_write", "logits"]
    watched = [f"{port}.{member}" for port in ports for member in ("valid", "payload")]
    watched += ["finished", "peak", "saturated", "register_address", "x_address", "key_scales_address"]
    seen = trace(ResultLanes(config, readers=2), driver(), *watched)
    writes = {
        port: [(cycle, now[f"{port}.payload"]) for cycle, now in enumerate(seen) if now[f"{port}.valid"]]
        for port in ports
    }
    finished = [cycle for cycle, now in enumerate(seen) if now["finished"]]
    return Played(writes, finished, peaks, seen[-1]["saturated"])


def one(values: Scalars, index: Any) -> dict[str, int]:
    return {"mantissa": int(values.mantissa[index]), "exponent": int(values.exponent[index])}


def check(run: Run, random: Random) -> None:
    cycles = schedule(run, random)
    played = play(run, cycles)
    writes: dict[str, list[tuple[int, Any]]] = {"s_write": [], "x_write": [], "logits": []}
    finished = []
    for cycle, coming in enumerate(cycles):
        if coming is None:
            continue
        step, word = coming
        data = step.data.reshape(-1, run.config.lanes)
        last = word == len(data) - 1
        where = {"last": last} if step.port == "logits" else {"address": step.fields["target"] + word}
        writes[step.port].append((cycle + ResultLanes.LATENCY, {"data": data[word].tolist()} | where))
        if last:
            finished.append(cycle + ResultLanes.finish_latency(run.config))
    assert played.writes == writes
    assert played.finished == finished
    assert len(played.peaks) == len(run.steps)
    expected = [step.peak for step in run.steps]
    found = [peak if step.peak is not None else None for step, peak in zip(run.steps, played.peaks, strict=True)]
    assert found == expected
    assert played.saturated == run.saturated


@settings(max_examples=15)
@given(run=runs(), seed=st.integers(0, 2**16))
def test_each_word_of_sums_becomes_what_its_step_says_in_the_stated_cycles(run: Run, seed: int) -> None:
    check(run, np.random.default_rng(seed))


@pytest.mark.parametrize("greedy", [False, True])
def test_every_kind_of_step_saturates_and_rounds_as_the_model_does(greedy: bool) -> None:
    shape = Shape(11, hidden=16, blocks=1, heads=2, key_heads=1, head=8, intermediate=20, context=9)
    config = DecoderConfig(shape, LanguageFormat(), rows=4, columns=4, lanes=2)
    random = np.random.default_rng(11)
    run = made(config, 6, greedy, list(Result) * 40, random)
    assert run.saturated
    check(run, random)


def test_the_smallest_decoder_takes_sums_that_are_narrower_than_what_is_written() -> None:
    shape = Shape(2, hidden=2, blocks=1, heads=1, key_heads=1, head=2, intermediate=1, context=1)
    form = LanguageFormat(1, 1, 1, residual_bits=24, scale_bits=8)
    random = np.random.default_rng(5)
    check(made(DecoderConfig(shape, form, rows=1, columns=1, lanes=1), 0, False, list(Result) * 10, random), random)
