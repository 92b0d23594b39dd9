"""What the units of a decoder's requests are, and whether they are what these must have."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.link.format import UNIT_BYTES, Command
from golden.link.language_format import END_TOKENS, STEPWISE
from rtl.transformer.config import DecoderConfig
from rtl.transformer.generator import Layouts

_HALF = 16
"""Bits of the units behind the first one."""
_NUMBER, _LIMIT, _MANTISSA, _EXPONENT, _SEED, _USED, _ENDS = 0, 2, 3, 4, 5, 7, 8
"""Places of a ``generate`` behind its first unit."""
PROMPT_PLACE = _ENDS + END_TOKENS
"""Place of the prompt's first token."""


class SequenceParser(wiring.Component):
    """Follows a reading of a ``generate``, ``tokens``, ``abort`` or ``logits``, see `golden.link.language_format`.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    start
        In, 1: a reading begins with the next cycle.
    command
        In, 8.
    unit, taken, last
        In: a unit of the payload, the first one of 32 bits and all others of 16; whether it passes, and whether none
        follows.
    write
        In, 1: keep the settings that pass.
    image
        In, 32: the image's sum.
    forget
        In, 1: there is no sequence.
    number
        Out, 32: of the sequence; 0 for none.
    settings, stepwise
        Out, `Layouts.settings`, and 1: those that were kept.
    in_prompt, place
        Out: whether the unit is a token of the prompt, and which.
    count
        Out, 16: of ``tokens`` and ``logits``.
    named
        Out, 1: the request is for the image, or for the sequence, that the device has.
    whole
        Out, 1: it has all that the command needs.
    fits
        Out, 1: settings and tokens are possible ones, and the prompt has room.

    `named`, `whole`, `fits` and `count` are right when all units have passed.

    """

    start: Signal
    command: Signal
    unit: Signal
    taken: Signal
    last: Signal
    write: Signal
    image: Signal
    forget: Signal
    number: Signal
    settings: data.View
    stepwise: Signal
    in_prompt: Signal
    place: Signal
    count: Signal
    named: Signal
    whole: Signal
    fits: Signal

    def __init__(self, config: DecoderConfig):
        self.config, self.layouts = config, Layouts(config)
        flags = dict.fromkeys(("start", "taken", "last", "write", "forget"), In(1))
        flags |= dict.fromkeys(("stepwise", "in_prompt", "named", "whole", "fits"), Out(1))
        super().__init__(
            {
                "command": In(8),
                "unit": In(8 * UNIT_BYTES),
                "image": In(32),
                "number": Out(32),
                "settings": Out(self.layouts.settings),
                "place": Out(self.layouts.count),
                "count": Out(_HALF),
                **flags,
            }
        )

    def elaborate(self, platform) -> Module:
        """The first unit names image or sequence; of the others, a counter says what they are."""
        m = Module()
        is_generate, is_abort = self.command == Command.GENERATE, self.command == Command.ABORT
        half = self.unit[-_HALF:]
        first, index = Signal(init=1), Signal(range(PROMPT_PLACE + 1))
        m.d.comb += self.in_prompt.eq(~first & (index == PROMPT_PLACE))
        with m.If(self.taken):
            m.d.sync += first.eq(0)
            with m.If(first):
                named = Mux(is_generate, self.image, self.number)
                m.d.sync += [
                    self.named.eq((self.unit == named) & (is_generate | (self.number != 0))),
                    self.whole.eq(is_abort & self.last),
                ]
            with m.Else():
                m.d.sync += [
                    self.count.eq(half),
                    self.fits.eq(self.fits & (self._possible(m, index, half) | ~is_generate)),
                    self.whole.eq(self.last & ~is_abort & Mux(is_generate, self.in_prompt, index == 0)),
                ]
                with m.If(self.in_prompt):
                    m.d.sync += self.place.eq(self.place + 1)
                with m.Else():
                    m.d.sync += index.eq(index + 1)
                with m.If(self.write):
                    self._keep(m, index, half)
        with m.If(self.start):
            m.d.sync += [
                first.eq(1),
                index.eq(0),
                self.place.eq(0),
                self.named.eq(0),
                self.whole.eq(0),
                self.fits.eq(1),
            ]
        with m.If(self.forget):
            m.d.sync += self.number.eq(0)
        return m

    def _possible(self, m: Module, index: Signal, half: Value) -> Value:
        """Whether a unit of a ``generate`` can be what it stands for."""
        config = self.config
        possible, token = Signal(), half < config.shape.vocabulary
        exponent = half.as_signed()
        kept = len(self.settings.temperature.exponent)
        with m.Switch(index):
            with m.Case(_LIMIT):
                m.d.comb += possible.eq(half <= config.shape.context)
            with m.Case(_MANTISSA):
                m.d.comb += possible.eq(half[config.form.scale_bits :] == 0)
            with m.Case(_EXPONENT):
                m.d.comb += possible.eq(exponent == exponent[:kept].as_signed())
            with m.Case(_USED):
                m.d.comb += possible.eq((half & ~(STEPWISE | (1 << END_TOKENS) - 1)) == 0)
            with m.Case(*range(_ENDS, PROMPT_PLACE)):
                m.d.comb += possible.eq(token)
            with m.Case(PROMPT_PLACE):
                m.d.comb += possible.eq(token & (self.place != config.shape.context))
            with m.Default():
                m.d.comb += possible.eq(1)
        return possible

    def _keep(self, m: Module, index: Signal, half: Value) -> None:
        """A unit into its register."""
        settings = self.settings
        ends = [settings.ends[end] for end in range(END_TOKENS)]
        with m.Switch(index):
            for place in range(2):
                with m.Case(_NUMBER + place):
                    m.d.sync += self.number.word_select(place, _HALF).eq(half)
                with m.Case(_SEED + place):
                    m.d.sync += settings.seed.word_select(place, _HALF).eq(half)
            with m.Case(_LIMIT):
                m.d.sync += settings.limit.eq(half)
            with m.Case(_MANTISSA):
                m.d.sync += settings.temperature.mantissa.eq(half)
            with m.Case(_EXPONENT):
                m.d.sync += settings.temperature.exponent.eq(half)
            with m.Case(_USED):
                m.d.sync += [Cat(end.used for end in ends).eq(half), self.stepwise.eq(half[-1])]
            for place, end in enumerate(ends, _ENDS):
                with m.Case(place):
                    m.d.sync += end.token.eq(half)
