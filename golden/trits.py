"""Trit packings: trits to the bits of a memory word and back. The codes are defined in `golden.formats`."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.formats import ESCAPE, PACKINGS, PAIRS, TRIT_CODES, Packing

_TRITS = {code: trit for trit, code in TRIT_CODES.items()} | {ESCAPE: 0}


def packing_named(name: str) -> Packing:
    """The packing of that name, or an error that lists the known ones."""
    if name not in PACKINGS:
        raise TritweaveError(f"packing {name!r} is not known; the packings are {', '.join(PACKINGS)}")
    return PACKINGS[name]


def decode_group(code: int, packing: Packing) -> tuple[int, ...]:
    """The trits of one group. Every code has a value, also the few that `pack` never makes."""
    a, p, q = code & 3, code >> 2 & 7, code >> 5 & 7
    if packing.name == "2b":
        return (_TRITS[a],)
    if packing.name == "3t5b":
        return (_TRITS[a], *PAIRS[p]) if a != ESCAPE else (_TRITS[p & 3], 0, 0)
    if a != ESCAPE:
        return (_TRITS[a], *PAIRS[p], *PAIRS[q])
    if p >> 1 != ESCAPE:
        return (_TRITS[p >> 1], *PAIRS[q], 0, 0) if p & 1 else (_TRITS[p >> 1], 0, 0, *PAIRS[q])
    return (_TRITS[q & 3], 0, 0, 0, 0)


@cache
def _tables(packing: Packing) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    """Code to trits, and base-3 index of the trits to code (the lowest code where several name the same trits)."""
    decode = np.array([decode_group(code, packing) for code in range(1 << packing.bits)], np.int8)
    index = (decode.astype(int) + 1) @ 3 ** np.arange(packing.trits)
    encode = np.zeros(3**packing.trits, np.uint8)
    encode[index[::-1]] = np.arange(1 << packing.bits)[::-1]
    return decode, encode


def check_trits(trits: NDArray[np.generic], name: str = "weights") -> NDArray[np.int8]:
    """The same values as int8, or an error that names the first value outside {-1, 0, +1} and its place."""
    if trits.dtype.kind not in "iuf":
        raise TritweaveError(f"{name} have dtype {trits.dtype}; trits are integers in -1, 0, +1")
    # The extremes are found many times faster than a bad value's place, which large checkpoints would feel.
    fits = trits.dtype == np.int8 and trits.size > 0 and trits.min() >= -1 and trits.max() <= 1
    if not fits and (bad := ~np.isin(trits, (-1, 0, 1))).any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise TritweaveError(f"{name} hold {trits[place]} at {list(place)}; a trit is -1, 0 or +1")
    return trits.astype(np.int8)


def pack(trits: NDArray[np.int8], packing: Packing) -> NDArray[np.uint8]:
    """Pack the last axis into memory words, as bytes, lowest bits first; missing trits and bits are zero.

    Parameters
    ----------
    trits
        Values in {-1, 0, +1}, shape (..., n).
    packing
        The code; the word has ``packing.word_bits(n)`` bits.

    Returns
    -------
    uint8 of shape (..., ceil(word_bits / 8)).

    """
    checked = check_trits(trits, "trits")
    groups = packing.groups(checked.shape[-1])
    if packing.name == "2b":
        # A trit's code is its two lowest bits, and four in a word of four bytes move together.
        if spare := -checked.shape[-1] % 4:
            checked = np.pad(checked, [(0, 0)] * (checked.ndim - 1) + [(0, spare)])
        codes = np.ascontiguousarray(checked & 3).view("<u4")
        codes |= codes >> 6
        codes |= codes >> 12
        return codes.astype(np.uint8)
    padding = [(0, 0)] * (checked.ndim - 1) + [(0, groups * packing.trits - checked.shape[-1])]
    grouped = np.pad(checked, padding).reshape(*checked.shape[:-1], groups, packing.trits)
    codes = _tables(packing)[1][(grouped.astype(int) + 1) @ 3 ** np.arange(packing.trits)]
    bits = codes[..., None] >> np.arange(packing.bits) & 1
    return np.packbits(bits.reshape(*codes.shape[:-1], -1).astype(np.uint8), axis=-1, bitorder="little")


def unpack(words: NDArray[np.uint8], trits: int, packing: Packing) -> NDArray[np.int8]:
    """The inverse of `pack`: the first `trits` trits of each word, shape (..., trits)."""
    if packing.name == "2b":
        fours = _tables(PACKINGS["2b"])[0].reshape(-1)[np.arange(256)[:, None] >> (0, 2, 4, 6) & 3].view("<u4")[:, 0]
        return fours[words].view(np.int8)[..., :trits]
    bits = np.unpackbits(words, axis=-1, bitorder="little", count=packing.word_bits(trits)).astype(int)
    codes = bits.reshape(*words.shape[:-1], -1, packing.bits) @ (1 << np.arange(packing.bits))
    return _tables(packing)[0][codes].reshape(*words.shape[:-1], -1)[..., :trits]


def balanced_ternary(values: NDArray[np.integer], digits: int) -> NDArray[np.int8]:
    """Planes of digits in {-1, 0, +1}, worth 1, 3, 9, …, whose sum the values are; shape (digits, *values.shape)."""
    rest, limit = values.astype(np.int64), 3**digits // 2
    if rest.size and np.abs(rest).max() > limit:
        raise TritweaveError(f"values reach {np.abs(rest).max()}; {digits} ternary digits reach {limit}")
    planes = []
    for _ in range(digits):
        digit = (rest + 1) % 3 - 1
        planes.append(digit.astype(np.int8))
        rest = (rest - digit) // 3
    return np.stack(planes)
