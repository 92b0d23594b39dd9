"""A scalar for each cached token: written one by one, read a word at a time."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import indices
from rtl.pipeline import registered
from rtl.transformer.config import EXPONENT, LEAST_EXPONENT, DecoderConfig
from rtl.transformer.steps import Steps


class ScaleMemory(wiring.Component):
    """Scalars of all cached tokens of every block's key heads; one for keys, one for values.

    A mantissa's highest bit is not kept: it is 0 where the exponent is the least one, otherwise 1. A region begins at
    a power of two of words, so that an address needs no adder.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    write
        In, stream of `layout`, always ready: a token's scalar, whose mantissa has its highest bit set, or is 0 with
        the least exponent.
    address
        In, `place`: the region and the word of L tokens to read.
    scalars
        Out, ArrayLayout(`DecoderConfig.scalar`, lanes): that word, `LATENCY` cycles later.

    A scalar can be read by an address in the cycle after its write. Throughput: one scalar written and one word read a
    cycle.

    """

    LATENCY = 2

    write: stream.Interface
    address: data.View
    scalars: data.View

    def __init__(self, config: DecoderConfig):
        self.config = config
        super().__init__(
            {
                "write": In(stream.Signature(self.layout(config), always_ready=True)),
                "address": In(self.place(config)),
                "scalars": Out(data.ArrayLayout(config.scalar, config.lanes)),
            }
        )

    @staticmethod
    def layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of what is written: ``region``, ``position`` and ``scalar``."""
        members = {"region": Steps(config).region, "position": config.position, "scalar": config.scalar}
        return data.StructLayout(members)

    @staticmethod
    def place(config: DecoderConfig) -> data.StructLayout:
        """Shape of a word's address: ``word`` within the region, and ``region``; words beyond the context are any."""
        return data.StructLayout({"word": indices(config.words(config.shape.context)), "region": Steps(config).region})

    def elaborate(self, platform) -> Module:
        """One memory, written by lanes."""
        m = Module()
        config, written = self.config, self.write.payload
        fraction = config.form.scale_bits - 1
        lane_bits = (config.lanes - 1).bit_length()
        kept = data.StructLayout({"fraction": fraction, "exponent": EXPONENT})
        m.submodules.memory = memory = Memory(
            shape=data.ArrayLayout(kept.size, config.lanes), depth=1 << len(self.address.as_value()), init=[]
        )
        write, read = memory.write_port(granularity=1), memory.read_port()
        place = Signal.like(self.address)
        m.d.comb += [
            place.region.eq(written.region),
            place.word.eq(written.position >> lane_bits),
            write.addr.eq(place),
            read.addr.eq(self.address),
        ]
        output = registered(m, read.data.as_value(), "output", reset_less=True)
        for lane in range(config.lanes):
            m.d.comb += [
                write.en[lane].eq(self.write.valid & (written.position[:lane_bits] == lane)),
                write.data[lane].eq(Cat(written.scalar.mantissa[:fraction], written.scalar.exponent)),
            ]
            scalar = kept(output.word_select(lane, kept.size))
            some = scalar.exponent != LEAST_EXPONENT
            m.d.comb += [
                self.scalars[lane].mantissa.eq(Cat(scalar.fraction, some)),
                self.scalars[lane].exponent.eq(scalar.exponent),
            ]
        return m
