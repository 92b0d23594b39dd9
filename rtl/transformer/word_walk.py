"""The walk through a step's words, and how long its unit is busy with them."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.constant_products import times
from rtl.layouts import indices, levels
from rtl.limits import check_range
from rtl.transformer.timing import Timing


class WordWalk(wiring.Component):
    """Counts words, each of which takes as many cycles as its step says, step behind step without a gap.

    Parameters
    ----------
    words
        Most words of a step, 1 to 65536.
    pace
        Most cycles a word, 1 to 16.
    latency
        Cycles from the one in which a word is named to the first in which all that becomes of it can be seen, 1 to 255.
    settling
        How many more it takes of steps that say so.

    Members
    -------
    start
        In, 1: a step begins in the next cycle, with `last_word` and `last_beat`; only while `ready`.
    last_word, last_beat
        In: the last word's index; the last cycle's index within a word.
    settles
        In, 1, with `valid`: the step's words take `settling` cycles more.
    ready
        Out, 1: no step has words beyond this cycle.
    valid
        Out, 1: there is a word in this cycle.
    word, beat
        Out: its index; the cycle's index within the word.
    ends
        Out, 1: it is the word's last cycle.
    first, last
        Out, 1: it is the step's first cycle; its last one.
    busy
        Out, 1: there is a word, or there was one of which something cannot be seen yet.

    """

    start: Signal
    last_word: Signal
    last_beat: Signal
    settles: Signal
    ready: Signal
    valid: Signal
    word: Signal
    beat: Signal
    ends: Signal
    first: Signal
    last: Signal
    busy: Signal

    def __init__(self, words: int, pace: int, latency: int, settling: int = 0):
        check_range("word walk", "words", words, 1, 1 << 16)
        check_range("word walk", "pace", pace, 1, 16)
        check_range("word walk", "latency", latency, 1, 255)
        self.latency, self.settling = latency, settling
        super().__init__(
            {
                "start": In(1),
                "last_word": In(indices(words)),
                "last_beat": In(indices(pace)),
                "settles": In(1),
                "ready": Out(1, init=1),
                "valid": Out(1),
                "word": Out(indices(words)),
                "beat": Out(indices(pace)),
                "ends": Out(1),
                "first": Out(1),
                "last": Out(1),
                "busy": Out(1),
            }
        )

    @staticmethod
    def timing(words: int, pace: int, latency: int) -> Timing:
        """Of a step of so many words of so many cycles; a `latency` has what is settling in it."""
        return Timing(words * pace, words * pace + latency)

    def elaborate(self, platform) -> Module:
        """Two counters, and one for what is on its way behind the last word."""
        m = Module()
        last_word, last_beat = Signal.like(self.last_word), Signal.like(self.last_beat)
        left = Signal(range(self.latency + self.settling))
        m.d.comb += [
            self.ends.eq(self.valid & (self.beat == last_beat)),
            self.last.eq(self.ends & (self.word == last_word)),
            self.ready.eq(~self.valid | self.last),
            self.busy.eq(self.valid | (left != 0)),
        ]
        with m.If(self.valid):
            m.d.sync += [
                self.first.eq(0),
                self.beat.eq(Mux(self.ends, 0, self.beat + 1)),
                self.word.eq(self.word + self.ends),
                left.eq(Mux(self.settles, self.latency + self.settling - 1, self.latency - 1)),
            ]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(self.last):
            m.d.sync += self.valid.eq(0)
        with m.If(self.start):
            m.d.sync += [
                self.valid.eq(1),
                self.first.eq(1),
                self.word.eq(0),
                self.beat.eq(0),
                last_word.eq(self.last_word),
                last_beat.eq(self.last_beat),
            ]
        return m


def last_in_chunks(chunk: Value, words: int) -> Value:
    """The last word's index of the chunks up to one, of so many words each: ``(chunk + 1) · words - 1``."""
    power = words & -words
    odd = words // power
    return Cat(Const(power - 1, levels(power)), times(chunk, odd) + (odd - 1))
