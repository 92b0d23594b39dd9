"""A serial line: receiver and transmitter of bytes, 8 data bits, no parity, 1 stop bit."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from golden.errors import TritweaveError
from rtl.layouts import RECEIVED
from rtl.limits import check_range

_FRACTION = 11  # bits of a step, which keep the rate within 0.05 %


@dataclass(frozen=True)
class UartConfig:
    """Rate of a serial line.

    Parameters
    ----------
    clock_hz
        Of the domain ``sync``, at least 4 times `baud`; any ratio, whole or not.
    baud
        Bits a second, at least 1.

    """

    clock_hz: int
    baud: int

    def __post_init__(self) -> None:
        check_range("UART", "baud", self.baud, 1, 1 << 32)
        check_range("UART", "clock_hz", self.clock_hz, 1, 1 << 40)
        if self.clock_hz < 4 * self.baud:
            raise TritweaveError(
                f"UART: baud is {self.baud} at a clock of {self.clock_hz} Hz; it must be at most {self.clock_hz // 4}"
            )

    @property
    def width(self) -> int:
        """Bits of the phase, which overflows once a bit."""
        return (self.clock_hz // self.baud).bit_length() + _FRACTION - 1

    @property
    def step(self) -> int:
        """What the phase gains a cycle."""
        return (self.baud * 2**self.width * 2 // self.clock_hz + 1) // 2


class UartReceiver(wiring.Component):
    """Bytes off a line.

    Parameters
    ----------
    config
        The rate.

    Members
    -------
    rx
        In, 1: the line, asynchronous; 1 while idle.
    o
        Out, stream of `RECEIVED`, always taken.

    A byte leaves in the middle of its stop bit, 3 cycles of synchronisation later; the line may begin the next one
    half a bit after that. A start bit shorter than half a bit is ignored. After an error the line must be idle before
    another byte is seen. Each bit is sampled at most one cycle behind its middle: the two sides' rates may differ by
    2 % at 4 cycles a bit, by 4 % at 16 and more.

    """

    rx: Signal
    o: stream.Interface

    def __init__(self, config: UartConfig):
        self.config = config
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(RECEIVED, always_ready=True))})

    def elaborate(self, platform) -> Module:
        """A phase that overflows in the middle of each bit, and a shift register."""
        m = Module()
        width = self.config.width
        line = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1)
        phase, tick = Signal(width), Signal()
        # Half a bit, less the cycle in which the edge was seen and that of the tick's register.
        early = min((1 << width - 1) + 2 * self.config.step, (1 << width) - 1)
        # What is loaded goes through the adder, too: behind it, bits that are set and bits that are cleared would have
        # resets of their own, and iCE40 cannot have these beside one another in one carry chain.
        idle = Signal()
        m.d.sync += Cat(phase, tick).eq(Mux(idle, early - self.config.step, phase) + self.config.step)
        taken = Signal(range(10))  # bits of the byte, its start bit included
        m.d.comb += self.o.payload.error.eq(~line)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += idle.eq(1)
                m.d.sync += taken.eq(0)
                with m.If(~line):
                    m.next = "BITS"
            with m.State("BITS"), m.If(tick):
                m.d.sync += taken.eq(taken + 1)
                with m.If(taken == 9):
                    m.d.comb += self.o.valid.eq(1)
                    m.next = "IDLE"
                    with m.If(~line):
                        m.next = "BREAK"
                with m.Else():
                    m.d.sync += self.o.payload.data.eq(Cat(self.o.payload.data[1:], line))
                with m.If((taken == 0) & line):
                    m.next = "IDLE"
            with m.State("BREAK"), m.If(line):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Bytes onto a line.

    Parameters
    ----------
    config
        The rate.

    Members
    -------
    i
        In, stream of unsigned(8): ready while no byte is under way.
    tx
        Out, 1: the line; 1 while idle.

    The start bit begins one cycle after the transfer. Throughput: one byte in 10 bits and at most 2 cycles.

    """

    i: stream.Interface
    tx: Signal

    def __init__(self, config: UartConfig):
        self.config = config
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform) -> Module:
        """A shift register that moves when the phase overflows."""
        m = Module()
        phase, tick = Signal(self.config.width), Signal()
        bits, left = Signal(10, init=-1), Signal(range(11))
        m.d.comb += [self.tx.eq(bits[0]), self.i.ready.eq(left == 0)]
        with m.If(self.i.ready):
            m.d.sync += [phase.eq(0), tick.eq(0)]
            with m.If(self.i.valid):
                m.d.sync += [bits.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1))), left.eq(10)]
        with m.Else():
            m.d.sync += Cat(phase, tick).eq(phase + self.config.step)
            with m.If(tick):
                m.d.sync += [bits.eq(Cat(bits[1:], Const(1, 1))), left.eq(left - 1)]
        return m
