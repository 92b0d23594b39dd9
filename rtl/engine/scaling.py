"""The scale step: sums of a row's passes, each times its mantissa, become one result."""

from dataclasses import dataclass
from itertools import pairwise

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.errors import TritweaveError
from golden.formats import FACTOR_BITS, GROUPED, RESULT_BITS, RULES
from rtl.engine.drain import DrainConfig
from rtl.layouts import indices, words
from rtl.limits import check_range


@dataclass(frozen=True)
class Scaling:
    """What a scaling engine is built for.

    Parameters
    ----------
    longest
        Most inputs of a group, 1 to 65536; they set the width of the array's accumulators.
    mantissa_bits
        Of a mantissa, sign included, 1 to 16.
    accumulator_bits
        Of the sum of a row's passes, sign included, 2 to 62.
    shift
        Bits that a result leaves out of it, so that at most `golden.formats.RESULT_BITS` are left.
    rule
        How inputs are quantised, one of `golden.formats.RULES`.
    groups
        Most groups of a layer's inputs, 1 to 256.

    """

    longest: int
    mantissa_bits: int
    accumulator_bits: int
    shift: int
    rule: str
    groups: int

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise TritweaveError(f"scaling: rule is {self.rule!r}; it is one of {', '.join(RULES)}")
        check_range("scaling", "longest", self.longest, 1, 65536)
        check_range("scaling", "mantissa bits", self.mantissa_bits, 1, 16)
        check_range("scaling", "accumulator bits", self.accumulator_bits, 2, 62)
        check_range("scaling", "shift", self.shift, 0, self.accumulator_bits - 1)
        check_range("scaling", "result bits", self.result_bits, 1, RESULT_BITS)
        check_range("scaling", "groups", self.groups, 1, 256)

    def __str__(self) -> str:
        """For the header of the Verilog."""
        return (
            f"mantissas of {self.mantissa_bits} bits, sums of {self.accumulator_bits} bits less {self.shift}, "
            f"activations {self.rule} in up to {self.groups} groups"
        )

    @property
    def result_bits(self) -> int:
        """Of a result, sign included."""
        return self.accumulator_bits - self.shift

    @property
    def factors(self) -> bool:
        """Whether each group of a vector has a factor of its own."""
        return self.rule in GROUPED

    @property
    def half(self) -> int:
        """Half of a result's unit, which a sum starts with; none where signs count, which then all stay."""
        return 0 if self.rule == "binary" else 1 << self.shift >> 1

    @property
    def latency(self) -> int:
        """Cycles from a sum to the result that it completes."""
        return 3 if self.factors else 2


class ScaleStep(wiring.Component):
    """Multiplies each pass's sums by their mantissas, and by the factor of their inputs, and adds up a row's passes.

    ``result = ReLU((Σ factor·mantissa·sum + half) >> shift)``, exact but for the shift; half is `Scaling.half`.
    Nothing in here stalls.

    Parameters
    ----------
    scaling
        The numbers' sizes.
    drain
        The drain in front of it, whose tiles are passes.

    Members
    -------
    i
        In, stream of `words` (signed(width), lanes): the drain's.
    of
        In, `DrainConfig.tile`: the pass of the word on `i`.
    mantissas
        In, ArrayLayout(signed(mantissa_bits), lanes): of the word that is on `i` in the next cycle.
    marks
        In, 2: likewise, what `golden.formats.SCALES` calls flags; with factors only.
    o
        Out, stream of `words` (signed(result_bits), lanes): results, always taken; the layer's last is marked.
    result, vector
        Out, 1: the word on `o` is a result of the network, otherwise it is the next layer's input; its vector.
    o_marks
        Out, 2: `marks` of the word on `o`; with factors only.

    Latency: `Scaling.latency` from a word of a row's last pass. Throughput: one word a cycle.

    """

    i: stream.Interface
    of: data.View
    mantissas: data.View
    marks: Signal
    o: stream.Interface
    result: Signal
    vector: Signal
    o_marks: Signal

    def __init__(self, scaling: Scaling, drain: DrainConfig):
        self.scaling, self.drain = scaling, drain
        members = {
            "i": In(stream.Signature(words(signed(drain.width), drain.lanes), always_ready=True)),
            "of": In(drain.tile),
            "mantissas": In(data.ArrayLayout(signed(scaling.mantissa_bits), drain.lanes)),
            "o": Out(stream.Signature(words(signed(scaling.result_bits), drain.lanes), always_ready=True)),
            "result": Out(1),
            "vector": Out(1),
        }
        if scaling.factors:
            members |= {"marks": In(2), "o_marks": Out(2)}
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        """Products, factors, and a memory of the rows' sums so far."""
        m = Module()
        scaling, drain = self.scaling, self.drain
        lanes = range(drain.lanes)
        mantissas = Signal.like(self.mantissas)
        m.d.sync += mantissas.eq(self.mantissas)
        products = [Signal(signed(drain.width + scaling.mantissa_bits), name=f"product_{lane}") for lane in lanes]
        for lane, product in enumerate(products):
            m.d.sync += product.eq(self.i.payload.data[lane] * mantissas[lane])
        flags = data.StructLayout({"valid": 1, "last": 1, "of": drain.tile, "marks": 2})
        stages = [Signal(flags, name=f"flags_{stage}") for stage in range(scaling.latency)]
        first, *_, final = stages
        m.d.sync += [first.valid.eq(self.i.valid), first.last.eq(self.i.payload.last), first.of.eq(self.of)]
        for before, after in pairwise(stages):
            m.d.sync += after.eq(before)
        addends = products
        if scaling.factors:
            marks = Signal(2)
            m.d.sync += [marks.eq(self.marks), first.marks.eq(marks)]
            addends = [Signal(signed(len(products[0]) + FACTOR_BITS), name=f"scaled_{lane}") for lane in lanes]
            for product, scaled in zip(products, addends, strict=True):
                m.d.sync += scaled.eq(product * first.of.factor)
            m.d.comb += self.o_marks.eq(final.marks)

        # The word's place among those of its tile: where the sums of its rows are.
        place, summed = Signal(indices(drain.interval)), stages[-2]
        with m.If(summed.valid):
            m.d.sync += place.eq(Mux(place == summed.of.last_word, 0, place + 1))
        row_sums = data.ArrayLayout(signed(scaling.accumulator_bits), drain.lanes)
        m.submodules.sums = sums = Memory(shape=row_sums, depth=len(indices(drain.interval)), init=[])
        write, read = sums.write_port(), sums.read_port(domain="comb")
        m.d.comb += [read.addr.eq(place), write.addr.eq(place), write.en.eq(summed.valid)]
        for lane in lanes:
            total = Signal(signed(scaling.accumulator_bits), name=f"total_{lane}")
            before = Mux(summed.of.opens, Const(scaling.half, row_sums.elem_shape), read.data[lane])
            m.d.comb += [total.eq(before + addends[lane]), write.data[lane].eq(total)]
            negative = summed.of.relu & total[-1]
            m.d.sync += self.o.payload.data[lane].eq(Mux(negative, 0, total >> scaling.shift))
        m.d.comb += [
            self.o.valid.eq(final.valid & final.of.closes),
            self.o.payload.last.eq(final.last),
            self.result.eq(final.of.final),
            self.vector.eq(final.of.vector),
        ]
        return m
