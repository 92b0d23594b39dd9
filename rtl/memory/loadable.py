"""A memory that holds a part of the image: initialised, and loadable through a narrow port."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH
from rtl.layouts import indices
from rtl.limits import check_range


class LoadableMemory(wiring.Component):
    """Words of the memory image, read one a cycle, written one transfer of 32 bits a cycle.

    Parameters
    ----------
    transfers
        What a word keeps of each of its transfers, in bits, 1 to 32 each; the word is as wide as their sum.
    depth
        Words, 1 to 2**24.
    init
        Words of the image file as integers, at most `depth`; the rest is zero.
    writable
        Whether there is a load port in hardware; without one the memory is a ROM.

    Members
    -------
    address
        In: the word to read.
    data
        Out: that word, `LATENCY` cycles later; the memory's output is registered, because block RAMs answer late.
    load_address, load_data, load_last, load_valid
        In: one transfer of the word at `load_address`; the word is written with its last transfer.

    Throughput: one word a cycle read; a read sees words whose last transfer was at least one cycle before.

    """

    LATENCY = 2

    address: Signal
    data: Signal
    load_address: Signal
    load_data: Signal
    load_last: Signal
    load_valid: Signal

    def __init__(self, transfers: tuple[int, ...], depth: int, init: list[int], *, writable: bool = True):
        name = type(self).__name__
        check_range(name, "depth", depth, 1, 1 << 24)
        check_range(name, "number of initial words", len(init), 0, depth)
        for bits in transfers:
            check_range(name, "transfer width", bits, 1, LOAD_WIDTH)
        self.transfers, self.depth, self.writable = transfers, depth, writable
        self.init = [self._kept(word) for word in init]
        super().__init__(
            {
                "address": In(indices(depth)),
                "data": Out(sum(transfers)),
                "load_address": In(indices(depth)),
                "load_data": In(LOAD_WIDTH),
                "load_last": In(1),
                "load_valid": In(1),
            }
        )

    def _kept(self, word: int) -> int:
        """What the memory keeps of a word of the image."""
        kept, shift = 0, 0
        for index, bits in enumerate(self.transfers):
            kept |= (word >> index * LOAD_WIDTH & (1 << bits) - 1) << shift
            shift += bits
        return kept

    def elaborate(self, platform) -> Module:
        """The memory and its output register."""
        m = Module()
        m.submodules.memory = memory = Memory(shape=sum(self.transfers), depth=len(indices(self.depth)), init=self.init)
        read = memory.read_port()
        m.d.comb += read.addr.eq(self.address)
        m.d.sync += self.data.eq(read.data)
        if self.writable:
            write = memory.write_port()
            m.d.comb += [
                write.addr.eq(self.load_address),
                write.data.eq(self._gathered(m)),
                write.en.eq(self.load_valid & self.load_last),
            ]
        return m

    def _gathered(self, m: Module) -> Value:
        """The word that the present transfer completes; a register holds the transfers before it."""
        transfers = self.load_data
        if len(self.transfers) > 1:
            gathered = Signal(LOAD_WIDTH * (len(self.transfers) - 1), reset_less=True)
            transfers = Cat(gathered, self.load_data)
            with m.If(self.load_valid):
                m.d.sync += gathered.eq(transfers[LOAD_WIDTH:])
        kept: list[Value] = [
            transfers.word_select(index, LOAD_WIDTH)[:bits] for index, bits in enumerate(self.transfers)
        ]
        return Cat(kept)
