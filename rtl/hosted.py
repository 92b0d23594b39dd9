"""An engine with its host link and its serial line: all that a board adds is two pins and a clock."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from rtl.config import EngineConfig
from rtl.engine import Engine
from rtl.link import Link
from rtl.link_config import LinkConfig
from rtl.uart import UartConfig, UartReceiver, UartTransmitter


class HostedEngine(wiring.Component):
    """Serves a host over a serial line, see `golden.link_format`.

    Parameters
    ----------
    config
        The engine.
    uart
        The line's rate.
    identity
        What the device says it is, see `Link`.
    init, last_input, image
        An image that the memories hold from the start, see `Engine` and `Link`.

    Members
    -------
    rx
        In, 1: the line from the host, asynchronous.
    tx
        Out, 1: the line to the host.

    """

    rx: Signal
    tx: Signal

    def __init__(
        self,
        config: EngineConfig,
        uart: UartConfig,
        identity: Sequence[int],
        init: Mapping[str, Sequence[int]] | None = None,
        *,
        last_input: int | None = None,
        image: int = 0,
    ):
        self.uart = uart
        self.engine = Engine(config, init)
        self.link = Link(LinkConfig(config), identity, last_input=last_input, image=image)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

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
        connect(m, link.load, engine.load)
        return m
