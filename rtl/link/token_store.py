"""A sequence's tokens on chip: its prompt until it has been taken, then those that were made of it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import BYTE
from rtl.transformer.config import DecoderConfig
from rtl.transformer.generator import ENDING, Layouts


class TokenStore(wiring.Component):
    """Gives a prompt to a generator, keeps what comes back, and spells it for the host.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    write, place, token
        In: a token of the prompt, and its place; not while `running`.
    begin
        In, 1: with the prompt's last token: the sequence begins.
    prompt, made
        Out, stream of `Layouts.prompt`, and in, stream of `Layouts.made`: the generator's.
    hold
        In, 1: `made` waits.
    running
        Out, 1: a sequence is under way.
    count, ending
        Out: tokens made so far; a `golden.link.language_format.Ending`, or 0.
    read, first
        In, 1, and in: the reply to ``tokens`` is wanted, without so many tokens.
    o
        Out, stream of `BYTE`: it, of what was there at `read`.

    Throughput: a token of the prompt in 2 cycles; a byte in 3 cycles, so that the memory is in time.

    """

    write: Signal
    place: Signal
    token: Signal
    begin: Signal
    prompt: stream.Interface
    made: stream.Interface
    hold: Signal
    running: Signal
    count: Signal
    ending: Signal
    read: Signal
    first: Signal
    o: stream.Interface

    def __init__(self, config: DecoderConfig):
        self.config, self.layouts = config, Layouts(config)
        flags = dict.fromkeys(("write", "begin", "hold", "read"), In(1))
        super().__init__(
            {
                "place": In(self.layouts.count),
                "token": In(self.layouts.token),
                "prompt": Out(stream.Signature(self.layouts.prompt)),
                "made": In(stream.Signature(self.layouts.made)),
                "running": Out(1),
                "count": Out(self.layouts.count),
                "ending": Out(ENDING),
                "first": In(self.layouts.count),
                "o": Out(stream.Signature(BYTE)),
                **flags,
            }
        )

    def elaborate(self, platform) -> Module:
        """One memory: what was made lies over the prompt, which has been taken by then."""
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.layouts.token, depth=max(self.config.shape.context, 2), init=[]
        )
        write, read = memory.write_port(), memory.read_port()
        feeding, feed, last = Signal(), Signal(self.layouts.count), Signal(self.layouts.count)
        spelling = Signal(self.layouts.count)
        m.d.comb += [
            write.addr.eq(Mux(self.running, self.count, self.place)),
            write.data.eq(Mux(self.running, self.made.payload.token, self.token)),
            read.addr.eq(Mux(feeding, feed, spelling)),
            self.prompt.payload.token.eq(read.data),
            self.prompt.payload.last.eq(feed == last),
            self.made.ready.eq(~self.hold),
        ]
        with m.If(self.write):
            m.d.comb += write.en.eq(1)
        with m.If(self.begin):
            m.d.sync += [self.running.eq(1), self.count.eq(0), self.ending.eq(0), feed.eq(0), last.eq(self.place)]
        with m.If(self.made.valid & self.made.ready):
            with m.If(self.made.payload.ended):
                m.d.sync += [self.running.eq(0), self.ending.eq(self.made.payload.reason)]
            with m.Else():
                m.d.comb += write.en.eq(1)
                m.d.sync += self.count.eq(self.count + 1)
        with m.FSM():
            with m.State("REST"), m.If(self.begin):
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += feeding.eq(1)
                m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += [feeding.eq(1), self.prompt.valid.eq(1)]
                with m.If(self.prompt.ready):
                    m.d.sync += feed.eq(feed + 1)
                    m.next = "FETCH"
                    with m.If(self.prompt.payload.last):
                        m.next = "REST"
        self._spell(m, spelling, read.data)
        return m

    def _spell(self, m: Module, spelling: Signal, token: Signal) -> None:
        """The ending, then the tokens, two bytes each."""
        ending, until = Signal(ENDING), Signal(self.layouts.count)
        in_tokens, high = Signal(), Signal()
        wide = Signal(16)
        m.d.comb += [
            wide.eq(token),
            self.o.valid.eq(1),
            self.o.payload.data.eq(Mux(in_tokens, wide.word_select(high, 8), ending)),
            self.o.payload.last.eq(Mux(in_tokens, high & (spelling + 1 == until), spelling >= until)),
        ]
        with m.If(self.o.ready):
            m.d.sync += [in_tokens.eq(1), high.eq(in_tokens & ~high), spelling.eq(spelling + (in_tokens & high))]
        with m.If(self.read):
            m.d.sync += [
                in_tokens.eq(0),
                high.eq(0),
                ending.eq(self.ending),
                until.eq(self.count),
                spelling.eq(self.first),
            ]
