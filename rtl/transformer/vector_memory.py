"""A memory of vectors: words of a few elements, one written and one read a cycle."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices
from rtl.limits import check_range
from rtl.pipeline import registered


class VectorMemory(wiring.Component):
    """Words of `lanes` elements, with one write port and one read port.

    Parameters
    ----------
    shape
        Of an element.
    lanes
        L, elements a word, 1 to 1024.
    depth
        Words, 1 to 65536.

    Members
    -------
    write
        In, stream of `layout`, always ready: a word, and the address to keep it at.
    address
        In, `indices(depth)`: the word to read.
    word
        Out, ArrayLayout(shape, lanes): that word, `LATENCY` cycles later; the memory's output is registered, because
        block RAMs answer late.

    A word can be read by an address in the cycle after its write; in the same cycle the address finds the old one.
    Throughput: one word written and one read a cycle.

    """

    LATENCY = 2

    write: stream.Interface
    address: Signal
    word: data.View

    def __init__(self, shape: ShapeLike, lanes: int, depth: int):
        check_range("vector memory", "lanes", lanes, 1, 1024)
        check_range("vector memory", "depth", depth, 1, 65536)
        self.depth = depth
        super().__init__(
            {
                "write": In(stream.Signature(self.layout(shape, lanes, depth), always_ready=True)),
                "address": In(indices(depth)),
                "word": Out(data.ArrayLayout(shape, lanes)),
            }
        )

    @staticmethod
    def layout(shape: ShapeLike, lanes: int, depth: int) -> data.StructLayout:
        """Shape of what is written: ``data`` and ``address``."""
        return data.StructLayout({"data": data.ArrayLayout(shape, lanes), "address": indices(depth)})

    def elaborate(self, platform) -> Module:
        """The memory and its output register."""
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.word.shape(), depth=len(indices(self.depth)), init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.write.valid),
            write.addr.eq(self.write.payload.address),
            write.data.eq(self.write.payload.data),
            read.addr.eq(self.address),
            self.word.eq(registered(m, read.data, "output", reset_less=True)),
        ]
        return m
