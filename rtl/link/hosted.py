"""An engine with its host link and its serial line: all that a board adds is two pins and a clock."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from rtl.engine.config import EngineConfig
from rtl.engine.engine import Engine
from rtl.link.config import LinkConfig
from rtl.link.link import Link
from rtl.link.uart import UartConfig, UartReceiver, UartTransmitter
from rtl.memory.flash_loader import FLASH, FlashLoader


class HostedEngine(wiring.Component):
    """Serves a host over a serial line, see `golden.link.format`.

    Parameters
    ----------
    config
        The engine.
    uart
        The line's rate.
    identity
        What the device says it is, see `Link`.
    init, last_input, image
        An image that the memories hold from the start, or that the loader brings, see `Engine` and `Link`.
    loader
        Fills the memories after a reset; meanwhile a request waits. If it fails, a host has to load an image.

    Members
    -------
    rx
        In, 1: the line from the host, asynchronous.
    tx
        Out, 1: the line to the host.
    flash
        Out, `FLASH`: to the flash, with a loader.
    light
        Out, 1: for a LED, with a loader: lit from its success on; blinks, two to four times a second, if it has failed.

    """

    rx: Signal
    tx: Signal
    flash: wiring.PureInterface
    light: Signal

    def __init__(
        self,
        config: EngineConfig,
        uart: UartConfig,
        identity: Sequence[int],
        init: Mapping[str, Sequence[int]] | None = None,
        *,
        last_input: int | None = None,
        image: int = 0,
        loader: FlashLoader | None = None,
    ):
        self.uart, self.loader = uart, loader
        self.engine = Engine(config, init)
        self.link = Link(LinkConfig(config), identity, last_input=last_input, image=image)
        members = {"rx": In(1, init=1), "tx": Out(1, init=1)}
        super().__init__(members | ({"flash": Out(FLASH), "light": Out(1)} if loader else {}))

    def elaborate(self, platform) -> Module:
        """The parts in a row."""
        m = Module()
        link, engine = self.link, self.engine
        m.submodules.receiver = receiver = UartReceiver(self.uart)
        m.submodules.transmitter = transmitter = UartTransmitter(self.uart)
        m.submodules.link = link
        m.submodules.engine = ResetInserter(link.reset)(engine)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        connect(m, receiver.o, link.i)
        connect(m, link.o, transmitter.i)
        connect(m, link.vectors, engine.i)
        connect(m, engine.o, link.results)
        if self.loader is None:
            connect(m, link.load, engine.load)
            return m

        m.submodules.loader = loader = self.loader
        connect(m, loader.flash, wiring.flipped(self.flash))
        connect(m, loader.sum, link.file)
        blinking, ended = Signal(range(self.uart.clock_hz // 4)), Signal()
        m.d.sync += [blinking.eq(blinking + 1), ended.eq(loader.done | loader.fault)]
        m.d.comb += [
            link.hold.eq(~ended),
            link.filled.eq(loader.done),
            self.light.eq(loader.done | loader.fault & blinking[-1]),
        ]
        # A register behind the choice, which shares its cells: from a request to SPRAM's address is the longest way.
        free = ~engine.load.valid | engine.load.ready
        for source, chosen in ((link.load, ended), (loader.load, ~ended)):
            with m.If(chosen):
                m.d.comb += source.ready.eq(free)
                with m.If(free):
                    m.d.sync += [engine.load.valid.eq(source.valid), engine.load.payload.eq(source.payload)]
        return m
