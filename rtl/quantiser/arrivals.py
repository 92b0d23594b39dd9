"""The way into the quantiser's memory: which words can enter, where they go, and how much there is of each vector."""

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.pipeline import delayed
from rtl.quantiser.config import QuantizerConfig


class Arrivals(wiring.Component):
    """Counts the words of each channel's vector, from its first word to its handover to the way out.

    A vector is *ended* once its last word has been accepted, and *stored* once that word is in the memory, which is a
    cycle later, and the divider's preparation has passed: vectors leave as soon as they are measured, in whatever order
    that is. Its channel's next vector can enter after its handover, a word at a time into the places that it
    leaves.

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
    stored
        Out, a bit for each channel: its vector is in the memory and not handed over yet.
    words
        Out, `QuantizerConfig.counts`: words that have entered of the vector that is not handed over yet.
    handover, candidate
        In: the vector of channel `candidate` is handed over; it is stored.
    leaving, leaving_channel, unread
        In: a vector leaves that was handed over before; its channel; the address of the first of its words that
        still have to be read.

    """

    valid: Signal
    last: Signal
    channel: Signal
    ready: Signal
    address: Signal
    written: Signal
    written_last: Signal
    written_channel: Signal
    stored: Signal
    words: data.View
    handover: Signal
    candidate: Signal
    leaving: Signal
    leaving_channel: Signal
    unread: Signal

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
                "stored": Out(len(config.depths)),
                "words": Out(config.counts),
                "handover": In(1),
                "candidate": In(config.channel),
                "leaving": In(1),
                "leaving_channel": In(config.channel),
                "unread": In(range(sum(config.depths) + 1)),
            }
        )

    def elaborate(self, platform) -> Module:
        """Counters of words and two flags a channel."""
        m = Module()
        depths, bases = self.config.depths, self.config.bases
        entered = Array(Signal(range(depth + 1), name=f"entered_{index}") for index, depth in enumerate(depths))
        ended = Array(Signal(name=f"ended_{index}") for index in range(len(depths)))
        stored = Array(Signal(name=f"stored_{index}") for index in range(len(depths)))
        places = Array(bases[index] + entered[index] for index in range(len(depths)))
        # A word may take the place of one that has left. All channels are looked at before one is chosen.
        has_room = Array(
            ~ended[index]
            & (entered[index] != depth)
            & (~self.leaving | (self.leaving_channel != index) | (places[index] < self.unread))
            for index, depth in enumerate(depths)
        )
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
        ]
        for index in range(len(depths)):
            m.d.comb += [self.stored[index].eq(stored[index]), self.words[index].eq(entered[index])]
        written = Cat(self.written_last, self.written_channel)
        prepared = delayed(m, written, self.config.preparation_latency, "prepared")
        with m.If(prepared[0]):
            m.d.sync += stored[prepared[1:]].eq(1)
        with m.If(accept):
            m.d.sync += [entered[self.channel].eq(entered[self.channel] + 1), ended[self.channel].eq(self.last)]
        with m.If(self.handover):
            m.d.sync += [ended[self.candidate].eq(0), stored[self.candidate].eq(0), entered[self.candidate].eq(0)]
        return m
