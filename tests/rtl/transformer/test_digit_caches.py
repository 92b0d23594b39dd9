# amaranth: UnusedElaboratable=no
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from golden.language.format import LanguageFormat, Shape, levels
from golden.trits import balanced_ternary
from rtl.transformer.config import DecoderConfig
from rtl.transformer.digit_cache import CacheConfig, DigitCache
from rtl.transformer.digit_writer import DigitWriter
from rtl.transformer.steps import Steps
from sim.pysim import Driver, trace


class Caches(wiring.Component):
    """Both caches behind their writer."""

    keys: stream.Interface
    values: stream.Interface
    place: data.View
    key_address: Any
    value_address: Any
    key: data.View
    value: data.View

    def __init__(self, config: DecoderConfig):
        self.writer = DigitWriter(config)
        self.caches = DigitCache(CacheConfig.keys(config)), DigitCache(CacheConfig.values(config))
        word = In(stream.Signature(DigitWriter.word(config), always_ready=True))
        addresses = {f"{name}_address": In(cache.address.shape()) for name, cache in self.named}
        outputs = {name: Out(cache.o.shape()) for name, cache in self.named}
        super().__init__({"keys": word, "values": word, "place": In(Steps(config).place), **addresses, **outputs})

    @property
    def named(self) -> list[tuple[str, DigitCache]]:
        return list(zip(("key", "value"), self.caches, strict=True))

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules += [self.writer, *self.caches]
        for name in ("keys", "values"):
            connect(m, flipped(getattr(self, name)), getattr(self.writer, name))
        m.d.comb += self.writer.place.eq(self.place)
        writes = (self.writer.key_writes, self.writer.value_writes)
        for (name, cache), port in zip(self.named, writes, strict=True):
            connect(m, port, cache.i)
            m.d.comb += [cache.address.eq(getattr(self, f"{name}_address")), getattr(self, name).eq(cache.o)]
        return m


def stored(config: DecoderConfig, keys: NDArray[np.int64], values: NDArray[np.int64]) -> list[NDArray[np.int8]]:
    """What each cache's words hold of numbers (positions, regions, head): trits (words, outer, inner)."""
    rows, columns, form, found = config.rows, config.columns, config.form, []
    # Axes: digit, region, group of tokens, token, group of elements, element.
    kinds = (
        (keys, form.key_digits, (rows, columns), (1, 2, 0, 4, 3, 5)),
        (values, form.value_digits, (columns, rows), (1, 4, 0, 2, 3, 5)),
    )
    for numbers, digits, size, order in kinds:
        planes = balanced_ternary(numbers.swapaxes(0, 1), digits)[::-1]
        tokens, elements = planes.shape[2:]
        padded = np.pad(planes, ((0, 0), (0, 0), (0, -tokens % size[0]), (0, -elements % size[1])))
        split = padded.reshape(*planes.shape[:2], padded.shape[2] // size[0], size[0], -1, size[1])
        found.append(split.transpose(order).reshape(-1, *size))
    return found


@st.composite
def configs(draw: st.DrawFn) -> DecoderConfig:
    lanes = draw(st.sampled_from((1, 2, 4)))
    shape = Shape(11, 16, draw(st.integers(1, 2)), 2, draw(st.sampled_from((1, 2))), 8, 20, draw(st.integers(3, 9)))
    form = LanguageFormat(key_digits=draw(st.integers(1, 5)), value_digits=draw(st.integers(1, 5)))
    rows, columns = (lanes * draw(st.integers(1, 12 // lanes)) for _ in range(2))
    return DecoderConfig(shape, form, rows, columns, lanes)


@settings(max_examples=8, deadline=None)
@given(config=configs(), gap=st.integers(0, 2), seed=st.integers(0, 2**16))
def test_what_is_written_is_read_in_its_place_when_stated(config: DecoderConfig, gap: int, seed: int) -> None:
    shape, form, lanes = config.shape, config.form, config.lanes
    random = np.random.default_rng(seed)
    size = (shape.context, shape.blocks * shape.key_heads, shape.head)
    limits = {"keys": levels(form.key_digits), "values": levels(form.value_digits)}
    numbers = {name: random.integers(-limit, limit + 1, size) for name, limit in limits.items()}
    digits = {"keys": form.key_digits, "values": form.value_digits}
    caches = Caches(config)
    words = stored(config, numbers["keys"], numbers["values"])
    nothing = [CacheConfig.keys(config).nothing, CacheConfig.values(config).nothing]
    begin = []

    def driver() -> Driver:
        cycle = 0
        for position in random.permutation(shape.context).tolist():
            tile, row = divmod(position, config.rows)
            chunk, column = divmod(position, config.columns)
            last = 0
            for name in ("values", "keys"):
                for region in range(size[1]):
                    for word in range(config.words(shape.head)):
                        part = numbers[name][position, region, word * lanes : (word + 1) * lanes].tolist()
                        place = {"position": position, "tile": tile, "row": row, "chunk": chunk, "column": column}
                        payload = {"data": part, "word": word, "region": region}
                        yield {"place": place, "values.valid": 0, f"{name}.valid": 1, f"{name}.payload": payload}
                        last = cycle
                        cycle += 1
                        for _ in range(digits[name] - 1 + gap):
                            yield {f"{name}.valid": 0}
                            cycle += 1
                yield {"keys.valid": 0, "values.valid": 0}
                cycle += 1
            # The next token's words come when all of these have been written.
            while cycle < last + DigitWriter.latency(digits["keys"]):
                yield {}
                cycle += 1
        begin.append(cycle)
        for addresses in range(max(map(len, words)) + 1):
            pairs = [min(addresses, none) for none in nothing]
            yield {"key_address": pairs[0], "value_address": pairs[1]}
        for _ in range(DigitCache.LATENCY):
            yield {}

    seen = trace(caches, driver(), "key", "value")
    for name, expected in zip(("key", "value"), words, strict=True):
        read = [values[name] for values in seen[begin[0] + DigitCache.LATENCY :]][: len(expected)]
        trits = [[[trit["nz"] * (1 - 2 * trit["neg"]) for trit in line] for line in word] for word in read]
        assert trits == expected.tolist()
        assert not np.any([trit["neg"] > trit["nz"] for word in read for line in word for trit in line])
    last = seen[-1]
    empty = {name: not any(trit["nz"] or trit["neg"] for line in last[name] for trit in line) for name in last}
    assert empty == {"key": True, "value": True}
