"""The demonstration of a language model without a host: it tells stories on a serial line."""

from collections.abc import Sequence
from typing import Final

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out, connect

from golden.errors import TritweaveError
from golden.language.format import SEED_FACTOR
from golden.link.language_format import END_TOKENS
from rtl.demo.speller import Speller
from rtl.limits import check_range
from rtl.link.uart import UartConfig, UartTransmitter
from rtl.transformer.generator import Generator


class Storyteller(wiring.Component):
    """Tells a story after a reset, and another one after each pause, or when a byte comes in meanwhile.

    Parameters
    ----------
    decoder
        A `rtl.transformer.decoder.Decoder`; its ``config`` says of what.
    spelt
        Each token's bytes. Those of `start` are sent at a story's end.
    start
        The token in front of a story.
    ends
        Tokens that end one, at most `golden.link.language_format.END_TOKENS`.
    temperature
        Mantissa and exponent of one over the temperature.
    uart
        The line's rate.
    pause
        Cycles between two stories, 2 to 2**32.
    display, lit
        Bits of the display, and those that are lit while a story is told.

    Members
    -------
    rx
        In, 1: the line from a terminal, asynchronous; only whether something comes matters.
    tx
        Out, 1: the line to a terminal.
    display
        Out.

    No two stories have the same seed: the first one's is 0, and it grows by 2 with each cycle that passes between
    stories, so a story is what `golden.language.sampler.Sampler` says for that seed. The decoder waits for the line.

    """

    SYNCHRONISED: Final = 2
    """Cycles from the line to what it starts."""

    rx: Signal
    tx: Signal
    display: Signal

    def __init__(
        self,
        decoder: wiring.Component,
        spelt: Sequence[bytes],
        *,
        start: int,
        ends: Sequence[int],
        temperature: tuple[int, int],
        uart: UartConfig,
        pause: int,
        display: int,
        lit: int,
    ):
        check_range("storyteller", "pause", pause, 2, 1 << 32)
        if len(ends) > END_TOKENS:
            raise TritweaveError(f"storyteller: {len(ends)} tokens end a story; it can tell {END_TOKENS} apart")
        if not spelt[start]:
            raise TritweaveError(f"storyteller: token {start}, the start, has no bytes; they part the stories")
        self.decoder, self.speller, self.uart = decoder, Speller(spelt), uart
        self.generator = Generator(decoder.config)
        self.start, self.ends, self.temperature, self.pause, self.lit = start, tuple(ends), temperature, pause, lit
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "display": Out(display)})

    def elaborate(self, platform) -> Module:
        """A row of parts, and what starts it."""
        m = Module()
        m.submodules.decoder = decoder = self.decoder
        m.submodules.generator = generator = self.generator
        m.submodules.speller = speller = self.speller
        m.submodules.transmitter = transmitter = UartTransmitter(self.uart)
        connect(m, generator.token, decoder.token)
        connect(m, decoder.choice, generator.choice)
        connect(m, speller.o, transmitter.i)
        state, line, left = Signal(32, init=SEED_FACTOR), Signal(init=1), Signal(range(self.pause))
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1, stages=self.SYNCHRONISED)
        settings, made = generator.settings, generator.o.payload
        mantissa, exponent = self.temperature
        m.d.comb += [
            settings.temperature.mantissa.eq(mantissa),
            settings.temperature.exponent.eq(exponent),
            decoder.temperature.eq(settings.temperature),
            decoder.seed.eq(state),
            generator.prompt.payload.token.eq(self.start),
            generator.prompt.payload.last.eq(1),
            speller.i.valid.eq(generator.o.valid),
            speller.i.payload.eq(Mux(made.ended, self.start, made.token)),
            generator.o.ready.eq(speller.i.ready),
            self.tx.eq(transmitter.tx),
        ]
        for setting, end in zip(settings.ends, self.ends, strict=False):
            m.d.comb += [setting.token.eq(end), setting.used.eq(1)]
        with m.FSM():
            with m.State("BEGIN"):
                m.d.comb += generator.prompt.valid.eq(1)
                with m.If(generator.prompt.ready):
                    m.next = "TELL"
            with m.State("TELL"):
                m.d.comb += self.display.eq(self.lit)
                m.d.sync += left.eq(self.pause - 1)
                with m.If(generator.o.valid & generator.o.ready & made.ended):
                    m.next = "REST"
            with m.State("REST"):
                m.d.sync += [left.eq(left - 1), state.eq(state + 2 * SEED_FACTOR)]
                with m.If((left == 0) | ~line):
                    m.next = "BEGIN"
        return m
