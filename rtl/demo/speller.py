"""Tokens to text: their bytes out of a table on chip."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.errors import TritweaveError
from rtl.layouts import indices


class Speller(wiring.Component):
    """Gives each token's bytes, one after another.

    Parameters
    ----------
    spelt
        Each token's bytes; a token may have none, all must not.

    Members
    -------
    i
        In, stream of a token's number.
    o
        Out, stream of unsigned(8).

    Latency: 3 cycles to the first byte. Throughput: one byte in 2 cycles, and 2 cycles more a token.

    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, spelt: Sequence[bytes]):
        self._text = b"".join(spelt)
        if not self._text:
            raise TritweaveError(f"speller: none of the {len(spelt)} tokens has a byte; it needs a tokenizer's table")
        self._layout = data.StructLayout({"start": indices(len(self._text)), "count": range(max(map(len, spelt)) + 1)})
        starts = [sum(map(len, spelt[:token])) for token in range(len(spelt))]
        self._places = [
            {"start": start if word else 0, "count": len(word)} for start, word in zip(starts, spelt, strict=True)
        ]
        super().__init__({"i": In(stream.Signature(indices(len(spelt)))), "o": Out(stream.Signature(8))})

    def elaborate(self, platform) -> Module:
        """A table of places, and one of bytes."""
        m = Module()
        m.submodules.places = places = Memory(shape=self._layout, depth=max(len(self._places), 2), init=self._places)
        m.submodules.text = text = Memory(shape=8, depth=max(len(self._text), 2), init=self._text)
        place, byte = places.read_port(), text.read_port()
        at, left = Signal.like(place.data.start), Signal.like(place.data.count)
        m.d.comb += [place.addr.eq(self.i.payload), byte.addr.eq(at), self.o.payload.eq(byte.data)]
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.next = "PLACE"
            with m.State("PLACE"):
                m.d.sync += [at.eq(place.data.start), left.eq(place.data.count)]
                m.next = "FETCH"
                with m.If(place.data.count == 0):
                    m.next = "TAKE"
            with m.State("FETCH"):
                m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [at.eq(at + 1), left.eq(left - 1)]
                    m.next = "FETCH"
                    with m.If(left == 1):
                        m.next = "TAKE"
        return m
