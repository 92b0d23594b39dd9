"""What the host link knows of what is in the engine's memories: the sum of what was loaded, and whether it is whole."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.link.format import STATE_FIELDS
from rtl.crc32 import SUM, Crc32

STATE = data.StructLayout({name: 8 * size for name, size in STATE_FIELDS.items()})
"""See `golden.link.format.STATE_FIELDS`."""


class HeldImage(wiring.Component):
    """Keeps the `STATE` of the memories, see `golden.link.format`; like them, it outlives a reset.

    Parameters
    ----------
    last_input, image
        Of an image that the memories hold from the start, see `Link`.

    Members
    -------
    begin
        In, 1: an image begins; what was there is no more.
    forget
        In, 1: what was loaded is in doubt: the sum begins anew.
    finish
        In, 1: what was loaded is a whole image.
    i
        In, stream of unsigned(8): a byte of the image for the sum, with one in `Crc32.LATENCY` cycles taken.
    first, write
        In, 16, and in, 1: write the image's first 16 bits, which are the `last_input`.
    hold, filled, file
        In, 1, in, 1, and in, `SUM`: see `Link`.
    state, last_input
        Out: `STATE`, its sum right when no byte is being added; index of the input vector's last stream word.

    """

    begin: Signal
    forget: Signal
    finish: Signal
    i: stream.Interface
    first: Signal
    write: Signal
    hold: Signal
    filled: Signal
    file: wiring.PureInterface
    state: data.View
    last_input: Signal

    def __init__(self, *, last_input: int | None = None, image: int = 0):
        self._loaded, self._last_input, self._image = last_input is not None, last_input or 0, image
        super().__init__(
            {
                "begin": In(1),
                "forget": In(1),
                "finish": In(1),
                "i": In(stream.Signature(8)),
                "first": In(16),
                "write": In(1),
                "hold": In(1),
                "filled": In(1),
                "file": In(SUM),
                "state": Out(STATE),
                "last_input": Out(16),
            }
        )

    def elaborate(self, platform) -> Module:
        """Registers without a reset; one CRC-32 for host and loader."""
        m = Module()
        m.submodules.sum = crc = Crc32(kept=self._image)
        m.d.comb += [
            crc.start.eq(self.begin | self.forget | self.file.start),
            crc.data.eq(Mux(self.hold, self.file.data, self.i.payload)),
            crc.valid.eq(self.i.valid & ~crc.busy | self.file.valid),
            self.i.ready.eq(~crc.busy),
            self.file.busy.eq(crc.busy),
            self.file.crc.eq(crc.crc),
        ]
        loaded = Signal(init=self._loaded, reset_less=True)
        loads = Signal(self.state.loads.shape(), reset_less=True)
        last_input = Signal(16, init=self._last_input, reset_less=True)
        m.d.comb += [
            self.state.loaded.eq(loaded),
            self.state.loads.eq(loads),
            self.state.sum.eq(crc.crc),
            self.last_input.eq(last_input),
        ]
        with m.If(self.begin):
            m.d.sync += [loaded.eq(0), loads.eq(loads + 1)]
        with m.If(self.finish):
            m.d.sync += loaded.eq(1)
        with m.If(self.write):
            m.d.sync += last_input.eq(self.first)
        with m.If(self.hold):
            m.d.sync += [loaded.eq(self.filled), last_input.eq(self._last_input)]
        return m
