"""A cache of keys or values as trits: one word a cycle for the array, a few trits of one token at a time written."""

from dataclasses import dataclass
from typing import Self

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.layouts import TRIT, indices
from rtl.pipeline import registered
from rtl.transformer.config import DecoderConfig


@dataclass(frozen=True)
class CacheConfig:
    """How one cache is laid out: a word for each tile, plane of digits and chunk, the highest digit first.

    Parameters
    ----------
    outer
        Tokens side by side in a word: R for keys, C for values.
    inner
        A token's elements in a word: C for keys, R for values.
    lanes
        Elements that are written at a time; divides `inner`.
    digits
        Of a number.
    regions
        Blocks' key heads.
    words
        Of a region.
    token_step, element_step, digit_step
        Words from one `outer` of tokens, or `inner` of elements, to the next, and from a digit to the next lower one.

    """

    outer: int
    inner: int
    lanes: int
    digits: int
    regions: int
    words: int
    token_step: int
    element_step: int
    digit_step: int

    @classmethod
    def keys(cls, config: DecoderConfig) -> Self:
        """Rows are tokens: a tile has for each digit the chunks of a head."""
        shape, digits = config.shape, config.form.key_digits
        chunks, tiles = config.chunks(shape.head), config.tiles(shape.context)
        sizes = (config.rows, config.columns, config.lanes, digits, shape.blocks * shape.key_heads)
        return cls(*sizes, tiles * digits * chunks, digits * chunks, 1, chunks)

    @classmethod
    def values(cls, config: DecoderConfig) -> Self:
        """Columns are tokens: a tile has for each digit the chunks of a whole context."""
        shape, digits = config.shape, config.form.value_digits
        chunks, tiles = config.chunks(shape.context), config.tiles(shape.head)
        sizes = (config.columns, config.rows, config.lanes, digits, shape.blocks * shape.key_heads)
        return cls(*sizes, tiles * digits * chunks, 1, digits * chunks, chunks)

    @property
    def groups(self) -> int:
        """Places of a token in a word that are written at a time."""
        return self.inner // self.lanes

    @property
    def nothing(self) -> int:
        """Address of a word that stays 0: what the array must get while it takes trits from elsewhere."""
        return self.regions * self.words

    @property
    def address(self) -> range:
        """Shape of a word's address."""
        return indices(self.nothing + 1)

    @property
    def write(self) -> data.StructLayout:
        """Trits of one digit of a token's elements, and their place."""
        return data.StructLayout(
            {
                "data": data.ArrayLayout(TRIT, self.lanes),
                "address": self.address,
                "token": indices(self.outer),
                "group": indices(self.groups),
            }
        )


class DigitCache(wiring.Component):
    """Trits that are written at run time.

    Parameters
    ----------
    config
        The layout.

    Members
    -------
    i
        In, stream of `CacheConfig.write`, always ready.
    address
        In: the word to read.
    o
        Out, ArrayLayout(ArrayLayout(TRIT, inner), outer): that word, `LATENCY` cycles later.

    A read sees what was written at least one cycle before. Throughput: one write and one word a cycle.

    """

    LATENCY = 2

    i: stream.Interface
    address: Signal
    o: data.View

    def __init__(self, config: CacheConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.write, always_ready=True)),
                "address": In(config.address),
                "o": Out(data.ArrayLayout(data.ArrayLayout(TRIT, config.inner), config.outer)),
            }
        )

    def elaborate(self, platform) -> Module:
        """A memory with a write enable for each token's group of elements."""
        m = Module()
        groups, payload = self.config.groups, self.i.payload
        trits = payload.data.as_value()
        shape = data.ArrayLayout(len(trits), self.config.outer * groups)
        m.submodules.memory = memory = Memory(shape=shape, depth=len(self.config.address), init=[])
        write, read = memory.write_port(granularity=1), memory.read_port()
        m.d.comb += [write.addr.eq(payload.address), read.addr.eq(self.address)]
        for place in range(self.config.outer * groups):
            token, group = divmod(place, groups)
            here = (payload.token == token) & (payload.group == group)
            m.d.comb += [write.data[place].eq(trits), write.en[place].eq(self.i.valid & here)]
        m.d.comb += self.o.eq(registered(m, read.data, "output", reset_less=True))
        return m
