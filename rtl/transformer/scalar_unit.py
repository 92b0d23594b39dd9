"""The scalar unit: numbers of a short mantissa and an exponent, one a vector or head, made one after the other."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH
from golden.language.format import QUERY_BITS
from rtl.layouts import indices
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import registered
from rtl.transformer.config import EXPONENT, DecoderConfig
from rtl.transformer.exponent_peaks import ExponentPeaks
from rtl.transformer.normaliser import Normaliser
from rtl.transformer.root_divider import RootDivider
from rtl.transformer.scalar_rounder import ScalarRounder
from rtl.transformer.scalar_sizes import ScalarSizes
from rtl.transformer.steps import Operation, Steps
from rtl.transformer.timing import Timing

_READ: Final = 1
"""Cycles from a step's acceptance until peaks, sums and registers are there."""
_ALIGNED: Final = _READ + 1 + Normaliser.LATENCY
"""Cycles from a step's acceptance until its first number has been moved up."""
_ENDING: Final = 3
"""Cycles for the last digits' register, rounding, and the write."""


class ScalarUnit(wiring.Component):
    """Makes scalars of peaks, sums, constants and other scalars, bit for bit as `golden.language` does.

    A normaliser moves every integer up first, so that a product's, and a quotient's, highest bit has one of two
    places; exponents are added up meanwhile, a term a cycle.

    Parameters
    ----------
    config
        The decoder.
    constants
        What the memory of constants holds at first: words of `DecoderConfig.scalar`, at most `depth(config)`.
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
        self.config, self.constants, self.writable = config, list(constants), writable
        self.sizes = sizes = ScalarSizes(config)
        steps, scales = Steps(config), stream.Signature(self.scale_layout(config), always_ready=True)
        super().__init__(
            {
                "step": In(stream.Signature(steps.scalar)),
                "busy": Out(1),
                "place": In(steps.place),
                "temperature": In(config.scalar),
                "peak_address": Out(steps.peak),
                "element_peak": In(sizes.element_peak),
                "sum": In(config.square_sum),
                "result_peak": In(sizes.result_peak),
                "register_address": In(steps.register),
                "register": Out(config.scalar),
                "limit_address": In(steps.register),
                "limit": Out(QUERY_BITS),
                "key_scale": Out(scales),
                "value_scale": Out(scales),
                "exponent_peaks": Out(data.ArrayLayout(EXPONENT, config.shape.key_heads)),
                "load_address": In(indices(self.depth(config))),
                "load_data": In(LOAD_WIDTH),
                "load_last": In(1),
                "load_valid": In(1),
            }
        )

    @staticmethod
    def depth(config: DecoderConfig) -> int:
        """Words of the memory of constants: three a block, and the head's."""
        return 3 * config.shape.blocks + 1

    @staticmethod
    def scale_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of what goes to a memory of scales: ``region`` and ``scalar``."""
        return data.StructLayout({"region": Steps(config).region, "scalar": config.scalar})

    @classmethod
    def timing(cls, config: DecoderConfig, operation: Operation) -> Timing:
        """Of a step; the next one is accepted when it is done."""
        digits = ScalarSizes(config).digits
        more = {
            Operation.ROOT: 2 * digits,
            Operation.FACTOR: 1 + digits,  # the peak is moved up behind the sum
            Operation.CONSTANT: LoadableMemory.LATENCY - _READ,
            Operation.QUERY: 1,
        }
        done = _ALIGNED + more.get(operation, 0) + _ENDING
        return Timing(done, done)

    def elaborate(self, platform) -> Module:
        """A flag for each of a step's first cycles, the parts, and flags for its last cycles."""
        m = Module()
        config, sizes, accepted = self.config, self.sizes, Signal()
        step = Signal(Steps(config).scalar)
        m.d.comb += [self.step.ready.eq(~self.busy), accepted.eq(self.step.valid & ~self.busy)]
        with m.If(accepted):
            m.d.sync += [step.eq(self.step.payload), self.busy.eq(1)]
        phases: list[Value] = [accepted]
        for cycle in range(1, _ALIGNED + 2):
            phases.append(registered(m, phases[-1], f"phase_{cycle}"))
        root, factor = step.operation == Operation.ROOT, step.operation == Operation.FACTOR
        constant, query = step.operation == Operation.CONSTANT, step.operation == Operation.QUERY

        m.submodules.divider = divider = RootDivider(sizes.operand, sizes.digits)
        multiply = Mux(constant, phases[_ALIGNED + 1], phases[_ALIGNED] & ~root & ~factor)
        m.d.comb += [
            divider.radicand.eq(phases[_ALIGNED] & root),
            divider.divisor.eq(phases[_ALIGNED] & factor),
            divider.dividend.eq(divider.rooted | phases[_ALIGNED + 1] & factor),
        ]
        rounds = registered(m, multiply | divider.divided, "rounds")
        cuts = registered(m, rounds & query, "cuts")
        writes = registered(m, Mux(query, cuts, rounds), "writes")
        with m.If(writes):
            m.d.sync += self.busy.eq(0)

        m.submodules.rounder = rounder = ScalarRounder(config.scalar)
        m.submodules.normaliser = normaliser = Normaliser(sizes.integer, sizes.operand)
        m.submodules.peaks = peaks = ExponentPeaks(config)
        operand = self._registers(m, step, accepted, writes, rounder.scalar)
        other = self._constants(m, step, accepted, writes)
        self._integers(m, step, phases[_READ], other, normaliser)
        product = registered(m, operand.mantissa * normaliser.o[-sizes.factor :], "product", reset_less=True)
        m.d.comb += [
            divider.operand.eq(normaliser.o),
            rounder.clear.eq(accepted),
            rounder.digits.eq(Mux(root | factor, divider.quotient, product[-sizes.digits :])),
            rounder.round.eq(rounds),
            rounder.cut.eq(cuts),
        ]
        terms = [
            (phases[_READ] & ~root & ~factor, operand.exponent),
            (phases[_READ + 1] & ~root & ~factor, other.exponent),
            (phases[_READ + 2], self._offset(step)),
            (divider.radicand, normaliser.places >> 1),
            (divider.divisor, normaliser.places),
            (multiply | divider.dividend, -1 - normaliser.places),
        ]
        if config.shape.key_heads > 1:
            heads = Array(peaks.peaks[head] for head in range(config.shape.key_heads))
            terms += [(phases[_READ] & factor, heads[step.head]), (phases[_READ + 1] & factor, ~peaks.largest)]
        m.d.comb += rounder.term.eq(reduce(or_, (Mux(when, term, 0) for when, term in terms)))
        self._scales(m, step, writes, rounder.scalar, peaks)
        return m

    def _registers(self, m: Module, step: data.View, accepted: Value, writes: Value, scalar: data.View) -> data.View:
        """The registers, and the one that the step begins with."""
        shape = self.config.scalar
        m.submodules.registers = memory = Memory(shape=shape, depth=len(Steps(self.config).register), init=[])
        write, own = memory.write_port(), memory.read_port()
        for_results, for_limits = memory.read_port(), memory.read_port()
        scales = (step.operation == Operation.KEY_SCALE) | (step.operation == Operation.VALUE_SCALE)
        m.d.comb += [
            write.addr.eq(step.target),
            write.data.eq(scalar),
            write.en.eq(writes & ~scales),
            own.addr.eq(Mux(accepted, self.step.payload.register, step.register)),
            for_results.addr.eq(self.register_address),
            self.register.eq(for_results.data),
            for_limits.addr.eq(self.limit_address),
            self.limit.eq(for_limits.data.mantissa),
        ]
        return own.data

    def _constants(self, m: Module, step: data.View, accepted: Value, writes: Value) -> data.View:
        """What CONSTANT and TEMPERATURE multiply with; nothing otherwise."""
        depth = self.depth(self.config)
        m.submodules.constants = constants = LoadableMemory(
            (self.config.scalar.size,), depth, self.constants, writable=self.writable
        )
        pointer, rewind = Signal(indices(depth)), accepted & self.step.payload.rewind
        m.d.comb += [
            constants.address.eq(Mux(rewind, 0, pointer)),
            constants.load_address.eq(self.load_address),
            constants.load_data.eq(self.load_data),
            constants.load_last.eq(self.load_last),
            constants.load_valid.eq(self.load_valid),
        ]
        with m.If(rewind):
            m.d.sync += pointer.eq(0)
        with m.If(writes & (step.operation == Operation.CONSTANT)):
            m.d.sync += pointer.eq(pointer + 1)
        other = Signal(self.config.scalar)
        with m.Switch(step.operation):
            with m.Case(Operation.CONSTANT):
                m.d.comb += other.eq(constants.data)
            with m.Case(Operation.TEMPERATURE):
                m.d.comb += other.eq(self.temperature)
        return other

    def _integers(self, m: Module, step: data.View, first: Value, other: data.View, normaliser: Normaliser) -> None:
        """What the normaliser is given: of divisions the sum in their first cycle, otherwise what comes behind it."""
        m.d.comb += self.peak_address.eq(Mux(self.busy, step.peak, self.step.payload.peak))
        root, factor = step.operation == Operation.ROOT, step.operation == Operation.FACTOR
        peak, integer = Signal(self.sizes.factor), Signal(self.sizes.factor)
        m.d.comb += [peak.eq(Mux(step.results, self.result_peak, self.element_peak)), integer.eq(peak)]
        with m.If(root | (step.operation == Operation.QUERY)):
            # The quantiser takes a vector of zeros as one with a largest magnitude of 1.
            m.d.comb += integer.eq(peak | ~peak.any())
        with m.Elif((step.operation == Operation.CONSTANT) | (step.operation == Operation.TEMPERATURE)):
            m.d.comb += integer.eq(other.mantissa)
        sums = first & (root | factor)
        value = registered(m, Mux(sums, self.sum, integer), "value", reset_less=True)
        even = registered(m, first & root, "even", reset_less=True)
        m.d.comb += [normaliser.value.eq(value), normaliser.even.eq(even)]

    def _offset(self, step: data.View) -> Value:
        """Of the exponent, what the operation alone decides.

        An integer of w bits that is moved up by p places has w - p bits, and ``-1 - p`` is what is added of p. A
        product of a mantissa and an integer of n bits is worth its mantissa times ``2**(n - 1)``, or twice that; a
        quotient, times ``2**(n - d - b)`` where the divisor has d and a mantissa b bits. A root has half of its
        radicand's.
        """
        width, bits = self.sizes.integer, self.sizes.mantissa
        offsets = {
            Operation.ROOT: 1 + width - width // 2 - bits,
            Operation.FACTOR: 1 - bits + self.sizes.guard + (self.config.shape.key_heads > 1),
            Operation.QUERY: width + bits - QUERY_BITS,
        }
        return reduce(lambda rest, item: Mux(step.operation == item[0], item[1], rest), offsets.items(), width)

    def _scales(self, m: Module, step: data.View, writes: Value, scalar: data.View, peaks: ExponentPeaks) -> None:
        """What goes to the caches, and the peaks of values."""
        for port, operation in ((self.key_scale, Operation.KEY_SCALE), (self.value_scale, Operation.VALUE_SCALE)):
            m.d.comb += [
                port.valid.eq(writes & (step.operation == operation)),
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
