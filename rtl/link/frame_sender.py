"""The way out of the host link: frames get their CRC-32, are COBS-coded, and go to the line when they are whole."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.link.format import CRC_BYTES, DELIMITER, FULL_BLOCK, HEADER_BYTES
from rtl.crc32 import Crc32
from rtl.layouts import BYTE
from rtl.limits import check_range
from rtl.selection import selected_byte


class FrameSender(wiring.Component):
    """Collects a frame, codes it in place, and sends it with its delimiter.

    Parameters
    ----------
    payload
        Longest payload, 1 to 2**20 bytes; more than that is sent damaged.

    Members
    -------
    i
        In, stream of `BYTE`: a frame without CRC-32; ready while none is being sent.
    abort
        In, 1: forget what was taken of the frame so far; the next byte is a frame's first.
    o
        Out, stream of unsigned(8): the coded bytes, delimiter included.

    A frame's first coded byte is there 15 cycles after its last byte came in. Throughput: one byte in
    `Crc32.LATENCY` cycles in, one in two cycles out.

    """

    i: stream.Interface
    abort: Signal
    o: stream.Interface

    def __init__(self, payload: int):
        check_range("frame sender", "payload", payload, 1, 1 << 20)
        content = HEADER_BYTES + payload + CRC_BYTES
        self.depth = content + -(-content // (FULL_BLOCK - 1))
        super().__init__({"i": In(stream.Signature(BYTE)), "abort": In(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform) -> Module:
        """One memory: each block's code is written over its first place when the block is known."""
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=self.depth, init=[])
        m.submodules.checksum = crc = Crc32()
        write, read = memory.write_port(), memory.read_port()

        # Where the block begins and ends; then what was sent and what is to be.
        code, here = Signal(range(self.depth + 1)), Signal(range(self.depth + 1), init=1)
        size, summed = Signal(8, init=1), Signal(range(CRC_BYTES))
        byte, offered, fits, taken, close = Signal(8), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            fits.eq((size != FULL_BLOCK) & ~crc.busy),
            taken.eq(offered & fits),
            crc.data.eq(self.i.payload.data),
        ]
        with m.If((offered & ~crc.busy) | close):
            m.d.comb += write.en.eq(1)
            with m.If(taken & (byte != 0)):
                m.d.comb += [write.addr.eq(here), write.data.eq(byte)]
                m.d.sync += size.eq(size + 1)
            with m.Else():
                m.d.comb += [write.addr.eq(code), write.data.eq(size)]
                m.d.sync += [code.eq(here), size.eq(1)]
            with m.If(~close):
                m.d.sync += here.eq(here + 1)
        restart = [code.eq(0), here.eq(1), size.eq(1)]

        m.d.comb += read.addr.eq(code)
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += [
                    offered.eq(self.i.valid & ~self.abort),
                    byte.eq(self.i.payload.data),
                    self.i.ready.eq(fits & ~self.abort),
                    crc.valid.eq(taken),
                    crc.start.eq(self.abort),
                ]
                with m.If(taken & self.i.payload.last):
                    m.next = "SUM"
                with m.If(self.abort):
                    m.d.sync += restart
            with m.State("SUM"):
                m.d.comb += [offered.eq(1), byte.eq(selected_byte(crc.crc, summed))]
                with m.If(taken):
                    m.d.sync += summed.eq(summed + 1)
                    with m.If(summed == CRC_BYTES - 1):
                        m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += [close.eq(1), crc.start.eq(1)]
                m.d.sync += code.eq(0)
                m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "SEND"
            with m.State("SEND"):
                finished = code == here
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(read.data)]
                with m.If(finished):
                    m.d.comb += self.o.payload.eq(DELIMITER)
                with m.If(self.o.ready):
                    m.d.sync += code.eq(code + 1)
                    m.next = "FETCH"
                    with m.If(finished):
                        m.d.sync += restart
                        m.next = "TAKE"
        return m
