"""What the host link knows of the image in the engine's memories: its number, and where it may go on."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH, MEMORIES
from rtl.layouts import LOAD
from rtl.link.reply import STATE

_ADDRESS = LOAD["address"].width


class HeldImage(wiring.Component):
    """Follows an image as it is loaded, see `golden.link.format`; a reset changes nothing.

    Parameters
    ----------
    width
        Bits of an address behind any word that can be loaded, 1 to 24.
    last_input, image
        Of an image that the memories hold from the start, see `Link`.

    Members
    -------
    place
        In, 32: a place as a request names it, or a transfer's data, or an image's number.
    memory, address
        In: the transfer's memory; its word, behind the last one the word that would follow.
    write, first
        In, 1: `place` goes into the memories, and is the first transfer of its word: there is no image.
    end
        In, 1: what was written is all of a request: the image goes on at `memory` and `address`.
    finish
        In, 1: the image is complete, and `place` is its number.
    hold, filled
        In, 1: see `Link`.
    fits
        Out, 1: words may be loaded to `place`.
    whole
        Out, 1: `place` is where an image ends.
    state, last_input
        Out: `STATE`; index of the input vector's last stream word.

    """

    place: Signal
    memory: Signal
    address: Signal
    write: Signal
    first: Signal
    end: Signal
    finish: Signal
    hold: Signal
    filled: Signal
    fits: Signal
    whole: Signal
    state: data.View
    last_input: Signal

    def __init__(self, width: int, *, last_input: int | None = None, image: int = 0):
        self._loaded, self._last_input, self._image = last_input is not None, last_input or 0, image
        super().__init__(
            {
                "place": In(LOAD_WIDTH),
                "memory": In(8),
                "address": In(width),
                "write": In(1),
                "first": In(1),
                "end": In(1),
                "finish": In(1),
                "hold": In(1),
                "filled": In(1),
                "fits": Out(1),
                "whole": Out(1),
                "state": Out(STATE),
                "last_input": Out(16),
            }
        )

    def elaborate(self, platform) -> Module:
        """Registers without a reset, like the memories themselves."""
        m = Module()
        state = Signal(STATE, init={"loaded": int(self._loaded), "image": self._image}, reset_less=True)
        last_input = Signal(16, init=self._last_input, reset_less=True)
        m.d.comb += [self.state.eq(state), self.last_input.eq(last_input)]
        with m.If(self.write):
            m.d.sync += state.loaded.eq(0)
            with m.If(self.first & (self.memory == 0) & (self.address == 0)):
                m.d.sync += last_input.eq(self.place)
        with m.If(self.finish):
            m.d.sync += [state.loaded.eq(1), state.image.eq(self.place)]
        with m.If(self.hold):
            image = Mux(self.filled, self._image, 0)
            m.d.sync += [state.loaded.eq(self.filled), state.image.eq(image), last_input.eq(self._last_input)]

        # An image continues where it ended or before, in the next memory, or begins anew.
        goes_on, goes_on_address = Signal(range(len(MEMORIES))), Signal.like(self.address)
        with m.If(self.end):
            m.d.sync += [goes_on.eq(self.memory), goes_on_address.eq(self.address)]
        place = data.View(data.StructLayout({"memory": 8, "address": _ADDRESS}), self.place)
        near, far = place.address[: len(self.address)], place.address[len(self.address) :].any()
        same = (place.memory == goes_on) & ~far
        begins = (near == 0) & ~far & ((place.memory == 0) | (place.memory == goes_on + 1))
        m.d.comb += [
            self.fits.eq(begins | same & (near <= goes_on_address)),
            self.whole.eq(same & (goes_on == len(MEMORIES) - 1) & (near == goes_on_address)),
        ]
        return m
