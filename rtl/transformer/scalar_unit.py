"""The scalar unit: numbers of a short mantissa and an exponent, one a vector or head, made one after the other."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final, NamedTuple

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import registered
from rtl.selection import selected
from rtl.transformer.config import EXPONENT, DecoderConfig
from rtl.transformer.exponent_peaks import ExponentPeaks
from rtl.transformer.kinds import Operation
from rtl.transformer.normaliser import Normaliser
from rtl.transformer.root_divider import RootDivider
from rtl.transformer.scalar_memories import ScalarMemories
from rtl.transformer.scalar_rounder import ScalarRounder
from rtl.transformer.scalar_sizes import ScalarSizes
from rtl.transformer.steps import Steps
from rtl.transformer.timing import Timing

_READ: Final = ScalarMemories.LATENCY
"""Cycles from a step's acceptance until peaks, sums and registers are there."""
_ALIGNED: Final = _READ + 1 + Normaliser.LATENCY
"""Cycles from a step's acceptance until its first integer has been moved up."""
_ENDING: Final = 3
"""Cycles for the last digits' register, rounding, and the write."""


class _Flags(NamedTuple):
    """What a step does in which cycle."""

    doing: Signal
    """A bit for each operation: the step's is set."""
    phases: list[Value]
    """By the cycles that have passed since the step was accepted."""
    multiply: Value
    """The integer that a mantissa is multiplied with has been moved up."""
    writes: Signal
    """The scalar is there."""


class ScalarUnit(wiring.Component):
    """Makes scalars of peaks, sums, constants and other scalars, bit for bit as `golden.language` does.

    A normaliser moves every integer up first, so that a product's, and a quotient's, highest bit has one of two
    places; exponents are added up meanwhile, a term a cycle.

    Parameters
    ----------
    config
        The decoder.
    constants
        What the memory of constants holds at first: words of `DecoderConfig.scalar`, at most
        `ScalarMemories.depth(config)`.
    writable
        Whether that memory has a load port in hardware.

    Members
    -------
    step
        In, stream of `Steps.scalar`; ready while not busy. A block has VALUE_SCALE for its key heads in their order,
        and behind them its first FACTOR.
    busy
        Out, 1.
    place
        In, `Steps.place`: of the token at hand.
    temperature
        In, `DecoderConfig.scalar`: what TEMPERATURE multiplies with.
    peak_address
        Out, `Steps.peak`: the peak, and the sum, that are read; steady until `busy` falls, as they must be.
    element_peak, sum, result_peak
        In, 1 cycle later: the largest magnitude and the sum of the element lanes, that of the result lanes.
    register_address, register
        In, Out: a register, `LATENCY` cycle later, for the result lanes.
    limit_address, limit
        In, Out: the mantissa of what QUERY gave, QUERY_BITS, `LATENCY` cycle later, for the quantiser lanes.
    key_scale, value_scale
        Out, streams of `scale_layout`, always ready: what KEY_SCALE and VALUE_SCALE give.
    exponent_peaks
        Out, ArrayLayout(EXPONENT, key heads): the largest exponents of the block's values up to the token at hand.
    load_address, load_data, load_last, load_valid
        In: the load port of the memory of constants, as `LoadableMemory` has it.

    Timing: `timing`. A step begins when the one before is done.

    """

    LATENCY = 1

    step: stream.Interface
    busy: Signal
    place: data.View
    temperature: data.View
    peak_address: Signal
    element_peak: Signal
    sum: Signal
    result_peak: Signal
    register_address: Signal
    register: data.View
    limit_address: Signal
    limit: Signal
    key_scale: stream.Interface
    value_scale: stream.Interface
    exponent_peaks: data.View
    load_address: Signal
    load_data: Signal
    load_last: Signal
    load_valid: Signal

    def __init__(self, config: DecoderConfig, constants: Sequence[int] = (), *, writable: bool = True):
        self.config, self.sizes = config, ScalarSizes(config)
        self.constants, self.writable = list(constants), writable
        steps, scales = Steps(config), stream.Signature(self.scale_layout(config), always_ready=True)
        super().__init__(
            {
                "step": In(stream.Signature(steps.scalar)),
                "busy": Out(1),
                "place": In(steps.place),
                "temperature": In(config.scalar),
                "peak_address": Out(steps.peak),
                "element_peak": In(self.sizes.element_peak),
                "sum": In(config.square_sum),
                "result_peak": In(self.sizes.result_peak),
                "key_scale": Out(scales),
                "value_scale": Out(scales),
                "exponent_peaks": Out(data.ArrayLayout(EXPONENT, config.shape.key_heads)),
            }
            | ScalarMemories.outer_ports(config)
        )

    @staticmethod
    def scale_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of what goes to a memory of scales: ``region`` and ``scalar``."""
        return data.StructLayout({"region": Steps(config).region, "scalar": config.scalar})

    @classmethod
    def timing(cls, config: DecoderConfig, operation: Operation) -> Timing:
        """Of a step; the next one is accepted when it is done."""
        cycles = ScalarSizes(config).digit_cycles
        more = {
            Operation.ROOT: 2 * cycles,
            Operation.FACTOR: 1 + cycles,  # the peak is moved up behind the sum
            Operation.CONSTANT: LoadableMemory.LATENCY - _READ,
            Operation.QUERY: 1,
        }
        done = _ALIGNED + more.get(operation, 0) + _ENDING
        return Timing(done, done)

    def elaborate(self, platform) -> Module:
        """A step that is kept, its flags, and the parts in the order of their use."""
        m = Module()
        step, doing = Signal(Steps(self.config).scalar), Signal(len(Operation))
        accepted = self.step.valid & ~self.busy
        m.d.comb += [
            self.step.ready.eq(~self.busy),
            self.peak_address.eq(Mux(self.busy, step.peak, self.step.payload.peak)),
        ]
        with m.If(accepted):
            m.d.sync += [step.eq(self.step.payload), doing.eq(1 << self.step.payload.operation), self.busy.eq(1)]
        m.submodules.divider = divider = RootDivider(self.sizes.operand, self.sizes.digits, self.config.scalar_pace)
        m.submodules.normaliser = normaliser = Normaliser(self.sizes.integer, self.sizes.operand)
        m.submodules.rounder = rounder = ScalarRounder(self.sizes.mantissa)
        flags = self._flags(m, doing, accepted, divider, rounder)
        with m.If(flags.writes):
            m.d.sync += self.busy.eq(0)

        memories = self._memories(m, step, flags, rounder.scalar)
        other = self._other(m, doing, memories)
        self._integers(m, step, flags, other, normaliser)
        mantissa, operand = memories.operand.mantissa, normaliser.o[-self.sizes.factor :]
        product = registered(m, mantissa * operand, "product", reset_less=True)
        divides = doing[Operation.ROOT] | doing[Operation.FACTOR]
        m.d.comb += [
            divider.operand.eq(normaliser.o),
            rounder.digits.eq(Mux(divides, divider.quotient, product[-self.sizes.digits :])),
        ]
        peaks = self._scales(m, step, flags, rounder.scalar)
        terms = [
            (flags.phases[_READ] & ~divides, memories.operand.exponent),
            (flags.phases[_READ + 1] & ~divides, other.exponent),
            (
                flags.phases[_READ + 2],
                reduce(or_, (Mux(doing[kind], self.sizes.offset(kind), 0) for kind in Operation)),
            ),
            (divider.radicand, normaliser.places >> 1),
            (divider.divisor, normaliser.places),
            (flags.multiply | divider.dividend, -1 - normaliser.places),
        ]
        if self.config.shape.key_heads > 1:
            own, factor = selected([*peaks.peaks], step.head), doing[Operation.FACTOR]
            terms += [(flags.phases[_READ] & factor, own), (flags.phases[_READ + 1] & factor, ~peaks.largest)]
        m.d.comb += rounder.term.eq(reduce(or_, (Mux(when, term, 0) for when, term in terms)))
        return m

    def _flags(self, m: Module, doing: Signal, accepted: Value, divider: RootDivider, rounder: ScalarRounder) -> _Flags:
        """A flag for each of a step's first cycles, and for each of its last; the divider has its own between them."""
        phases: list[Value] = [accepted]
        for cycle in range(1, _ALIGNED + 2):
            phases.append(registered(m, phases[-1], f"phase_{cycle}"))
        root, factor, query = (doing[kind] for kind in (Operation.ROOT, Operation.FACTOR, Operation.QUERY))
        multiply = Mux(doing[Operation.CONSTANT], phases[_ALIGNED + 1], phases[_ALIGNED] & ~root & ~factor)
        rounds = registered(m, multiply | divider.divided, "rounds")
        cuts = registered(m, rounds & query, "cuts")
        m.d.comb += [
            divider.radicand.eq(phases[_ALIGNED] & root),
            divider.divisor.eq(phases[_ALIGNED] & factor),
            divider.dividend.eq(divider.rooted | phases[_ALIGNED + 1] & factor),
            rounder.clear.eq(accepted),
            rounder.round.eq(rounds),
            rounder.cut.eq(cuts),
        ]
        return _Flags(doing, phases, multiply, registered(m, Mux(query, cuts, rounds), "writes"))

    def _memories(self, m: Module, step: data.View, flags: _Flags, scalar: data.View) -> ScalarMemories:
        """Registers and constants; what others have of them."""
        m.submodules.memories = memories = ScalarMemories(self.config, self.constants, writable=self.writable)
        for name, port in ScalarMemories.outer_ports(self.config).items():
            inner, outer = getattr(memories, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if port.flow == In else outer.eq(inner)
        offered, doing = self.step.payload, flags.doing
        m.d.comb += [
            memories.operand_address.eq(Mux(self.busy, step.register, offered.register)),
            memories.rewind.eq(flags.phases[0] & offered.rewind),
            memories.advance.eq(flags.writes & doing[Operation.CONSTANT]),
            memories.write.valid.eq(flags.writes & ~doing[Operation.KEY_SCALE] & ~doing[Operation.VALUE_SCALE]),
            memories.write.payload.register.eq(step.target),
            memories.write.payload.scalar.eq(scalar),
        ]
        return memories

    def _other(self, m: Module, doing: Signal, memories: ScalarMemories) -> data.View:
        """What CONSTANT and TEMPERATURE multiply with; nothing for the others."""
        other = Signal(self.config.scalar)
        with m.If(doing[Operation.CONSTANT]):
            m.d.comb += other.eq(memories.constant)
        with m.If(doing[Operation.TEMPERATURE]):
            m.d.comb += other.eq(self.temperature)
        return other

    def _integers(self, m: Module, step: data.View, flags: _Flags, other: data.View, normaliser: Normaliser) -> None:
        """What is moved up: of divisions the sum in their first cycle, otherwise a peak or another's mantissa."""
        root, query = flags.doing[Operation.ROOT], flags.doing[Operation.QUERY]
        peak = Signal(self.sizes.factor)
        m.d.comb += peak.eq(Mux(step.results, self.result_peak, self.element_peak))
        # The quantiser takes a vector of zeros as one with a largest magnitude of 1.
        least = (root | query) & ~peak.any()
        multiplied = flags.doing[Operation.CONSTANT] | flags.doing[Operation.TEMPERATURE]
        factor = Mux(multiplied, other.mantissa, peak | least)
        sums = flags.phases[_READ] & (root | flags.doing[Operation.FACTOR])
        value = registered(m, Mux(sums, self.sum, factor), "value", reset_less=True)
        even = registered(m, flags.phases[_READ] & root, "even", reset_less=True)
        m.d.comb += [normaliser.value.eq(value), normaliser.even.eq(even)]

    def _scales(self, m: Module, step: data.View, flags: _Flags, scalar: data.View) -> ExponentPeaks:
        """What goes to the caches, and the peaks of values."""
        m.submodules.peaks = peaks = ExponentPeaks(self.config)
        for port, operation in ((self.key_scale, Operation.KEY_SCALE), (self.value_scale, Operation.VALUE_SCALE)):
            m.d.comb += [
                port.valid.eq(flags.writes & flags.doing[operation]),
                port.payload.region.eq(step.region),
                port.payload.scalar.eq(scalar),
            ]
        m.d.comb += [
            peaks.region.eq(step.region),
            peaks.head.eq(step.head),
            peaks.first.eq(self.place.position == 0),
            peaks.exponent.eq(scalar.exponent),
            peaks.write.eq(self.value_scale.valid),
            self.exponent_peaks.eq(peaks.peaks),
        ]
        return peaks
