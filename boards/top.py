"""What goes into a board's FPGA: the clock, the reset after power-up, and the engine on its serial line."""

from amaranth.hdl import ClockDomain, ClockSignal, Const, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from boards.clock import Ecp5Pll, Ice40Pll
from rtl.hosted import HostedEngine

RESET_SECONDS = 20e-6
"""How long the reset lasts after the clock is stable: an iCE40's block RAM reads wrongly for its first microseconds."""


class BoardTop(wiring.Component):
    """A board's FPGA at its pins.

    Parameters
    ----------
    hosted
        The engine with its link.
    pll
        Makes the engine's clock of the board's; without one they are the same.

    Members
    -------
    clk
        In, 1: the board's clock.
    rx
        In, 1: the line from the host, asynchronous.
    tx
        Out, 1: the line to the host.

    The engine starts `RESET_SECONDS` after the PLL has locked, and starts anew if it loses lock.

    """

    clk: Signal
    rx: Signal
    tx: Signal

    def __init__(self, hosted: HostedEngine, pll: Ice40Pll | Ecp5Pll | None):
        self.hosted, self.pll = hosted, pll
        super().__init__({"clk": In(1), "rx": In(1, init=1), "tx": Out(1, init=1)})

    @property
    def reset_cycles(self) -> int:
        """Cycles that the reset lasts."""
        return int(RESET_SECONDS * self.hosted.uart.clock_hz) + 1

    def elaborate(self, platform) -> Module:
        """A PLL, a counter that ends the reset, and the engine."""
        m = Module()
        m.domains.sync = ClockDomain()
        m.domains.start = ClockDomain(reset_less=True)
        m.d.comb += ClockSignal("start").eq(ClockSignal("sync"))
        stable = Signal()
        if self.pll:
            clock, locked = Signal(), Signal()
            m.submodules.pll = self.pll.instance(self.clk, clock, locked)
            m.submodules.lock = FFSynchronizer(locked, stable, o_domain="start")
            m.d.comb += ClockSignal("sync").eq(clock)
        else:
            m.d.comb += [ClockSignal("sync").eq(self.clk), stable.eq(Const(1))]
        waited = Signal(range(self.reset_cycles + 1))
        running = Signal()
        m.d.comb += ResetSignal("sync").eq(~running)
        with m.If(~stable):
            m.d.start += [waited.eq(0), running.eq(0)]
        with m.Elif(waited == self.reset_cycles):
            m.d.start += running.eq(1)
        with m.Else():
            m.d.start += waited.eq(waited + 1)
        m.submodules.hosted = hosted = self.hosted
        m.d.comb += [hosted.rx.eq(self.rx), self.tx.eq(hosted.tx)]
        return m
