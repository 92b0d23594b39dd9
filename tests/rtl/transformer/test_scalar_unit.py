# amaranth: UnusedElaboratable=no
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.language.context import guard_bits
from golden.language.format import QUERY_BITS, LanguageFormat, Shape
from golden.language.scalars import Scalars, leading, over_root, quotient
from rtl.transformer.config import LEAST_EXPONENT, DecoderConfig
from rtl.transformer.kinds import Operation
from rtl.transformer.scalar_memories import ScalarMemories
from rtl.transformer.scalar_unit import ScalarUnit
from sim.pysim import Driver, trace

Scalar = dict[str, int]
ZERO = {"mantissa": 0, "exponent": LEAST_EXPONENT}


def plain(scalar: Scalars) -> Scalar:
    """As the hardware has it."""
    mantissa = int(scalar.mantissa)
    return {"mantissa": mantissa, "exponent": int(scalar.exponent)} if mantissa else ZERO


def scalars(scalar: Scalar) -> Scalars:
    return Scalars(np.array(scalar["mantissa"]), np.array(scalar["exponent"]))


@dataclass
class Model:
    """What golden makes of the same steps; registers, peaks and sums begin with what a test says."""

    config: DecoderConfig
    constants: list[Scalar]
    peaks: dict[tuple[bool, int], int]
    sums: dict[int, int]
    block: list[int]
    registers: dict[int, Scalar] = field(default_factory=dict)
    exponents: dict[int, int] = field(default_factory=dict)
    pointer: int = 0

    def result(self, step: dict[str, Any], position: int, temperature: Scalar) -> Scalar:
        """The scalar that a step gives, after which registers, constants and exponents are as it leaves them."""
        bits, operation = self.config.form.scale_bits, step["operation"]
        peak = np.array(self.peaks[step["results"], step["peak"]])
        least_one = np.maximum(peak, 1)
        operand = scalars(self.registers.get(step["register"], ZERO))
        if step["rewind"]:
            self.pointer = 0
        match operation:
            case Operation.ROOT:
                found = over_root(least_one, np.array(self.sums[step["peak"]]), bits)
            case Operation.CONSTANT:
                found = operand.times(scalars(self.constants[self.pointer]), bits)
                self.pointer += 1
            case Operation.QUERY:
                worth = operand.times_integers(least_one, bits)
                found = leading(worth.mantissa, QUERY_BITS, worth.exponent)
            case Operation.KEY_SCALE | Operation.VALUE_SCALE:
                found = operand.times_integers(peak, bits)
            case Operation.FACTOR:
                found = quotient(peak, np.array(self.sums[step["peak"]]), bits)
                behind = self.block[step["head"]] - max(self.block)
                found = Scalars(found.mantissa, found.exponent + behind + guard_bits(self.config.form.value_digits))
            case _:
                found = operand.times(scalars(temperature), bits)
        scalar = plain(found)
        if operation == Operation.VALUE_SCALE:
            before = [self.exponents[step["region"]]] if position else []
            self.exponents[step["region"]] = max([scalar["exponent"], *before])
            self.block[step["head"]] = self.exponents[step["region"]]
        elif operation != Operation.KEY_SCALE:
            self.registers[step["target"]] = scalar
        return scalar


@dataclass
class Run:
    """Steps on the unit, each held to the model as soon as it is done."""

    model: Model
    steps: list[tuple[dict[str, Any], int, Scalar, int]]
    """Step, position, temperature, cycles of rest in front."""

    def driver(self) -> Driver:
        config, model = self.model.config, self.model
        reads: dict[str, int] = {"element_peak": 0, "sum": 0, "result_peak": 0}
        check: dict[str, Any] = {}

        def cycle(inputs: dict[str, Any]) -> Generator[dict[str, Any], dict[str, Any], dict[str, Any]]:
            nonlocal check
            seen = yield {**reads, **inputs}
            index = seen["peak_address"]
            reads.update(
                element_peak=model.peaks.get((False, index), 0),
                result_peak=model.peaks.get((True, index), 0),
                sum=model.sums.get(index, 0),
            )
            assert {name: seen[name] for name in check} == check
            check = {}
            return seen

        for step, position, temperature, rest in self.steps:
            idle = {"step.valid": 0, "place.position": position, "temperature": temperature}
            for _ in range(rest):
                yield from cycle(idle)
            seen = yield from cycle({**idle, "step.valid": 1, "step.payload": step})
            assert seen["step.ready"]
            before = model.block[:]
            scalar = model.result(step, position, temperature)
            timing = ScalarUnit.timing(config, step["operation"])
            assert timing.walk == timing.done
            scales: dict[str, list[Any]] = {"key_scale": [], "value_scale": []}
            for after in range(1, timing.done):
                # The step's fields may change once it is taken.
                junk = {"operation": after % 7, "register": 1, "peak": after % 3, "target": 2, "rewind": 1}
                seen = yield from cycle({"step.valid": after % 2, "step.payload": junk})
                assert (seen["busy"], seen["step.ready"]) == (1, 0), (after, step)
                for name, found in scales.items():
                    if seen[f"{name}.valid"]:
                        found.append(seen[f"{name}.payload"])
                assert seen["exponent_peaks"] == before
            wrote = step["operation"].name.lower()
            kept = [{"region": step["region"], "scalar": scalar}]
            assert scales == {name: kept if name == wrote else [] for name in scales}
            if wrote in scales:
                check = {"busy": 0, "exponent_peaks": model.block[:]}
            else:
                limit = scalar["mantissa"] % (1 << QUERY_BITS)
                target = {"register_address": step["target"], "limit_address": step["target"]}
                check = {"busy": 0}
                yield from cycle({"step.valid": 0, **target})
                check = {"register": scalar, "limit": limit}
        yield from cycle({"step.valid": 0})

    def run(self) -> None:
        watched = ["step.ready", "busy", "peak_address", "register", "limit", "exponent_peaks"]
        watched += [f"{name}.{part}" for name in ("key_scale", "value_scale") for part in ("valid", "payload")]
        words = [
            constant["mantissa"] | (constant["exponent"] % 512) << self.model.config.form.scale_bits
            for constant in self.model.constants
        ]
        trace(ScalarUnit(self.model.config, words), self.driver(), *watched)


@st.composite
def configs(draw: st.DrawFn) -> DecoderConfig:
    key_heads = draw(st.sampled_from((1, 2)))
    shape = Shape(11, 16, draw(st.integers(1, 2)), 2, key_heads, 8, 20, draw(st.sampled_from((9, 200))))
    form = LanguageFormat(
        value_digits=draw(st.integers(1, 5)),
        residual_bits=draw(st.sampled_from((16, 13, 24))),
        scale_bits=draw(st.integers(8, 16)),
        quantiser_bits=draw(st.integers(14, 24)),
    )
    pace = draw(st.sampled_from((1, 2))) if form.scale_bits % 2 == 0 else 1
    return DecoderConfig(shape, form, 4, 4, 1, scalar_pace=pace)


def integers(bits: int) -> st.SearchStrategy[int]:
    """Below ``2**bits``, of any length as likely."""
    return st.integers(0, bits).flatmap(lambda length: st.integers(1 << length >> 1, (1 << length) - 1))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    config = draw(configs())
    bits, shape = config.form.scale_bits, config.shape
    constant = st.builds(
        lambda mantissa, exponent: {"mantissa": mantissa, "exponent": exponent},
        st.integers(1 << bits - 1, (1 << bits) - 1),
        st.integers(-40, 40),
    )
    constants = draw(st.lists(constant, min_size=ScalarMemories.depth(config), max_size=ScalarMemories.depth(config)))
    peaks = {(False, index): draw(integers(config.vector - 1)) for index in range(4)}
    peaks |= {(True, index): draw(integers(config.result - 1)) for index in range(4)}
    sums = {index: draw(integers(config.square_sum)) for index in range(4)}
    # A peak of softmax weights over a sum of powers.
    powers = {index: draw(integers(config.widths.power_total)) or 1 for index in range(4, 6)}
    weights = {(False, index): draw(integers(15)) for index in powers}
    model = Model(config, constants, peaks | weights, sums | powers, [0] * shape.key_heads)
    steps: list[tuple[dict[str, Any], int, Scalar, int]] = []
    position, temperature = 0, ZERO

    def add(operation: Operation, **fields: int) -> None:
        step = {"operation": operation, "register": 0, "results": 0, "peak": 0, "target": 0, "head": 0, "region": 0}
        steps.append((step | {"rewind": 0} | fields, position, temperature, draw(st.sampled_from((0, 0, 1, 5)))))

    index = st.integers(0, 3)
    for token in range(draw(st.integers(1, 3))):
        position = token * draw(st.integers(0, 1))
        temperature = draw(st.one_of(st.just(ZERO), constant))
        for block in range(shape.blocks):
            add(Operation.ROOT, peak=draw(index), target=0)
            add(Operation.CONSTANT, register=0, target=1, rewind=block == 0)
            add(Operation.QUERY, register=1, peak=draw(index), target=2, results=draw(st.integers(0, 1)))
            for head in range(shape.key_heads):
                place = {
                    "region": block * shape.key_heads + head,
                    "head": head,
                    "register": draw(st.sampled_from((0, 1))),
                }
                add(Operation.KEY_SCALE, peak=draw(index), **place)
                add(Operation.VALUE_SCALE, peak=draw(index), results=1, **place)
            for _ in range(2):
                head = draw(st.integers(0, shape.key_heads - 1))
                add(Operation.FACTOR, peak=draw(st.integers(4, 5)), head=head, target=3)
        add(Operation.CONSTANT, register=0, target=4)
        add(Operation.TEMPERATURE, register=4, target=4)
    return Run(model, steps)


@settings(max_examples=16)
@given(run=runs())
def test_scalars_are_golden_and_take_the_declared_cycles(run: Run) -> None:
    run.run()
