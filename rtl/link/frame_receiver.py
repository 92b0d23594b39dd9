"""The way into the host link: bytes off the line become whole frames, checked before anyone sees them."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.link.format import CRC_BYTES, DELIMITER, FULL_BLOCK, HEADER_BYTES, Refusal
from rtl.crc32 import Crc32
from rtl.layouts import RECEIVED
from rtl.limits import check_range

HEADER = data.StructLayout({"version": 8, "command": 8})
"""What a frame begins with, see `golden.link.format`; the rest of its header is only in the memory."""

REFUSAL = range(max(Refusal) + 1)
"""Shape of a `golden.link.format.Refusal`, 0 for none."""


class FrameReceiver(wiring.Component):
    """Decodes COBS, checks the CRC-32 and holds one frame until it is released.

    Parameters
    ----------
    payload
        Longest payload, 1 to 2**20 bytes.

    Members
    -------
    i
        In, stream of `RECEIVED`: the coded bytes, at least `Crc32.LATENCY` cycles apart; always taken.
    held
        Out, 1: a frame is here; the members below speak of it.
    refusal
        Out, `REFUSAL`: DAMAGED, SHORT or LONG, or 0. With any of them the members below mean nothing, but for the
        header's, which is right in a LONG frame.
    header
        Out, `HEADER`.
    end
        Out: address behind the payload's last byte; the payload begins at `HEADER_BYTES`.
    address, data
        In, out: a byte of the frame, one cycle later.
    release
        In, 1: the frame is not needed any more.
    lost
        Out, 1: a frame has ended that came while another was held; it is dropped.

    A frame that began while another was held and ends after its release is DAMAGED. A byte with an error is never a
    delimiter, but damages its frame. Throughput: one byte in `Crc32.LATENCY` cycles.

    """

    i: stream.Interface
    held: Signal
    refusal: Signal
    header: data.View
    end: Signal
    address: Signal
    data: Signal
    release: Signal
    lost: Signal

    def __init__(self, payload: int):
        check_range("frame receiver", "payload", payload, 1, 1 << 20)
        self.depth = HEADER_BYTES + payload + CRC_BYTES
        super().__init__(
            {
                "i": In(stream.Signature(RECEIVED, always_ready=True)),
                "held": Out(1),
                "refusal": Out(REFUSAL),
                "header": Out(HEADER),
                "end": Out(range(self.depth)),
                "address": In(range(self.depth)),
                "data": Out(8),
                "release": In(1),
                "lost": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """A counter of the block's bytes, the CRC-32, the memory, and what is known of the frame under way."""
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=self.depth, init=[])
        m.submodules.checksum = crc = Crc32()
        write, read = memory.write_port(), memory.read_port()

        left, zero = Signal(8), Signal()  # data bytes left in the block; a zero stands before the next one
        begun, damaged = Signal(), Signal()
        count = Signal(range(self.depth + 2))  # decoded bytes; one more than fit stands for all longer frames
        byte, put, end = Signal(8), Signal(), Signal()
        with m.If(self.i.valid):
            with m.If((self.i.payload.data == DELIMITER) & ~self.i.payload.error):
                m.d.comb += end.eq(begun)
                m.d.sync += [left.eq(0), zero.eq(0), begun.eq(0), damaged.eq(0)]
            with m.Else():
                m.d.comb += put.eq((left != 0) | zero)
                m.d.sync += [begun.eq(1), damaged.eq(damaged | self.i.payload.error | self.held)]
                with m.If(left == 0):
                    m.d.sync += [left.eq(self.i.payload.data - 1), zero.eq(self.i.payload.data != FULL_BLOCK)]
                with m.Else():
                    m.d.comb += byte.eq(self.i.payload.data)
                    m.d.sync += left.eq(left - 1)

        m.d.comb += [
            write.addr.eq(count),
            write.data.eq(byte),
            write.en.eq(put & ~self.held & (count < self.depth)),
            crc.data.eq(byte),
            crc.valid.eq(put & ~self.held),
            crc.start.eq(self.release),
            read.addr.eq(self.address),
            self.data.eq(read.data),
            self.end.eq(count - CRC_BYTES),
            self.lost.eq(end & self.held),
        ]
        with m.If(write.en):
            m.d.sync += count.eq(count + 1)
            with m.If(count < HEADER.size // 8):
                m.d.sync += self.header.eq(Cat(self.header.as_value()[8:], byte))
        with m.Elif(crc.valid):
            m.d.sync += count.eq(self.depth + 1)
        with m.If(end & ~self.held):
            bad = damaged | (left != 0) | ~crc.match
            short, long = count < HEADER_BYTES + CRC_BYTES, count > self.depth
            size = Mux(short, Refusal.SHORT, Mux(long, Refusal.LONG, 0))
            m.d.sync += [self.held.eq(1), self.refusal.eq(Mux(bad, Refusal.DAMAGED, size))]
        with m.If(self.release):
            m.d.sync += [self.held.eq(0), count.eq(0)]
        return m
