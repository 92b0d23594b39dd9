"""The caches of keys and values: what the array takes of them, and the way in."""

from dataclasses import replace

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.layouts import TRIT
from rtl.pipeline import delayed
from rtl.transformer.config import DecoderConfig
from rtl.transformer.digit_cache import CacheConfig, DigitCache
from rtl.transformer.digit_writer import DigitWriter
from rtl.transformer.steps import Steps


class Caches(wiring.Component):
    """Keys, whose rows are tokens, and values, whose columns are.

    On a square array both have words of one shape, and lie in one memory, values behind keys: a block RAM is deeper
    than most caches, so that together they take half as many.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    keys, values
        In, streams of `DigitWriter.word`, as it takes them.
    place
        In, `Steps.place`: of the token that they belong to.
    key, value
        In: addresses; `CacheConfig.nothing` of that which is not read.
    o
        Out, ArrayLayout(ArrayLayout(TRIT, C), R): the array's trits, `LATENCY` cycles later; 0 if nothing is read.

    """

    LATENCY = DigitCache.LATENCY

    keys: stream.Interface
    values: stream.Interface
    place: data.View
    key: Signal
    value: Signal
    o: data.View

    def __init__(self, config: DecoderConfig):
        self.config = config
        self._keys, self._values = CacheConfig.keys(config), CacheConfig.values(config)
        word = In(stream.Signature(DigitWriter.word(config), always_ready=True))
        super().__init__(
            {
                "keys": word,
                "values": word,
                "place": In(Steps(config).place),
                "key": In(self._keys.address),
                "value": In(self._values.address),
                "o": Out(data.ArrayLayout(data.ArrayLayout(TRIT, config.columns), config.rows)),
            }
        )

    @staticmethod
    def layouts(config: DecoderConfig) -> list[CacheConfig]:
        """Those of the memories, one or two."""
        keys, values = CacheConfig.keys(config), CacheConfig.values(config)
        if config.rows != config.columns:
            return [keys, values]
        return [replace(keys, regions=1, words=keys.nothing + values.nothing)]

    def elaborate(self, platform) -> Module:
        """The writer, and one memory or two."""
        m = Module()
        m.submodules.writer = writer = DigitWriter(self.config)
        connect(m, flipped(self.keys), writer.keys)
        connect(m, flipped(self.values), writer.values)
        m.d.comb += writer.place.eq(self.place)
        if len(self.layouts(self.config)) == 1:
            self._shared(m, writer)
        else:
            self._separate(m, writer)
        return m

    def _separate(self, m: Module, writer: DigitWriter) -> None:
        """What is not read gives zeros."""
        m.submodules.key_memory = keys = DigitCache(self._keys)
        m.submodules.value_memory = values = DigitCache(self._values)
        connect(m, writer.key_writes, keys.i)
        connect(m, writer.value_writes, values.i)
        m.d.comb += [keys.address.eq(self.key), values.address.eq(self.value)]
        self._joined(m, keys.o, values.o)

    def _shared(self, m: Module, writer: DigitWriter) -> None:
        """The same word, with rows and columns exchanged, is of the one or of the other."""
        first = self._keys.nothing
        (config,) = self.layouts(self.config)
        m.submodules.memory = memory = DigitCache(config)
        reads_keys, reads_values = self.key != self._keys.nothing, self.value != self._values.nothing
        is_value, key, value = writer.value_writes.valid, writer.key_writes.payload, writer.value_writes.payload
        m.d.comb += [
            memory.address.eq(Mux(reads_values, self.value + first, self.key)),
            memory.i.valid.eq(writer.key_writes.valid | is_value),
            memory.i.payload.address.eq(Mux(is_value, value.address + first, key.address)),
            memory.i.payload.token.eq(Mux(is_value, value.token, key.token)),
            memory.i.payload.group.eq(Mux(is_value, value.group, key.group)),
            memory.i.payload.data.eq(Mux(is_value, value.data, key.data)),
        ]
        flags = [
            delayed(m, flag, self.LATENCY, name)
            for name, flag in (("reads_keys", reads_keys), ("reads_values", reads_values))
        ]
        words = []
        for flag in flags:
            word = Signal(memory.o.shape())
            m.d.comb += word.eq(Mux(flag, memory.o, 0))
            words.append(word)
        self._joined(m, *words)

    def _joined(self, m: Module, keys: data.View, values: data.View) -> None:
        for row in range(self.config.rows):
            for column in range(self.config.columns):
                for bit in ("nz", "neg"):
                    m.d.comb += self.o[row][column][bit].eq(keys[row][column][bit] | values[column][row][bit])
