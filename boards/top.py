"""What goes into a board's FPGA: the clock, the reset after power-up, and a core that does the work."""

from collections.abc import Collection, Iterator
from typing import cast

from amaranth.hdl import ClockDomain, ClockSignal, Const, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import Flow, In

from boards.clock import Pll
from boards.pins import port_bits

RESET_SECONDS = 20e-6
"""How long the reset lasts after the clock is stable: an iCE40's block RAM reads wrongly for its first microseconds."""


class BoardTop(wiring.Component):
    """A board's FPGA at its pins.

    Parameters
    ----------
    core
        Has the members that the top has, except for the clock; all are signals, or interfaces of signals.
    clock_hz
        Of the core.
    pll
        Makes the core's clock of the board's; without one they are the same.
    inverted
        Ports that mean 1 when they are low: ``flash_select`` is member ``select`` of interface ``flash``, ``leds[0]``
        the first bit of ``leds``.

    Members
    -------
    clk
        In, 1: the board's clock.
    ...
        Those of the core.

    The core starts `RESET_SECONDS` after the PLL has locked, and starts anew if it loses lock.

    """

    clk: Signal

    def __init__(self, core: wiring.Component, clock_hz: int, pll: Pll | None, inverted: Collection[str] = ()):
        self.core, self.clock_hz, self.pll, self.inverted = core, clock_hz, pll, inverted
        super().__init__({"clk": In(1), **core.signature.members})

    @property
    def reset_cycles(self) -> int:
        """Cycles that the reset lasts."""
        return int(RESET_SECONDS * self.clock_hz) + 1

    def elaborate(self, platform) -> Module:
        """A PLL, a counter that ends the reset, and the core."""
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
        m.submodules.core = self.core
        for name, outside, inside, flow in self._pairs():
            bits = port_bits(name, len(outside))
            low = Const(sum((bit in self.inverted) << place for place, bit in enumerate(bits)), len(bits))
            m.d.comb += inside.eq(outside ^ low) if flow is In else outside.eq(inside ^ low)
        return m

    def _pairs(self) -> Iterator[tuple[str, Value, Value, Flow]]:
        """The core's members by name, as the top has them and as the core has them, and their direction."""
        for path, member, inside in self.core.signature.flatten(self.core):
            outside = self
            for step in path:
                outside = getattr(outside, str(step))
            yield "_".join(str(step) for step in path), cast(Value, outside), inside, member.flow
