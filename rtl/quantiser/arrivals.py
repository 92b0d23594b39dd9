"""The way into the quantiser's memory: which words can enter, where they go, and where each vector ends."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.quantiser.config import QuantizerConfig


class Arrivals(wiring.Component):
    """Places the words of each channel's vector, from its first word to its handover to the way out.

    Once a vector's last word has been accepted, its channel's next vector can enter after its handover, in a cycle
    behind each in which one of its own words has left, and freely behind the last of these.

    Parameters
    ----------
    config
        The quantiser.

    Members
    -------
    valid, last, channel
        In: a word wants to enter; it is its vector's last; the vector's channel.
    ready
        Out, 1: it can, as far as its channel goes.
    address
        Out, `QuantizerConfig.address`: where it goes.
    written, written_last, written_channel
        Out: `valid` & `ready`, that and `last`, and `channel`, one cycle later, when the word is written.
    ends
        Out, ArrayLayout(`QuantizerConfig.address`, channels): of each vector that is whole, where its last word is.
    single
        Out, a bit for each channel: its vector, which is whole, has one word.
    handover, candidate
        In: the vector of channel `candidate` is handed over; it is whole.
    left, left_last, left_channel
        In: a word has been read that was handed over; it is its vector's last; the vector's channel.

    """

    valid: Signal
    last: Signal
    channel: Signal
    ready: Signal
    address: Signal
    written: Signal
    written_last: Signal
    written_channel: Signal
    ends: data.View
    single: Signal
    handover: Signal
    candidate: Signal
    left: Signal
    left_last: Signal
    left_channel: Signal

    def __init__(self, config: QuantizerConfig):
        self.config = config
        super().__init__(
            {
                "valid": In(1),
                "last": In(1),
                "channel": In(config.channel),
                "ready": Out(1),
                "address": Out(config.address),
                "written": Out(1),
                "written_last": Out(1),
                "written_channel": Out(config.channel),
                "ends": Out(config.places),
                "single": Out(len(config.depths)),
                "handover": In(1),
                "candidate": In(config.channel),
                "left": In(1),
                "left_last": In(1),
                "left_channel": In(config.channel),
            }
        )

    def elaborate(self, platform) -> Module:
        """A place and a few flags a channel."""
        m = Module()
        bases, channels = self.config.bases, range(len(self.config.depths))
        places = Array(Signal(self.config.address, name=f"place_{index}", init=bases[index]) for index in channels)
        highest = Array(base + depth - 1 for base, depth in zip(bases, self.config.depths, strict=True))
        # Of a channel: its vector is whole; it still has its first place; the vector before it leaves; and has just.
        whole = Array(Signal(name=f"whole_{index}") for index in channels)
        first = Array(Signal(name=f"first_{index}", init=1) for index in channels)
        leaving = Array(Signal(name=f"leaving_{index}") for index in channels)
        passed = Signal(len(channels))
        has_room = Array(~whole[index] & (~leaving[index] | passed[index]) for index in channels)
        accept = Signal()
        m.d.comb += [
            self.ready.eq(has_room[self.channel]),
            accept.eq(self.valid & self.ready),
            self.address.eq(places[self.channel]),
        ]
        m.d.sync += [
            self.written.eq(accept),
            self.written_last.eq(accept & self.last),
            self.written_channel.eq(self.channel),
            passed.eq(self.left << self.left_channel),
        ]
        for index in channels:
            m.d.comb += [self.ends[index].eq(places[index]), self.single[index].eq(first[index])]
        with m.If(accept):
            # A vector that is too long stays, because it has no last word.
            m.d.sync += whole[self.channel].eq(self.last | (self.address == highest[self.channel]))
            m.d.sync += places[self.channel].eq(Mux(self.last, self.address, self.address + 1))
            m.d.sync += first[self.channel].eq(first[self.channel] & self.last)
        with m.If(self.left & self.left_last):
            m.d.sync += leaving[self.left_channel].eq(0)
        with m.If(self.handover):
            m.d.sync += [whole[self.candidate].eq(0), first[self.candidate].eq(1), leaving[self.candidate].eq(1)]
            m.d.sync += places[self.candidate].eq(Array(bases)[self.candidate])
        return m
