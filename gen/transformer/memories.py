"""The memories of a decoder by their use, so that what they take is known before anything is built."""

from collections.abc import Iterator
from typing import NamedTuple

from golden.language.format import EXPONENTIAL_BITS, NOISE_INDEX
from rtl.layouts import indices
from rtl.memory.loadable import banks
from rtl.transformer.array_unit import ArrayUnit
from rtl.transformer.caches import Caches
from rtl.transformer.config import EXPONENT, DecoderConfig
from rtl.transformer.element_factors import ElementFactors
from rtl.transformer.noise import noise_table
from rtl.transformer.scalar_memories import ScalarMemories
from rtl.transformer.scale_memory import ScaleMemory
from rtl.transformer.steps import Steps

_ACTIVATION_BITS = 8


class DecoderMemory(NamedTuple):
    """One memory.

    Parameters
    ----------
    use
        What it holds, for people.
    words, bits
        Depth and width.
    part
        Bits that are written without the others of a word; 0: all.
    readers
        Read ports: the memory is there once for each.
    constant
        It is never written, so that two read ports can share a block RAM whose ports both read.

    """

    use: str
    words: int
    bits: int
    part: int = 0
    readers: int = 1
    constant: bool = False


def decoder_memories(config: DecoderConfig, entries: int) -> list[DecoderMemory]:
    """All of a decoder whose program has so many entries, but for the tables of powers, which are logic."""
    return [
        *_loaded("weights", config.linear_words + config.head_words, sum(ArrayUnit.transfers(config))),
        *_caches(config),
        *_vectors(config),
        *_loaded("gains and angles", ElementFactors.gain_words(config), (config.form.gain_bits + 1) * config.lanes),
        *_loaded(
            "gains and angles",
            ElementFactors.rotation_words(config),
            ElementFactors.rotation_layout(config).size * config.lanes,
        ),
        *_loaded("program", entries, Steps(config).entry.size),
        DecoderMemory("program", ArrayUnit.waiting(config), Steps(config).array.size),
        *_scalars(config),
        DecoderMemory("noise", 1 << NOISE_INDEX, _noise_bits(), readers=config.choices, constant=True),
    ]


def powers_table(config: DecoderConfig) -> tuple[int, int]:
    """Words and bits of each lane's table of powers of two."""
    return 1 << config.form.table_bits, EXPONENTIAL_BITS + 1


def _loaded(use: str, depth: int, bits: int) -> Iterator[DecoderMemory]:
    for bank in banks(depth):
        yield DecoderMemory(use, len(indices(len(bank))), bits)


def _caches(config: DecoderConfig) -> Iterator[DecoderMemory]:
    for cache in Caches.layouts(config):
        bits = 2 * cache.inner * cache.outer
        yield DecoderMemory("keys and values", len(cache.address), bits, 2 * config.lanes)
    kept = config.form.scale_bits - 1 + EXPONENT.width
    for _ in range(2):
        words = 1 << ScaleMemory.place(config).size
        yield DecoderMemory("scales of keys and values", words, kept * config.lanes, kept)


def _vectors(config: DecoderConfig) -> Iterator[DecoderMemory]:
    steps, lanes = Steps(config), config.lanes
    yield DecoderMemory(
        "activations", len(steps.activation), _ACTIVATION_BITS * config.columns, _ACTIVATION_BITS * lanes
    )
    hidden, inner = (len(indices(config.words(size))) for size in (config.shape.hidden, config.shape.intermediate))
    yield DecoderMemory("vectors", hidden, config.form.residual_bits * lanes)
    yield DecoderMemory("vectors", len(steps.result), config.result * lanes)
    yield DecoderMemory("vectors", len(steps.result), config.vector * lanes)
    for _ in range(2):
        yield DecoderMemory("vectors", inner, _ACTIVATION_BITS * lanes)


def _scalars(config: DecoderConfig) -> Iterator[DecoderMemory]:
    steps = Steps(config)
    peaks, regions = len(steps.peak), len(indices(config.shape.blocks * config.shape.key_heads))
    yield DecoderMemory("scalars", peaks, config.result, readers=3)
    yield DecoderMemory("scalars", peaks, config.vector - 1, readers=2)
    yield DecoderMemory("scalars", peaks, config.square_sum)
    yield DecoderMemory("scalars", len(steps.register), config.scalar.size, readers=3)
    yield from _loaded("scalars", ScalarMemories.depth(config), config.scalar.size)
    yield DecoderMemory("scalars", regions, EXPONENT.width)


def _noise_bits() -> int:
    return max(abs(value).bit_length() for value in noise_table()) + 1
