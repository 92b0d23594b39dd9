"""Norms in front of the quantiser: vectors are stored, summed up, and leave normed, one after another."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.formats import NORM_FIELDS
from rtl.engine.norm_config import NormConfig
from rtl.engine.norm_root import NormRoot
from rtl.layouts import levels
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import delayed, registered
from rtl.quantiser.config import QuantizerConfig


class Norm(wiring.Component):
    """``y = (g·(n·x - S) + b·R + half) >> shift`` for each value x of a vector of n, with gains g and biases b.

    S is the sum, R the root of n times the sum of squares less S², and half is half of a result's unit.

    Words of different channels may enter in any order. Vectors are taken on in the order of their last words, one at a
    time: first the root is made, then the words leave. One of the last channel, which has the inputs, is taken on only
    when what follows takes a word of it; the other channels' words always have room there.

    Parameters
    ----------
    config
        The widths.
    quantizer
        What follows.

    Members
    -------
    i
        In, stream of `NormConfig.entry`'s words: vectors of 1 word to their channel's depth, 0 beyond their values.
    o
        Out, stream of the quantiser's words. ``ready`` is looked at with the last channel in the payload, before a
        vector of it is taken on.
    elements, first_gains
        In, by channel: n, and the address of the first word of gains of the vector that enters.
    gain
        Out: an address of the memory of gains.
    gains
        In, `NormConfig.gains`: that word, `LoadableMemory.LATENCY` cycles later.

    Latency: `NormConfig.sum_latency` + `NormConfig.output_latency` from the last word in to the first word out, when
    nothing is in the way; the next vector can be taken on `NormConfig.output_latency` cycles and those of its words
    after the one before. Between the last word of a vector and the first of its channel's next, the same but for
    the pipeline at the end: `NormConfig.reopening`.

    """

    i: stream.Interface
    o: stream.Interface
    elements: data.View
    first_gains: data.View
    gain: Signal
    gains: data.View

    def __init__(self, config: NormConfig, quantizer: QuantizerConfig):
        self.config = config
        channels = len(config.depths)
        super().__init__(
            {
                "i": In(stream.Signature(config.entry.input_word)),
                "o": Out(stream.Signature(quantizer.input_word)),
                "elements": In(data.ArrayLayout(NORM_FIELDS["elements"], channels)),
                "first_gains": In(data.ArrayLayout(config.gain, channels)),
                "gain": Out(config.gain),
                "gains": In(config.gains),
            }
        )

    def elaborate(self, platform) -> Module:
        """Words into a memory, their sums beside it; then one vector after another out of it."""
        m = Module()
        config, entry = self.config, self.config.entry
        channels = range(len(config.depths))
        m.submodules.memory = memory = Memory(shape=config.lanes * config.width, depth=len(entry.address), init=[])
        write, read = memory.write_port(), memory.read_port()
        counts = Array(Signal(range(depth + 1), name=f"count_{c}") for c, depth in enumerate(config.depths))
        full = Array(Signal(name=f"full_{c}") for c in channels)
        channel, accept = self.i.payload.channel, Signal()
        m.d.comb += [
            self.i.ready.eq(~full[channel]),
            accept.eq(self.i.valid & self.i.ready),
            write.en.eq(accept),
            write.addr.eq(Array(entry.bases)[channel] + counts[channel]),
            write.data.eq(self.i.payload.data.as_value()),
        ]
        with m.If(accept):
            m.d.sync += [counts[channel].eq(counts[channel] + 1), full[channel].eq(self.i.payload.last)]
        totals, squares, ended = self._sums(m, accept)

        m.submodules.order = order = SyncFIFO(width=len(Cat(channel)), depth=len(channels) + 1)
        m.d.comb += [order.w_en.eq(ended[0]), order.w_data.eq(ended[1:])]
        idle, start, current = Signal(init=1), Signal(), Signal.like(channel)
        running, last, left = Signal(), Signal(), Signal(range(max(config.depths) + 1))
        m.submodules.root = root = NormRoot(config)
        head = order.r_data
        elements, total = Signal(config.elements.bit_length()), Signal(signed(config.sum_bits))
        m.d.comb += [
            start.eq(idle & order.r_rdy & ((head != channels[-1]) | self.o.ready)),
            order.r_en.eq(start),
            root.start.eq(start),
            root.elements.eq(self.elements[head]),
            root.total.eq(totals[head]),
            root.squares.eq(squares[head]),
            last.eq(running & (left == 1)),
        ]
        with m.If(start):
            m.d.sync += [
                idle.eq(0),
                current.eq(head),
                elements.eq(self.elements[head]),
                total.eq(totals[head]),
                totals[head].eq(0),
                squares[head].eq(0),
                left.eq(counts[head]),
                read.addr.eq(Array(entry.bases)[head]),
                self.gain.eq(self.first_gains[head]),
            ]
        with m.If(root.done):
            m.d.sync += running.eq(1)
        with m.If(running):
            m.d.sync += [left.eq(left - 1), read.addr.eq(read.addr + 1), self.gain.eq(self.gain + 1)]
        with m.If(last):
            m.d.sync += [running.eq(0), full[current].eq(0), counts[current].eq(0)]
        self._lanes(m, read.data, elements, total, root.root)
        passing = delayed(m, Cat(running, last), config.output_latency - config.root_latency - 1, "passing")
        with m.If(passing[0] & passing[1]):
            m.d.sync += idle.eq(1)
        m.d.comb += [self.o.valid.eq(passing[0]), self.o.payload.last.eq(passing[1])]
        with m.If(idle):
            m.d.comb += self.o.payload.channel.eq(channels[-1])
        with m.Else():
            m.d.comb += self.o.payload.channel.eq(current)
        return m

    def _sums(self, m: Module, accept: Signal) -> tuple[Array, Array, Value]:
        """By channel, the sums of values and of squares so far; and a flag and a channel, whose vector's are whole."""
        config, channels = self.config, range(len(self.config.depths))
        totals = Array(Signal(signed(config.sum_bits), name=f"total_{c}") for c in channels)
        squares = Array(Signal(config.square_bits, name=f"squares_{c}") for c in channels)
        values = [Signal(signed(config.width), name=f"value_{lane}", reset_less=True) for lane in range(config.lanes)]
        for value, given in zip(values, self.i.payload.data, strict=True):
            m.d.sync += value.eq(given)
        payload = self.i.payload
        flags = delayed(m, Cat(accept & payload.last, accept, payload.channel), 2 + levels(config.lanes), "entered")
        total = _total(m, [registered(m, value, f"beside_{lane}") for lane, value in enumerate(values)], "sum")
        square = _total(
            m, [registered(m, value * value, f"square_{lane}") for lane, value in enumerate(values)], "squares"
        )
        into = flags[2:]
        with m.If(flags[1]):
            m.d.sync += [totals[into].eq(totals[into] + total), squares[into].eq(squares[into] + square)]
        return totals, squares, Cat(flags[0], into)

    def _lanes(self, m: Module, word: Value, elements: Signal, total: Signal, root: Signal) -> None:
        """The words that leave, on their way to `o`."""
        config, shift = self.config, self.config.norming.shift
        # The memory's register is one cycle of those that the gains take.
        values = delayed(m, word, LoadableMemory.LATENCY - 1, "word", reset_less=True)
        gains = delayed(m, self.gains.as_value(), 2, "gains", reset_less=True)
        for lane in range(config.lanes):
            value = values.word_select(lane, config.width).as_signed()
            pair = config.gains.elem_shape(gains.word_select(lane, config.gains.elem_shape.size))
            scaled = registered(m, value * elements.as_unsigned(), f"scaled_{lane}", reset_less=True)
            deviation = registered(m, scaled - total, f"deviation_{lane}", reset_less=True)
            product = registered(m, deviation * pair.gain.as_signed(), f"product_{lane}", reset_less=True)
            moved = registered(m, root * pair.bias.as_signed() + (1 << shift >> 1), f"moved_{lane}", reset_less=True)
            m.d.sync += self.o.payload.data[lane].eq(product + moved >> shift)


def _total(m: Module, values: Sequence[Value], name: str) -> Value:
    """The sum of values of one width, `levels` of their number cycles later."""
    for level in range(levels(len(values))):
        pairs = [values[index : index + 2] for index in range(0, len(values), 2)]
        values = [
            registered(m, sum(pair[1:], pair[0]), f"{name}_{level}_{index}", reset_less=True)
            for index, pair in enumerate(pairs)
        ]
    return values[0]
