"""The activation quantiser: vectors of integers in, small integers out, by the rule of its configuration."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.pipeline import delayed, registered
from rtl.quantiser.arrivals import Arrivals
from rtl.quantiser.config import DIVIDERS, QuantizerConfig
from rtl.quantiser.departures import Departures
from rtl.quantiser.group_factors import GroupFactors, factor_layout
from rtl.quantiser.maxima import largest, vector_maxima


class Quantizer(wiring.Component):
    """Quantises vectors, exactly, ties to even, by the rule of its configuration.

    ``int8``: ``q = RNE(127·a / m)``, m = max|a| over the vector; a vector of zeros gives zeros. ``sign``: ``q = 1`` for
    a ≥ 0, else -1. ``binary``: the same, and vectors of the last channel stay as they are. ``int8-groups``: as
    ``int8``, m is each group's own. ``int4-groups``: likewise for a group that is wide, and for the others ``q =
    min(RNE(70·a / (9·m)), 7)``, which is -8 at the least.

    A vector is stored until its last word is in and its largest magnitudes are measured; while it leaves, its
    channel's next one enters. Words of different channels may enter in any order; every vector leaves in one piece.

    Parameters
    ----------
    config
        The size and the rule.

    Members
    -------
    i
        In, stream of `QuantizerConfig.input_word`: vectors of 1 word to their channel's depth. ``ready`` depends on the
        payload's channel.
    o
        Out, stream of `QuantizerConfig.output_word`: as many words, in order. Which vector leaves next is chosen once
        the one before has begun to: of those whose last word entered `QuantizerConfig.choice_latency` cycles before,
        the one of the lowest channel.
    factor
        Out, `rtl.quantiser.group_factors.factor_layout`, only with groups: each group's factor, given once
        and in order, `QuantizerConfig.division_latency` - 1 cycles before the group's first word reaches `o`, more if
        `o` stalls, and three cycles or more after its vector's handover. It does not wait for anything.

    Latency: `QuantizerConfig.latency` from the last word in to the first word out. Throughput: one word a cycle in and
    out; a vector is handed over `QuantizerConfig.preparation_latency` + 1 cycles after its choice, or when the one
    before has left, and the next one can be chosen in the cycle behind that. Between the last word of a vector and the
    first of its channel's next, `QuantizerConfig.handover_latency` + `QuantizerConfig.REOPENING` - 1 cycles pass, more
    while vectors before it are still leaving. A vector longer than its channel's depth never leaves;
    one with more groups than `QuantizerConfig.groups` has values and factors that mean nothing.

    """

    i: stream.Interface
    o: stream.Interface
    factor: data.View

    def __init__(self, config: QuantizerConfig):
        self.config = config
        factor = {"factor": Out(factor_layout(config.groups, len(config.depths)))} if config.grouped else {}
        super().__init__(
            {
                "i": In(stream.Signature(config.input_word)),
                "o": Out(stream.Signature(config.output_word)),
            }
            | factor
        )

    def elaborate(self, platform) -> Module:
        """Words into a memory, their magnitudes into a tree; vectors out of it, through the dividers if any."""
        m = Module()
        config = self.config
        word = config.stored_word
        m.submodules.memory = memory = Memory(shape=word, depth=len(config.address), init=[])
        write, read = memory.write_port(), memory.read_port()
        m.submodules.arrivals = arrivals = Arrivals(config)
        m.submodules.departures = departures = Departures(config)
        collected, fetched, advance = Signal(word, reset_less=True), Signal(word, reset_less=True), Signal()
        self._collect(m, collected)
        m.d.sync += write.addr.eq(arrivals.address)
        m.d.comb += [
            arrivals.valid.eq(self.i.valid),
            arrivals.last.eq(self.i.payload.last),
            arrivals.channel.eq(self.i.payload.channel),
            self.i.ready.eq(arrivals.ready),
            write.en.eq(arrivals.written),
            write.data.eq(collected),
            arrivals.handover.eq(departures.handover),
            arrivals.candidate.eq(departures.candidate),
            arrivals.left.eq(departures.left.valid & advance),
            arrivals.left_last.eq(departures.left.last),
            arrivals.left_channel.eq(departures.left.channel),
            advance.eq(~self.o.valid | self.o.ready),
            departures.enable.eq(advance),
            departures.ends.eq(arrivals.ends),
            departures.single.eq(arrivals.single),
            read.en.eq(advance),
            read.addr.eq(departures.address),
        ]
        with m.If(advance):
            m.d.sync += fetched.eq(read.data)
        divisor = self._measure(m, collected, arrivals, departures, read.data)
        self._quantise(m, fetched, divisor, advance)
        # The flags of the words beside these on their way.
        flags = departures.left
        for stage in range(config.output_latency - 1):
            before, flags = flags, Signal(config.flags, name=f"flags_{stage}")
            with m.If(advance):
                m.d.sync += flags.eq(before)
        m.d.comb += [
            self.o.valid.eq(flags.valid),
            self.o.payload.last.eq(flags.last),
            self.o.payload.channel.eq(flags.channel),
        ]
        return m

    def _collect(self, m: Module, collected: data.View) -> None:
        """The word on `i` as it is stored, a cycle later."""
        for lane in range(self.config.lanes):
            value = self.i.payload.data[lane]
            if self.config.rule == "binary":
                given = self.i.payload.channel == len(self.config.depths) - 1
                m.d.sync += collected.values[lane].eq(Mux(given, value, Mux(value[-1], -1, 1)))
                continue
            if self.config.divided:
                m.d.sync += collected.magnitudes[lane].eq(Mux(value[-1], -value, value))
            m.d.sync += collected.signs[lane].eq(value[-1])
        if self.config.grouped:
            m.d.sync += collected.group_last.eq(self.i.payload.group_last)
        if self.config.int4:
            m.d.sync += collected.wide.eq(self.i.payload.wide)

    def _measure(
        self, m: Module, collected: data.View, arrivals: Arrivals, departures: Departures, leaving: data.View
    ) -> Value:
        """Which vectors are measured, and the divisor of what the memory gave a cycle before, `leaving`.

        A vector can be chosen `QuantizerConfig.choice_latency` cycles after the transfer of its last word, and its
        largest magnitude is known a cycle later: the word's flags go beside the tree of maxima.
        """
        config = self.config
        channels, tree = range(len(config.depths)), config.tree_latency
        word = Cat(arrivals.written_last, arrivals.written, arrivals.written_channel)
        coming = delayed(m, word, tree - 1, "word")
        m.d.comb += departures.measured.eq(coming[0] << coming[2:])
        if not config.divided:
            m.d.comb += departures.prepared.eq(1)
            return Const(1)
        value = largest(m, collected.magnitudes, tree)
        through = registered(m, coming, "word_measured")
        handed = departures.left.valid & departures.left.first & departures.enable
        if not config.grouped:
            into = Cat(through[1] & (through[2:] == channel) for channel in channels)
            peaks = vector_maxima(m, value, into, len(channels), handed, departures.candidate)
            make = DIVIDERS[config.divider]
            divisor, prepared = make.prepare(m, Array(peaks)[departures.candidate], departures.chosen)
            held = Signal(len(divisor), name="divisor", reset_less=True)
            m.d.comb += departures.prepared.eq(prepared)
            with m.If(handed):
                m.d.sync += held.eq(divisor)
            return held
        m.submodules.factors = factors = GroupFactors(config.width - 1, config.groups, len(channels))
        group_last = delayed(m, arrivals.written & collected.group_last, tree, "group_last")
        m.d.comb += [
            departures.prepared.eq(1),
            factors.word.peak.eq(Mux(through[1], value, 0)),
            factors.word.group_last.eq(group_last),
            factors.word.channel.eq(through[2:]),
            factors.enable.eq(departures.enable),
            factors.handover.eq(handed),
            factors.leave.eq(departures.left.valid & departures.enable),
            factors.channel.eq(departures.left.channel),
            factors.group_last.eq(leaving.group_last),
            self.factor.eq(factors.factor),
        ]
        return factors.peak

    def _quantise(self, m: Module, fetched: data.View, divisor: Value, advance: Signal) -> None:
        """The stage between what the memory gave and `o`: dividers, or what was stored as it is."""
        config = self.config
        if config.rule == "binary":
            m.d.comb += self.o.payload.data.eq(fetched.values)
            return
        if not config.divided:
            for lane in range(config.lanes):
                m.d.comb += self.o.payload.data[lane].eq(Cat(1, fetched.signs[lane].replicate(7)))
            return
        make = DIVIDERS[config.divider]
        m.submodules.divider = divider = make(config.lanes, config.width - 1, int4=config.int4)
        m.d.comb += [
            divider.enable.eq(advance),
            divider.magnitudes.eq(fetched.magnitudes),
            divider.signs.eq(fetched.signs),
            Value.cast(divider.divisor).eq(divisor),
            self.o.payload.data.eq(divider.quotients),
        ]
        if config.int4:
            m.d.comb += divider.wide.eq(fetched.wide)
