"""One number for each vector: its largest magnitude, or its sum."""

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices
from rtl.limits import check_range


class PeakMemory(wiring.Component):
    """Numbers with one write port and several read ports.

    Parameters
    ----------
    shape
        Of a number.
    depth
        Numbers, 1 to 65536.
    readers
        Read ports, 1 to 16; each has a memory of its own.

    Members
    -------
    write
        In, stream of `layout`, always ready: a number, and where to keep it.
    address
        In, ArrayLayout(indices(depth), readers): the number that each port reads.
    value
        Out, ArrayLayout(shape, readers): it, `LATENCY` cycle later.

    A number can be read by an address in the cycle after its write.

    """

    LATENCY = 1

    write: stream.Interface
    address: data.View
    value: data.View

    def __init__(self, shape: ShapeLike, depth: int, readers: int):
        check_range("peak memory", "depth", depth, 1, 65536)
        check_range("peak memory", "readers", readers, 1, 16)
        self.shape, self.depth, self.readers = shape, depth, readers
        super().__init__(
            {
                "write": In(stream.Signature(self.layout(shape, depth), always_ready=True)),
                "address": In(data.ArrayLayout(indices(depth), readers)),
                "value": Out(data.ArrayLayout(shape, readers)),
            }
        )

    @staticmethod
    def layout(shape: ShapeLike, depth: int) -> data.StructLayout:
        """Shape of what is written: ``index`` and ``value``."""
        return data.StructLayout({"index": indices(depth), "value": shape})

    def elaborate(self, platform) -> Module:
        """A memory with as many read ports."""
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.shape, depth=len(indices(self.depth)), init=[])
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(self.write.valid),
            write.addr.eq(self.write.payload.index),
            write.data.eq(self.write.payload.value),
        ]
        for reader in range(self.readers):
            read = memory.read_port()
            m.d.comb += [read.addr.eq(self.address[reader]), self.value[reader].eq(read.data)]
        return m
