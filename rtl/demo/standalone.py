"""The demonstration without a host: an engine, built-in inputs, and a display."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect

from rtl.crc32 import Crc32, serve
from rtl.demo.displays import Display
from rtl.demo.showcase import Showcase
from rtl.engine.config import EngineConfig
from rtl.engine.engine import Engine
from rtl.limits import check_range
from rtl.memory.flash_loader import FLASH, FlashLoader


class StandaloneEngine(wiring.Component):
    """Runs built-in inputs in turn, each when the answer to the one before has been shown for its ticks.

    Parameters
    ----------
    config
        The engine.
    showcase
        The inputs.
    display
        For the answers; a wrong answer is a fault from then on, and so is a loader's.
    tick
        Cycles of a tick, at least 2; a run must be shorter than `Display.TICKS` of them.
    init
        What the memories hold from the start, see `Engine`.
    loader
        Fills the memories after a reset, before the first run.

    Members
    -------
    display
        Out: that of the display.
    flash
        Out, `FLASH`: to the flash, with a loader.

    """

    display: Signal
    flash: wiring.PureInterface

    def __init__(
        self,
        config: EngineConfig,
        showcase: Showcase,
        display: Display,
        *,
        tick: int,
        init: Mapping[str, Sequence[int]] | None = None,
        loader: FlashLoader | None = None,
    ):
        check_range("standalone engine", "tick", tick, 2, 1 << 32)
        self.showcase, self.lights, self.tick, self.loader = showcase, display, tick, loader
        self.engine = Engine(config, init)
        super().__init__({"display": Out(display.WIDTH)} | ({"flash": Out(FLASH)} if loader else {}))

    def elaborate(self, platform) -> Module:
        """The parts in a row, and two counters."""
        m = Module()
        m.submodules.engine = engine = self.engine
        m.submodules.showcase = showcase = self.showcase
        m.submodules.display = display = self.lights
        connect(m, showcase.i, engine.i)
        connect(m, engine.o, showcase.o)
        ready, fault = Signal(), Signal()
        if self.loader:
            m.submodules.loader = loader = self.loader
            connect(m, loader.flash, wiring.flipped(self.flash))
            connect(m, loader.load, engine.load)
            m.submodules.crc = crc = Crc32()
            serve(m, loader.sum, crc)
            m.d.comb += [ready.eq(loader.done), fault.eq(loader.fault)]
        else:
            m.d.comb += ready.eq(1)

        cycle, ticks = Signal(range(self.tick)), Signal(range(display.TICKS))
        last = cycle == self.tick - 1
        m.d.sync += cycle.eq(cycle + 1)
        with m.If(last):
            m.d.sync += [cycle.eq(0), ticks.eq(ticks + 1)]
            with m.If(ticks == display.TICKS - 1):
                m.d.sync += ticks.eq(0)
                m.d.comb += showcase.begin.eq(ready)
        m.d.comb += [
            display.tick.eq(last),
            display.shown.eq(showcase.shown),
            display.answer.eq(showcase.answer),
            display.fault.eq(showcase.wrong | fault),
            self.display.eq(display.display),
        ]
        return m
