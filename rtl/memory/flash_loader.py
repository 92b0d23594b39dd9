"""At power-up, the memory image out of the SPI flash that also holds the bitstream."""

from collections.abc import Mapping

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import IMAGE_HEADER_BYTES, LOAD_WIDTH, MEMORIES
from rtl.crc32 import SUM
from rtl.layouts import LOAD, indices
from rtl.limits import check_range

FLASH = wiring.Signature({"select": Out(1), "clock": Out(1), "mosi": Out(1), "miso": In(1)})
"""To SPI flash: chip select (active high; the pin is active low), clock, data; and its data, at the clock's end."""

_RELEASE, _READ = 0xAB, 0x03
"""Commands of any 25-series flash: leave power-down, and read from an address on."""
_TRANSFER = LOAD_WIDTH // 8


class FlashLoader(wiring.Component):
    """Reads an image file (`golden.files.image`) from SPI flash, once, and loads it; a damaged or another one is a
    fault.

    What is checked is the CRC-32 of the whole file, which is also the number that names it; the file is made for this
    very engine, and fills its memories. The engine gets the words before the CRC-32 is known: nothing may run until
    `done`.

    Parameters
    ----------
    memories
        For each memory of `golden.formats.MEMORIES`, its words and the transfers of a word, as
        `EngineConfig.memories` gives them.
    image
        CRC-32 of the file, `golden.link.frames.image_number`.
    offset
        Where the file begins in the flash, in bytes, 0 to 2**24 - 1.
    wake
        Cycles that the flash takes to leave power-down, 1 to 65535; 3 µs are enough for those on the boards.

    Members
    -------
    flash
        Out, `FLASH`: its clock is half the component's; data from it are sampled at the end of the clock's high half.
    load
        Out, stream of `LOAD`: a transfer in 64 cycles; each must be taken within 13, before the next byte is in.
    sum
        Out, `SUM`: the CRC-32 of the file; nothing else is added until `done` or `fault`.
    done, fault
        Out, 1: all is loaded and right; it is wrong. One of them from ``80 + wake`` cycles on, 16 for each of the
        file's bytes, and at most 32 more.

    """

    flash: wiring.PureInterface
    load: stream.Interface
    sum: wiring.PureInterface
    done: Signal
    fault: Signal

    def __init__(self, memories: Mapping[str, tuple[int, int]], *, image: int, offset: int, wake: int):
        check_range("flash loader", "offset", offset, 0, (1 << 24) - 1)
        check_range("flash loader", "wake", wake, 1, 65535)
        self.memories, self.image, self.offset, self.wake = memories, image, offset, wake
        super().__init__(
            {
                "flash": Out(FLASH),
                "load": Out(stream.Signature(LOAD)),
                "sum": Out(SUM),
                "done": Out(1),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """A shift register for either direction, and what its bits are for."""
        m = Module()
        reads, into, left, resting = Signal(), Signal(8), Signal(6), Signal(range(self.wake + 1))
        shifted, fresh, ended = Signal(), Signal(), Signal()  # a bit has passed; a byte is in; it was the file's last
        self._file(m, into, fresh, ended)
        flash = self.flash
        # What is sent is a table, by the number of bits that are left of it.
        sent = [[0, *(word >> bit & 1 for bit in range(32))] for word in (_RELEASE, _READ << 24 | self.offset)]
        m.d.comb += [flash.mosi.eq(Mux(reads, Array(sent[1])[left], Array(sent[0])[left])), shifted.eq(flash.clock)]
        with m.If(left != 0):
            m.d.sync += flash.clock.eq(~flash.clock)
        with m.If(shifted):
            m.d.sync += [into.eq(Cat(flash.miso, into)), left.eq(left - 1)]
        m.d.sync += fresh.eq(0)
        with m.FSM():
            with m.State("RELEASE"):
                m.d.comb += self.sum.start.eq(1)
                m.d.sync += [flash.select.eq(1), left.eq(8)]
                m.next = "RELEASING"
            with m.State("RELEASING"), m.If(left == 0):
                m.d.sync += [flash.select.eq(0), resting.eq(self.wake)]
                m.next = "REST"
            with m.State("REST"):
                m.d.sync += resting.eq(resting - 1)
                with m.If(resting == 0):
                    m.d.sync += [flash.select.eq(1), reads.eq(1), left.eq(32)]
                    m.next = "ADDRESS"
            with m.State("ADDRESS"), m.If(shifted & (left == 1)):
                m.d.sync += left.eq(8)
                m.next = "READ"
            with m.State("READ"):
                with m.If(shifted & (left == 1)):
                    m.d.sync += [left.eq(8), fresh.eq(1)]
                with m.If(ended):
                    m.d.sync += [left.eq(0), flash.clock.eq(0), flash.select.eq(0)]
                    m.next = "CHECK"
            with m.State("CHECK"), m.If(~self.sum.busy):
                m.d.sync += [self.done.eq(self.sum.crc == self.image), self.fault.eq(self.sum.crc != self.image)]
                m.next = "END"
            with m.State("END"):
                pass
        return m

    def _file(self, m: Module, content: Signal, fresh: Signal, ended: Signal) -> None:
        """The file byte by byte: its CRC-32, and the transfers behind its header."""
        place = Signal(range(IMAGE_HEADER_BYTES + 1))
        payload = place == IMAGE_HEADER_BYTES
        m.d.comb += [self.sum.data.eq(content), self.sum.valid.eq(fresh)]
        quarter = Signal(range(_TRANSFER))
        with m.If(fresh):
            with m.If(~payload):
                m.d.sync += place.eq(place + 1)
            with m.If(payload):
                m.d.sync += [
                    self.load.payload.data.eq(Cat(self.load.payload.data[8:], content)),
                    quarter.eq(quarter + 1),
                ]
                with m.If(quarter == _TRANSFER - 1):
                    m.d.sync += self.load.valid.eq(1)

        depths, transfers = zip(*(self.memories[name] for name in MEMORIES), strict=True)
        memory, address = self.load.payload.memory, Signal(range(max(depths)))
        index = Signal(indices(max(transfers)))
        last_word = Signal()
        m.d.comb += [
            self.load.payload.address.eq(address),
            self.load.payload.last.eq(index == Array(count - 1 for count in transfers)[memory]),
            last_word.eq(address == Array(depth - 1 for depth in depths)[memory]),
        ]
        with m.If(self.load.valid & self.load.ready):
            m.d.sync += [self.load.valid.eq(0), index.eq(index + 1)]
            with m.If(self.load.payload.last):
                m.d.sync += [index.eq(0), address.eq(address + 1)]
                with m.If(last_word):
                    m.d.sync += [address.eq(0), memory.eq(memory + 1), ended.eq(memory == len(MEMORIES) - 1)]
