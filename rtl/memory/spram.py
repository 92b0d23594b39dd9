"""A memory that holds a part of the image in the SPRAM of an iCE40 UP5K: large, and empty until it is loaded."""

from amaranth.hdl import Array, ClockSignal, Const, Instance, Module, Mux, Signal

from golden.errors import TritweaveError
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import registered

CELL_BITS = 16
"""Bits of a cell's word."""
CELL_WORDS = 1 << 14
"""Words of a cell."""
CELLS = 4
"""Cells of the device."""


class SpramMemory(LoadableMemory):
    """Words of the memory image in SB_SPRAM256KA cells, side by side for wide words, one behind the other for many.

    Parameters
    ----------
    transfers
        As in `LoadableMemory`.
    depth
        Words; ``cells(bits, depth)`` is at most `CELLS`: 64 bits x 16,384 words, 32 x 32,768, 16 x 65,536.
    init
        Must be empty: the bitstream cannot initialise these cells, so words hold anything until they are loaded.

    Members
    -------
    As in `LoadableMemory`, with the same `LATENCY`. The cells have one port: in the cycle of a word's last transfer
    nothing is read, and `data` means nothing `LATENCY` cycles later.

    """

    def __init__(self, transfers: tuple[int, ...], depth: int, init: list[int]):
        if init:
            raise TritweaveError(
                f"SpramMemory: SPRAM cannot be initialised, but {len(init)} initial words are given; "
                "leave them out and load them"
            )
        bits = sum(transfers)
        if self.cells(bits, depth) > CELLS:
            raise TritweaveError(
                f"SpramMemory: {depth} words of {bits} bits take {self.cells(bits, depth)} SPRAM cells of "
                f"{CELL_WORDS} x {CELL_BITS}; the device has {CELLS}"
            )
        super().__init__(transfers, depth, [])

    @staticmethod
    def cells(bits: int, depth: int) -> int:
        """Cells that a memory takes."""
        return -(-bits // CELL_BITS) * -(-depth // CELL_WORDS)

    def elaborate(self, platform) -> Module:
        """The cells, bank by bank, the choice among banks, and the output register."""
        m = Module()
        write = Signal()
        place = Signal(self.address.shape())
        word = Signal(-(-len(self.data) // CELL_BITS) * CELL_BITS)
        m.d.comb += [
            write.eq(self.load_valid & self.load_last),
            place.eq(Mux(write, self.load_address, self.address)),
            word.eq(self._gathered(m)),
        ]
        within = Signal(range(CELL_WORDS))
        bank = place[len(within) :]
        m.d.comb += within.eq(place)
        banks = [Signal(len(word), name=f"bank_{number}") for number in range(-(-self.depth // CELL_WORDS))]
        for number, output in enumerate(banks):
            for low in range(0, len(word), CELL_BITS):
                m.submodules[f"cell_{number}_{low}"] = Instance(
                    "SB_SPRAM256KA",
                    i_CLOCK=ClockSignal(),
                    i_ADDRESS=within,
                    i_DATAIN=word[low : low + CELL_BITS],
                    i_MASKWREN=Const(0b1111, 4),
                    i_WREN=write & (bank == number),
                    i_CHIPSELECT=Const(1, 1),
                    i_STANDBY=Const(0, 1),
                    i_SLEEP=Const(0, 1),
                    i_POWEROFF=Const(1, 1),  # active low
                    o_DATAOUT=output[low : low + CELL_BITS],
                )
        m.d.sync += self.data.eq(banks[0] if len(banks) == 1 else Array(banks)[registered(m, bank, "bank")])
        return m
