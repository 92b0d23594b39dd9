"""The activation quantiser: vectors of integers in, small integers out, by one of three rules."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import ACTIVATION, indices
from rtl.pipeline import delayed, registered
from rtl.quantiser.config import QuantizerConfig
from rtl.quantiser.divider import RoundingDivider
from rtl.quantiser.group_factors import GroupFactors, factor_layout
from rtl.quantiser.maxima import largest, vector_maximum


class Quantizer(wiring.Component):
    """Quantises vectors, exactly, ties to even, by the rule of its configuration.

    ``int8``: ``q = RNE(127·a / m)``, m = max|a| over the vector; a vector of zeros gives zeros. ``sign``: ``q = 1`` for
    a ≥ 0, else -1. ``int4-groups``: m is each group's own, a group that is wide becomes int8 as before, and for the
    others ``q = min(RNE(70·a / (9·m)), 7)``, which is -8 at the least.

    A vector is held until its last word is in and what its rule needs to know of it is known; while it leaves, its
    channel's next one enters. Words of different channels may enter in any order; every vector leaves in one piece.

    Parameters
    ----------
    config
        The size and the rule.

    Members
    -------
    i
        In, stream of `QuantizerConfig.entering`: vectors of 1 word to their channel's depth. ``ready`` depends on the
        payload's channel.
    o
        Out, stream of `QuantizerConfig.words` (signed(8)): as many words, in order. Which vector leaves next is
        chosen in the cycle before: of those whose last word entered two cycles before, the one of the lowest channel.
    factor
        Out, `rtl.quantiser.group_factors.factor_layout`, only with ``int4-groups``: each group's factor, given once and
        in order,
        ``RoundingDivider.LATENCY - 1`` cycles before the group's first word reaches `o`, more if `o` stalls, and two
        cycles or more after its vector's handover. It does not wait for anything.

    Latency: `QuantizerConfig.latency` from the last word in to the first word out. Throughput: one word a cycle in and
    out; between the last word of a vector and the first of its channel's next, `QuantizerConfig.closing` cycles pass,
    more while vectors before it are still leaving. A vector longer than its channel's depth never completes; one with
    more groups than `QuantizerConfig.groups` has values and factors that mean nothing.

    """

    i: stream.Interface
    o: stream.Interface
    factor: data.View

    def __init__(self, config: QuantizerConfig):
        self.config = config
        factor = {"factor": Out(factor_layout(config.groups, len(config.depths)))} if config.grouped else {}
        super().__init__(
            {
                "i": In(stream.Signature(config.entering)),
                "o": Out(stream.Signature(config.words(ACTIVATION))),
            }
            | factor
        )

    def elaborate(self, platform) -> Module:
        """Words into a memory, magnitudes into a maximum tree; a whole vector leaves, through the dividers if any."""
        m = Module()
        config = self.config
        lanes, depths = config.lanes, config.depths
        bases = Array(sum(depths[:channel]) for channel in range(len(depths)))
        word = config.held
        m.submodules.memory = memory = Memory(shape=word, depth=len(indices(sum(depths))), init=[])
        write, read = memory.write_port(), memory.read_port()

        # By channel: words of the vector that enters; of a vector that is not handed over yet: its last word has been
        # accepted, is in the memory, and the maximum is known.
        entered = Array(Signal(range(depth + 1), name=f"entered_{index}") for index, depth in enumerate(depths))
        closing = Array(Signal(name=f"closing_{index}") for index in range(len(depths)))
        held = Array(Signal(name=f"held_{index}") for index in range(len(depths)))
        complete = Array(Signal(name=f"complete_{index}") for index in range(len(depths)))
        # Whether a vector leaves; its channel, its words still in the memory, and the address of their first.
        leaving = Signal(self.i.payload.channel.shape())
        busy, remaining = Signal(), Signal(range(max(depths) + 1))
        following = Signal(range(sum(depths) + 1))

        accept, channel = Signal(), self.i.payload.channel
        places = Array(bases[index] + entered[index] for index in range(len(depths)))
        # A word may take the place of one that has left. All channels are looked at before one is chosen.
        open_ = Array(
            ~closing[index] & (entered[index] != depth) & (~busy | (leaving != index) | (places[index] < following))
            for index, depth in enumerate(depths)
        )
        m.d.comb += [self.i.ready.eq(open_[channel]), accept.eq(self.i.valid & self.i.ready)]
        collected, last, entering = Signal(word, reset_less=True), Signal(), Signal.like(leaving)
        for lane in range(lanes):
            value = self.i.payload.data[lane]
            if config.divided:
                m.d.sync += collected.magnitudes[lane].eq(Mux(value[-1], -value, value))
            m.d.sync += collected.signs[lane].eq(value[-1])
        if config.grouped:
            m.d.sync += collected.group_last.eq(self.i.payload.group_last)
            m.d.sync += collected.wide.eq(self.i.payload.wide)
        m.d.sync += [write.en.eq(accept), write.addr.eq(places[channel])]
        m.d.sync += [last.eq(accept & self.i.payload.last), entering.eq(channel)]
        m.d.comb += write.data.eq(collected)

        advance, leave, handover, handed = (Signal(name=name) for name in ("advance", "leave", "handover", "handed"))
        chosen, length, aimed, knows = Signal.like(leaving), Signal.like(remaining), Signal(), Signal()
        out = Mux(busy, leaving, chosen)
        value = self._largest(m, collected, write.en) if config.divided else Const(0)
        # Whether what must be known of a vector will be in the next cycle, and whether it is now.
        tag = Cat(last, entering)
        arriving = delayed(m, tag, config.closing - 2, "arriving")
        arrived = registered(m, arriving, "arrived")
        known, whole = ([tag[0] & (tag[1:] == index) for index in range(len(depths))] for tag in (arriving, arrived))
        divisor: Value = Const(1)
        if config.grouped:
            m.submodules.factors = factors = GroupFactors(config.width - 1, config.groups, len(depths))
            group_last = delayed(m, write.en & collected.group_last, config.tree, "group_last")
            # Closing takes a cycle more than the maximum tree, so what arrives is what has come through it.
            m.d.comb += [
                factors.word.peak.eq(value),
                factors.word.group_last.eq(group_last),
                factors.word.channel.eq(arriving[1:]),
                factors.enable.eq(advance),
                factors.handover.eq(handover),
                factors.leave.eq(leave),
                factors.channel.eq(out),
                factors.group_last.eq(read.data.group_last),
                self.factor.eq(factors.factor),
            ]
            divisor = factors.peak
        elif config.divided:
            divisor = vector_maximum(m, value, arrived[1:], len(depths), handed, leaving)
        # While nothing else is read, the first word of the vector that shall leave next is, so that the register behind
        # the memory costs no cycle. What decides is kept in flags, for the memory's address is far away.
        ending, single = Signal(), Signal()  # the vector that leaves has one word left, the chosen one has one in all
        others = [held[index] & (chosen != index) for index in range(len(depths))]
        aims = Mux(handover, Cat(others).any(), Cat(*held).any())
        aim = Mux(handover, _lowest(others), _lowest(held))
        soon = Array(known[index] | whole[index] | complete[index] for index in range(len(depths)))
        ends = Mux(busy, ending, single)
        aiming = ends | ~(busy | handover)
        left = Mux(busy, remaining, length)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            handover.eq(aimed & knows & ~busy & advance),
            leave.eq((handover | busy) & advance),
            read.en.eq(advance),
            read.addr.eq(Mux(aiming, bases[aim], following)),
        ]
        fetched = Signal(word, reset_less=True)
        m.d.sync += knows.eq(soon[chosen])
        with m.If(advance):
            m.d.sync += [fetched.eq(read.data), aimed.eq(aiming & aims)]
            m.d.sync += following.eq(Mux(aiming, Array(base + 1 for base in bases)[aim], following + 1))
            with m.If(aiming):
                m.d.sync += [chosen.eq(aim), knows.eq(soon[aim])]
                m.d.sync += [length.eq(entered[aim]), single.eq(entered[aim] == 1)]
        with m.If(leave):
            m.d.sync += [busy.eq(~ends), remaining.eq(left - 1), ending.eq(left == 2)]
        m.d.sync += handed.eq(handover)
        for index in range(len(depths)):
            with m.If(whole[index]):
                m.d.sync += complete[index].eq(1)
        with m.If(last):
            m.d.sync += held[entering].eq(1)
        with m.If(accept):
            m.d.sync += [entered[channel].eq(entered[channel] + 1), closing[channel].eq(self.i.payload.last)]
        with m.If(handover):
            m.d.sync += [closing[chosen].eq(0), held[chosen].eq(0), complete[chosen].eq(0)]
            m.d.sync += [entered[chosen].eq(0), leaving.eq(chosen)]

        if config.divided:
            self._divide(m, fetched, divisor, advance)
        else:
            for lane in range(lanes):
                m.d.comb += self.o.payload.data[lane].eq(Cat(1, fetched.signs[lane].replicate(7)))
        flags: Value = Cat(leave, ends, out)
        for stage in range(config.leaving):
            following_flags = Signal(len(flags), name=f"flags_{stage}")
            with m.If(advance):
                m.d.sync += following_flags.eq(flags)
            flags = following_flags
        m.d.comb += Cat(self.o.valid, self.o.payload.last, self.o.payload.channel).eq(flags)
        return m

    def _largest(self, m: Module, collected, valid) -> Value:
        """The largest magnitude of a word, `QuantizerConfig.tree` cycles later; 0 where there is no word."""
        return largest(m, [Mux(valid, magnitude, 0) for magnitude in collected.magnitudes], self.config.tree)

    def _divide(self, m: Module, fetched, peak, advance) -> None:
        """The dividers, between what the memory gave and `o`."""
        m.submodules.divider = divider = RoundingDivider(
            self.config.lanes, self.config.width - 1, int4=self.config.grouped
        )
        m.d.comb += [
            divider.enable.eq(advance),
            divider.magnitudes.eq(fetched.magnitudes),
            divider.signs.eq(fetched.signs),
            divider.peak.eq(peak),
            self.o.payload.data.eq(divider.quotients),
        ]
        if self.config.grouped:
            m.d.comb += divider.wide.eq(fetched.wide)


def _lowest(flags: Sequence[Value]) -> Value:
    """The number of the first flag that is set; the last one's if none is."""
    number: Value = Const(len(flags) - 1)
    for index in reversed(range(len(flags) - 1)):
        number = Mux(flags[index], index, number)
    return number
