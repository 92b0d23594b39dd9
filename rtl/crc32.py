"""A CRC-32, one bit a cycle: of frames, and of what is loaded."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.link.format import CRC_BYTES, CRC_POLYNOMIAL, CRC_RESIDUE

SUM = wiring.Signature({"start": Out(1), "data": Out(8), "valid": Out(1), "busy": In(1), "crc": In(8 * CRC_BYTES)})
"""To a `Crc32` that somebody else has: its members of these names."""

_ONES = (1 << 8 * CRC_BYTES) - 1


class Crc32(wiring.Component):
    """Sums up bytes; a line needs at least 40 cycles for a byte, so a bit a cycle is soon enough, and small.

    Parameters
    ----------
    kept
        The CRC-32 that is there at power-up, and that a reset does not touch; without it, a reset begins anew. A byte
        that a reset breaks off leaves no meaning.

    Members
    -------
    start
        In, 1: begin with the next byte, whether or not one is being added.
    data, valid
        In: a byte to add; not while `busy`.
    busy
        Out, 1: a byte is being added.
    crc
        Out, 32: the CRC-32 of the bytes since `start`; not while `busy`.
    match
        Out, 1: the last four bytes were the CRC-32, lowest byte first, of those before; not while `busy`.

    Latency: `LATENCY` cycles from a byte to its CRC-32, `busy` in those between. Throughput: one byte in 9 cycles.

    """

    LATENCY = 9

    start: Signal
    data: Signal
    valid: Signal
    busy: Signal
    crc: Signal
    match: Signal

    def __init__(self, kept: int | None = None):
        self.kept = kept
        super().__init__(
            {
                "start": In(1),
                "data": In(8),
                "valid": In(1),
                "busy": Out(1),
                "crc": Out(8 * CRC_BYTES),
                "match": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """A shift register with feedback, lowest bits first."""
        m = Module()
        initial = (self.kept or 0) ^ _ONES
        rest = Signal(8 * CRC_BYTES, init=initial, reset_less=self.kept is not None)
        bits, left = Signal(8), Signal(4)
        m.d.comb += [self.busy.eq(left != 0), self.crc.eq(~rest), self.match.eq(rest == CRC_RESIDUE)]
        with m.If(self.valid):
            m.d.sync += [bits.eq(self.data), left.eq(8)]
        with m.If(self.busy):
            feedback = rest[0] ^ bits[0]
            m.d.sync += [
                rest.eq(Cat(rest[1:], 0) ^ Mux(feedback, CRC_POLYNOMIAL, 0)),
                bits.eq(bits >> 1),
                left.eq(left - 1),
            ]
        with m.If(self.start):
            m.d.sync += [rest.eq(_ONES), left.eq(0)]
        return m


def serve(m: Module, user: wiring.PureInterface, crc: Crc32) -> None:
    """Give a user, whose `SUM` goes out, a CRC-32 of its own."""
    m.d.comb += [
        crc.start.eq(user.start),
        crc.data.eq(user.data),
        crc.valid.eq(user.valid),
        user.busy.eq(crc.busy),
        user.crc.eq(crc.crc),
    ]
