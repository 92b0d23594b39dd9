"""The way out of the array: a tile's sums leave a few at a time."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices
from rtl.transformer.config import DecoderConfig
from rtl.transformer.kinds import Result
from rtl.transformer.steps import Steps


class TileWords(wiring.Component):
    """A shift register of sums, whose words leave every cycle, or as fast as the sampler takes logits.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    done
        In, 1: a tile's sums are there. Tiles are as far apart as `ArrayWalk` keeps them.
    final
        In, 1: with `done`, the tile is the last of its step.
    sums
        In, ArrayLayout(signed(accumulator), R): with `done`.
    step
        In, `Steps.array`: of the tile; the next one's from the cycle on behind the last word of the one before.
    o
        Out, stream of `Steps.sums`, always taken.

    Latency: `LATENCY` cycle from `done` to a tile's first word.

    """

    LATENCY = 1

    done: Signal
    final: Signal
    sums: data.View
    step: data.View
    o: stream.Interface

    def __init__(self, config: DecoderConfig):
        self.config = config
        steps = Steps(config)
        super().__init__(
            {
                "done": In(1),
                "final": In(1),
                "sums": In(data.ArrayLayout(signed(config.accumulator), config.rows)),
                "step": In(steps.array),
                "o": Out(stream.Signature(steps.sums, always_ready=True)),
            }
        )

    @classmethod
    def pace(cls, config: DecoderConfig, result: Result) -> int:
        """Cycles from a word to the next one of its tile."""
        return config.lanes // config.choices if result is Result.LOGIT else 1

    def elaborate(self, platform) -> Module:
        """The sums, the words that are left of them, and the cycles until the next."""
        m = Module()
        words, pace = self.config.rows // self.config.lanes, self.pace(self.config, Result.LOGIT)
        o, bits = self.o.payload, self.config.lanes * self.config.accumulator
        waiting = Signal(self.config.rows * self.config.accumulator, reset_less=True)
        running, left, pause = Signal(), Signal(indices(words)), Signal(indices(pace))
        final = Signal()
        # Of scores, all tokens' leave, and those beyond the last one's in its tile.
        m.d.comb += [
            self.o.valid.eq(running & (pause == 0)),
            o.data.eq(waiting[:bits]),
            o.step.eq(self.step),
            o.last.eq(Mux(self.step.by_tiles, final & (left == 0), o.index == self.step.words)),
        ]
        index = Signal.like(o.index)
        m.d.comb += o.index.eq(index)
        with m.If(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        with m.If(self.o.valid):
            m.d.sync += [
                waiting.eq(waiting >> bits),
                left.eq(left - 1),
                index.eq(Mux(o.last, 0, index + 1)),
                pause.eq(Mux(self.step.result == Result.LOGIT, pace - 1, 0)),
            ]
            with m.If(o.last | (left == 0)):
                m.d.sync += running.eq(0)
        with m.If(self.done):
            m.d.sync += [waiting.eq(self.sums), left.eq(words - 1), running.eq(1), pause.eq(0), final.eq(self.final)]
        return m
