"""The way out of the quantiser's memory: which vector leaves next, and which of its words is read."""

from collections.abc import Sequence

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.quantiser.config import QuantizerConfig


class Departures(wiring.Component):
    """Reads vector after vector, each in one piece, a word in each cycle in which the way out moves.

    Of the vectors that are measured, the one of the lowest channel becomes the *candidate*, as soon as there is none or
    the first word of the one before has been read. Once its divisor is prepared and no other vector leaves, it
    is handed over.

    Parameters
    ----------
    config
        The quantiser.

    Members
    -------
    enable
        In, 1: the way out moves; while 0, nothing is read.
    measured
        In, a bit for each channel: its vector can be chosen from the next cycle on.
    ends, single
        In: as the ones of `rtl.quantiser.arrivals.Arrivals`.
    prepared
        In, 1: the candidate can be handed over.
    chosen
        Out, 1: there is a new candidate in this cycle.
    handover, candidate
        Out: the vector of channel `candidate` is handed over, and its first word read.
    address
        Out, `QuantizerConfig.address`: the word to read, if `enable`.
    leave
        Out, `QuantizerConfig.flags`: of the word that is read.
    left
        Out, `QuantizerConfig.flags`: of the word that was read; with `enable`, it moves on.

    """

    enable: Signal
    measured: Signal
    ends: data.View
    single: Signal
    prepared: Signal
    chosen: Signal
    handover: Signal
    candidate: Signal
    address: Signal
    leave: data.View
    left: data.View

    def __init__(self, config: QuantizerConfig):
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "measured": In(len(config.depths)),
                "ends": In(config.places),
                "single": In(len(config.depths)),
                "prepared": In(1),
                "chosen": Out(1),
                "handover": Out(1),
                "candidate": Out(config.channel),
                "address": Out(config.address),
                "leave": Out(config.flags),
                "left": Out(config.flags),
            }
        )

    def elaborate(self, platform) -> Module:
        """The candidate, and the vector that leaves. What decides is in flags: the memory's address is far away."""
        m = Module()
        bases, channels = Array(self.config.bases), len(self.config.depths)
        known, lowest = Signal(channels), Signal.like(self.candidate)
        # Of the candidate: whether there is one; is handed over; has one word; where its last word is.
        present, handed, single, end = Signal(), Signal(), Signal(), Signal(self.config.address)
        # Of the vector that leaves, behind its first word: whether there is one; that is its last word; its end.
        leaving, ending, leaving_end = Signal(), Signal(), Signal(self.config.address)
        leaving_channel = Signal.like(self.candidate)
        choose, taken, continues = Signal(), Signal(), Signal()
        m.d.comb += [
            taken.eq(self.left.valid & self.left.first & self.enable),
            choose.eq((~present | taken) & known.any()),
            lowest.eq(_lowest(list(known))),
            self.handover.eq(present & ~handed & self.prepared & ~leaving & self.enable),
            self.leave.valid.eq(self.handover | leaving),
            self.leave.first.eq(~leaving),
            self.leave.last.eq(Mux(leaving, ending, single)),
            self.leave.channel.eq(Mux(leaving, leaving_channel, self.candidate)),
            continues.eq((self.handover | (leaving & self.enable)) & ~self.leave.last),
        ]
        m.d.sync += [known.eq((known | self.measured) & ~(choose << lowest)), self.chosen.eq(choose)]
        with m.If(choose):
            m.d.sync += [
                present.eq(1),
                handed.eq(0),
                self.candidate.eq(lowest),
                single.eq(self.single.bit_select(lowest, 1)),
                end.eq(Array(self.ends[index] for index in range(channels))[lowest]),
            ]
        with m.Elif(taken):
            m.d.sync += present.eq(0)
        with m.If(self.handover):
            m.d.sync += [handed.eq(1), leaving_channel.eq(self.candidate), leaving_end.eq(end)]
        with m.If(self.enable):
            m.d.sync += [leaving.eq(continues), self.left.eq(self.leave)]
        with m.If(continues):
            m.d.sync += [
                self.address.eq(self.address + 1),
                ending.eq(self.address + 1 == Mux(leaving, leaving_end, end)),
            ]
        with m.Elif(~leaving | self.enable):
            m.d.sync += self.address.eq(bases[Mux(choose, lowest, self.candidate)])
        return m


def _lowest(flags: Sequence[Value]) -> Value:
    """The number of the first flag that is set; the last one's if none is."""
    number: Value = Const(len(flags) - 1)
    for index in reversed(range(len(flags) - 1)):
        number = Mux(flags[index], index, number)
    return number
