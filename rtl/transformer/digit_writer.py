"""The way into the caches: quantised keys and values become balanced ternary digits, one digit a cycle."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.language.format import levels
from rtl.layouts import indices
from rtl.pipeline import registered
from rtl.transformer.config import DecoderConfig
from rtl.transformer.digit_cache import CacheConfig
from rtl.transformer.steps import Steps


class DigitWriter(wiring.Component):
    """Takes words of keys or values and writes their digits, the lowest first, where the present token has its place.

    A number plus the largest one is a plain ternary number, whose digits less 1 are the balanced ones. It is divided
    by 3 once a cycle, two bits after two bits: each step is a function of four bits.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    keys, values
        In, streams of `word`, always ready, never both at once. After a word of keys none must come for
        ``key_digits`` - 1 cycles, after one of values for ``value_digits`` - 1.
    place
        In, `Steps.place`: of the token.
    key_writes, value_writes
        Out, streams of `CacheConfig.write`, always taken.

    Latency: a read of the cache that is addressed `latency` cycles after a word sees all of its digits.

    """

    keys: stream.Interface
    values: stream.Interface
    place: data.View
    key_writes: stream.Interface
    value_writes: stream.Interface

    def __init__(self, config: DecoderConfig):
        self.config = config
        word = stream.Signature(self.word(config), always_ready=True)
        writes = [CacheConfig.keys(config).write, CacheConfig.values(config).write]
        keys, values = (stream.Signature(write, always_ready=True) for write in writes)
        super().__init__(
            {
                "keys": In(word),
                "values": In(word),
                "place": In(Steps(config).place),
                "key_writes": Out(keys),
                "value_writes": Out(values),
            }
        )

    @staticmethod
    def word(config: DecoderConfig) -> data.StructLayout:
        """``data``: elements of a key or a value, within the largest number of its digits; ``word``: which word of the
        head it is; ``region``.
        """
        lanes, words = data.ArrayLayout(signed(8), config.lanes), indices(config.words(config.shape.head))
        return data.StructLayout({"data": lanes, "word": words, "region": Steps(config).region})

    @staticmethod
    def latency(digits: int) -> int:
        """Cycles from a word of so many digits until all of them can be read."""
        return digits + 2

    def elaborate(self, platform) -> Module:
        """Numbers that shrink, and the addresses of their digits beside them."""
        m = Module()
        keys, values = CacheConfig.keys(self.config), CacheConfig.values(self.config)
        start, is_value = self.keys.valid | self.values.valid, Signal()
        word = data.View(self.word(self.config), Mux(self.values.valid, self.values.payload, self.keys.payload))
        with m.If(start):
            m.d.sync += is_value.eq(self.values.valid)
        trits = self._digits(m, start, word.data)

        # Each cache has its addresses from the same counter of digits.
        left = Signal(range(max(keys.digits, values.digits) + 1))
        with m.If(start):
            m.d.sync += left.eq(Mux(self.values.valid, values.digits, keys.digits))
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        fresh = registered(m, start, "fresh")
        tokens = ((self.place.tile, self.place.row), (self.place.chunk, self.place.column))
        ports = (self.key_writes, self.value_writes)
        for cache, port, (outer, token), mine in zip((keys, values), ports, tokens, (~is_value, is_value), strict=True):
            first = _addresses(m, cache, word, outer)
            group = registered(m, word.word % cache.groups, "group", reset_less=True)
            with m.If(fresh):
                m.d.sync += [port.payload.address.eq(first), port.payload.group.eq(group)]
            with m.Else():
                m.d.sync += port.payload.address.eq(port.payload.address - cache.digit_step)
            m.d.sync += port.valid.eq((left != 0) & mine)
            m.d.comb += [port.payload.data.eq(trits), port.payload.token.eq(token)]
        return m

    def _digits(self, m: Module, start: Value, numbers: data.View) -> Value:
        """The next digit of every lane, in registers."""
        most = levels(max(self.config.form.key_digits, self.config.form.value_digits))
        trits = []
        for lane in range(self.config.lanes):
            rest = Signal(range(2 * most + 1), name=f"rest_{lane}", reset_less=True)
            third, digit = _divided_by_3(rest)
            m.d.sync += rest.eq(Mux(start, numbers[lane] + most, third))
            trit = Signal(2, name=f"trit_{lane}", reset_less=True)
            m.d.sync += trit.eq(Cat(digit != 1, digit == 0))
            trits.append(trit)
        return Cat(trits)


def _divided_by_3(number: Value) -> tuple[Value, Value]:
    """Quotient and remainder, from the highest two bits down."""
    quotient: list[Value] = []
    rest: Value = Const(0, 2)
    for at in range((len(number) - 1) // 2 * 2, -1, -2):
        part = Cat(number[at : at + 2], Const(0, 2))[:2]
        both = Cat(part, rest)
        quotient.append((both // 3)[:2])
        rest = (both % 3)[:2]
    return Cat(reversed(quotient)), rest


def _addresses(m: Module, cache: CacheConfig, word: data.View, outer: Value) -> Value:
    """Where the lowest digit of a word goes, a cycle after it has come."""
    region = Array(index * cache.words for index in range(cache.regions))[word.region]
    tokens = Array(index * cache.token_step for index in range(1 << len(outer)))[outer]
    base = registered(m, region + tokens, "base", reset_less=True)
    part = registered(m, word.word // cache.groups, "part", reset_less=True)
    lowest = (cache.digits - 1) * cache.digit_step
    return base + Array(lowest + index * cache.element_step for index in range(1 << len(part)))[part]
