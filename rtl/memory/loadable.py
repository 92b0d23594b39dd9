"""A memory that holds a part of the image: initialised, and loadable through a narrow port."""

from itertools import accumulate

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH
from rtl.layouts import indices
from rtl.limits import check_range
from rtl.pipeline import delayed, registered
from rtl.selection import selected

_BANK_WORDS = (2048, 1024)
"""What a block RAM of ECP5 has of 9 and of 18 bits; a rest that is smaller is one bank."""


def banks(depth: int) -> list[range]:
    """The words of each bank of so many; each begins at a multiple of its size, because sizes fall by powers of two."""
    sizes, rest = [], depth
    for words in _BANK_WORDS:
        sizes += [words] * (rest // words)
        rest %= words
    ends = list(accumulate([*sizes, rest] if rest else sizes))
    return [range(end - size, end) for end, size in zip(ends, [*sizes, rest], strict=False)]


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

    A memory deeper than a block RAM is made of banks that are not, and selects behind their output registers: with
    nothing between a block and its register, ECP5 has the register in the block (`gen.netlist`), which answers in a
    third of the time.

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
        self._banks = banks(depth)
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
        """The banks, each with its output register, and the choice among them."""
        m = Module()
        outputs = []
        word = self._gathered(m) if self.writable else None
        for index, bank in enumerate(self._banks):
            memory = Memory(shape=len(self.data), depth=len(indices(len(bank))), init=self.init[bank.start : bank.stop])
            m.submodules[f"bank_{index}"] = memory
            read = memory.read_port()
            m.d.comb += read.addr.eq(self.address)
            outputs.append(registered(m, read.data, f"output_{index}", reset_less=True))
            if word is not None:
                write, here = memory.write_port(), self._bank_of(self.load_address) == index
                m.d.comb += [
                    write.addr.eq(self.load_address),
                    write.data.eq(word),
                    write.en.eq(self.load_valid & self.load_last & here),
                ]
        chosen = delayed(m, self._bank_of(self.address), self.LATENCY, "bank", reset_less=True)
        m.d.comb += self.data.eq(selected(outputs, chosen))
        return m

    def _bank_of(self, address: Value) -> Value:
        """The number of the bank that has a word."""
        return sum((address >= bank.start for bank in self._banks[1:]), Const(0, 1))

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
