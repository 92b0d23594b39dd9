"""The way out of the quantiser's memory: which vector leaves next, and which of its words is read."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.quantiser.config import QuantizerConfig


class Departures(wiring.Component):
    """Reads vector after vector, each in one piece, a word in each cycle in which the way out moves.

    While no vector leaves, and in the cycle in which one's last word does, a *candidate* is picked: of the stored
    vectors, the one of the lowest channel. Its first word is read in the same cycle, so that the register behind the
    memory costs none. In the next cycle the candidate is handed over if it is measured; otherwise another is picked,
    which may be the same.

    Parameters
    ----------
    config
        The quantiser.

    Members
    -------
    enable
        In, 1: the way out moves; while 0, nothing is read.
    stored
        In, a bit for each channel: its vector is in the memory and not handed over yet.
    words
        In, `QuantizerConfig.counts`: how many words it has.
    measured
        In, a bit for each channel: in the next cycle, what must be known of its vector is known.
    address
        Out, `QuantizerConfig.address`: the word to read, if `enable`.
    handover, candidate
        Out: the vector of channel `candidate` is handed over; its first word was read before.
    leave, last, channel
        Out: a word leaves, the one that was read before; it is its vector's last; the vector's channel. With
        `handover` it is the vector's first.
    leaving, leaving_channel, unread
        Out: a vector leaves that was handed over before; its channel; the address of the next word.

    """

    enable: Signal
    stored: Signal
    words: data.View
    measured: Signal
    address: Signal
    handover: Signal
    candidate: Signal
    leave: Signal
    last: Signal
    channel: Signal
    leaving: Signal
    leaving_channel: Signal
    unread: Signal

    def __init__(self, config: QuantizerConfig):
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "stored": In(len(config.depths)),
                "words": In(config.counts),
                "measured": In(len(config.depths)),
                "address": Out(config.address),
                "handover": Out(1),
                "candidate": Out(config.channel),
                "leave": Out(1),
                "last": Out(1),
                "channel": Out(config.channel),
                "leaving": Out(1),
                "leaving_channel": Out(config.channel),
                "unread": Out(range(sum(config.depths) + 1)),
            }
        )

    def elaborate(self, platform) -> Module:
        """The candidate, and the vector that leaves. What decides is in flags: the memory's address is far away."""
        m = Module()
        channels, bases = range(len(self.config.depths)), self.config.bases
        words = Array(self.words[index] for index in channels)
        measured = Array(self.measured[index] for index in channels)
        # Of the candidate: whether there is one, is measured, has one word; its words.
        present, candidate_measured, single = Signal(), Signal(), Signal()
        length = Signal.like(self.words[0])
        # Of the vector that leaves: its words still in the memory, and whether that is one.
        remaining, one_remains = Signal.like(length), Signal()

        others = [self.stored[index] & (self.candidate != index) for index in channels]
        pick, picked = Signal(), Signal.like(self.candidate)
        m.d.comb += [
            self.handover.eq(present & candidate_measured & ~self.leaving & self.enable),
            self.leave.eq((self.handover | self.leaving) & self.enable),
            self.last.eq(Mux(self.leaving, one_remains, single)),
            self.channel.eq(Mux(self.leaving, self.leaving_channel, self.candidate)),
            pick.eq(self.last | ~(self.leaving | self.handover)),
            picked.eq(Mux(self.handover, _lowest(others), _lowest(list(self.stored)))),
            self.address.eq(Mux(pick, Array(bases)[picked], self.unread)),
        ]
        m.d.sync += candidate_measured.eq(measured[self.candidate])
        with m.If(self.enable):
            m.d.sync += [
                present.eq(pick & Mux(self.handover, Cat(others).any(), self.stored.any())),
                self.unread.eq(Mux(pick, Array(base + 1 for base in bases)[picked], self.unread + 1)),
            ]
            with m.If(pick):
                m.d.sync += [
                    self.candidate.eq(picked),
                    candidate_measured.eq(measured[picked]),
                    length.eq(words[picked]),
                    single.eq(words[picked] == 1),
                ]
        with m.If(self.leave):
            left = Mux(self.leaving, remaining, length)
            m.d.sync += [self.leaving.eq(~self.last), remaining.eq(left - 1), one_remains.eq(left == 2)]
        with m.If(self.handover):
            m.d.sync += self.leaving_channel.eq(self.candidate)
        return m


def _lowest(flags: Sequence[Value]) -> Value:
    """The number of the first flag that is set; the last one's if none is."""
    number: Value = Const(len(flags) - 1)
    for index in reversed(range(len(flags) - 1)):
        number = Mux(flags[index], index, number)
    return number
