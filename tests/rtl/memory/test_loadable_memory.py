# amaranth: UnusedElaboratable=no
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.formats import LOAD_WIDTH
from rtl.memory.loadable import LoadableMemory
from sim.pysim import Driver, steps, trace

TRANSFERS = st.lists(st.integers(1, LOAD_WIDTH), min_size=1, max_size=4).map(tuple)


def kept(word: int, transfers: tuple[int, ...]) -> int:
    """What is left of an image word, transfer by transfer, as a string of bits."""
    parts = [f"{word >> index * LOAD_WIDTH:0{LOAD_WIDTH}b}"[-bits:] for index, bits in enumerate(transfers)]
    return int("".join(reversed(parts)), 2)


def load(address: int, word: int, transfers: tuple[int, ...]) -> list[dict[str, Any]]:
    """One cycle's inputs for each transfer of a word."""
    return [
        {
            "load_address": address,
            "load_data": word >> index * LOAD_WIDTH & (1 << LOAD_WIDTH) - 1,
            "load_last": index == len(transfers) - 1,
            "load_valid": 1,
        }
        for index in range(len(transfers))
    ]


def contents(memory: LoadableMemory, cycles: list[dict[str, Any]]) -> list[int]:
    """All words, read one a cycle after those cycles."""

    def driver() -> Driver:
        yield from steps(cycles)
        for address in [*range(memory.depth), *[0] * memory.LATENCY]:
            yield {"address": address, "load_valid": 0}

    seen = trace(memory, driver(), "data")
    return [cycle["data"] for cycle in seen[len(cycles) + memory.LATENCY :]]


@st.composite
def images(draw: st.DrawFn) -> tuple[tuple[int, ...], int, list[int]]:
    transfers, depth = draw(TRANSFERS), draw(st.integers(1, 9))
    word = st.integers(0, (1 << LOAD_WIDTH * len(transfers)) - 1)
    return transfers, depth, draw(st.lists(word, max_size=depth))


@settings(max_examples=30, deadline=None)
@given(image=images(), writable=st.booleans())
def test_initial_words_are_read_a_stated_latency_later_and_the_rest_is_zero(
    image: tuple[tuple[int, ...], int, list[int]], writable: bool
) -> None:
    transfers, depth, init = image
    expected = [kept(word, transfers) for word in init] + [0] * (depth - len(init))
    assert contents(LoadableMemory(transfers, depth, init, writable=writable), []) == expected


@settings(max_examples=30, deadline=None)
@given(image=images(), gap=st.integers(0, 2), writable=st.booleans())
def test_loaded_words_are_the_initial_ones_where_there_is_a_port(
    image: tuple[tuple[int, ...], int, list[int]], gap: int, writable: bool
) -> None:
    transfers, depth, words = image
    cycles: list[dict[str, Any]] = []
    for address, word in reversed(list(enumerate(words))):
        for transfer in load(address, word, transfers):
            # Without `load_valid` the port must not look at anything.
            cycles += [{"load_valid": 0, "load_data": 0x5A5A5A5A, "load_last": 1, "load_address": 0}] * gap
            cycles.append(transfer)
    expected = [kept(word, transfers) if writable else 0 for word in words] + [0] * (depth - len(words))
    assert contents(LoadableMemory(transfers, depth, [], writable=writable), cycles) == expected


def test_a_word_is_old_until_its_last_transfer_and_new_the_cycle_after() -> None:
    transfers = (32, 8)
    memory = LoadableMemory(transfers, 4, [0, 0, 0x1122334455])
    cycles = [{"address": 2}] * 2 + load(2, 0xAABBCCDDEE, transfers) + [{"load_valid": 0}] * 4
    seen = [cycle["data"] for cycle in trace(memory, steps(cycles), "data")]
    completed = 3
    changed = completed + 1 + memory.LATENCY
    assert seen[memory.LATENCY : changed] == [0x1122334455] * (changed - memory.LATENCY)
    assert seen[changed:] == [0xAABBCCDDEE] * (len(cycles) - changed)


@pytest.mark.parametrize(
    ("transfers", "depth", "init", "message"),
    [
        ((8,), 0, [], "depth is 0; it must be an integer from 1 to 16777216"),
        ((8,), (1 << 24) + 1, [], "depth is 16777217; it must be an integer from 1 to 16777216"),
        ((8,), 2, [1, 2, 3], "number of initial words is 3; it must be an integer from 0 to 2"),
        ((8, 0), 2, [], "transfer width is 0; it must be an integer from 1 to 32"),
        ((33,), 2, [], "transfer width is 33; it must be an integer from 1 to 32"),
    ],
)
def test_bad_parameters_are_refused(transfers: tuple[int, ...], depth: int, init: list[int], message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^LoadableMemory: {message}$"):
        LoadableMemory(transfers, depth, init)
