"""Constants of the number and trit formats. No algorithms: hardware and model both take their constants here.

Trit code
    Two bits, ``neg`` above ``nz``: 0 is ``00``, +1 is ``01``, -1 is ``11``. ``10`` is never stored by packing ``2b``;
    the denser packings use it as their escape, and a decoder may put it out for a zero (``neg`` means nothing while
    ``nz`` is 0).

Packings
    ``2b``
        One trit code in two bits.
    ``3t5b``
        Three trits in five bits: ``a = c[1:0]``, ``p = c[4:2]``. ``a`` a trit code: t0 = a, (t1, t2) = pair(p).
        ``a`` the escape: t0 = trit code p[1:0], t1 = t2 = 0.
    ``5t8b``
        Five trits in eight bits: ``a = c[1:0]``, ``p = c[4:2]``, ``q = c[7:5]``. ``a`` a trit code: t0 = a,
        (t1, t2) = pair(p), (t3, t4) = pair(q). ``a`` the escape and p[2:1] a trit code: t0 = p[2:1], and q is the
        pair of (t3, t4) if p[0] = 0, of (t1, t2) if p[0] = 1, the other pair being (0, 0). Both escapes:
        t0 = trit code q[1:0], the rest 0.
    Pair code
        The eight pairs other than (0, 0), see `PAIRS`. Its bits are chosen so that a LUT4 decoder needs one level:
        p[0] is the first trit's sign whenever that trit is not zero.
"""

from typing import Final, NamedTuple

ACTIVATION_MAX: Final = 127
"""Largest magnitude of a quantised activation; -128 never occurs, so negation stays inside eight bits."""

RULES: Final = ("int8", "sign", "int4-groups", "int8-groups", "binary")
"""How an engine quantises activations, see `golden.activations`. ``int8``: A8max over the whole vector. ``sign``: +1 or
-1 (+1 for 0), worth the mean magnitude (XNOR-Net, 1603.05279). ``int4-groups``: `INT4` in each group but the last,
A8max in the last (Atom, 2310.19102). ``int8-groups``: A8max in each group. ``binary``: signs again, worth 1, of the
results of layers; the network's inputs stay what they are, which is int8 from -127 on."""

GROUPED: Final = ("int4-groups", "int8-groups")
"""Those of them that quantise each group apart, and give it a factor."""

STATIC: Final = "static"
"""What a matrix, in place of one of `RULES`, says of a binary network's inputs: reals from -1 to 1, in 127ths."""

INT4: Final = (-8, 7)
"""Smallest and largest activation of four bits."""

INT4_CLIP: Final = (9, 10)
"""Atom clips a group's activations to 0.9 of its largest magnitude; a fraction, so that integers stay integers."""

FACTOR_BITS: Final = 15
"""Bits of a group's factor; the largest group's has all of them."""

TRIT_CODES: Final = {0: 0b00, +1: 0b01, -1: 0b11}
"""Trit to two-bit code."""

ESCAPE: Final = 0b10
"""The two-bit code that names no trit."""

PAIRS: Final = ((+1, 0), (-1, 0), (+1, +1), (-1, +1), (+1, -1), (-1, -1), (0, +1), (0, -1))
"""Pair code to pair of trits."""


class Packing(NamedTuple):
    """A trit packing: `trits` trits in a group of `bits` bits, first trit and first group in the lowest bits."""

    name: str
    trits: int
    bits: int

    def groups(self, trits: int) -> int:
        """Groups needed for a number of trits; the last may be partly filled with zero trits."""
        return -(-trits // self.trits)

    def word_bits(self, trits: int) -> int:
        """Bits of a memory word that holds a number of trits."""
        return self.groups(trits) * self.bits


PACKINGS: Final = {
    packing.name: packing for packing in (Packing("2b", 1, 2), Packing("3t5b", 3, 5), Packing("5t8b", 5, 8))
}


class Correction(NamedTuple):
    """What an array's sums lack: for each row, ``plus`` for each weight +1 and ``minus`` for each weight -1."""

    name: str
    code: int
    """What the memory image calls it."""
    plus: int
    minus: int


ONES_COMPLEMENT: Final = Correction("ones' complement", 0, 0, 1)
"""-x is ~x, one too small."""

OFFSET_BINARY: Final = Correction("offset binary", 1, -128, -127)
"""x is u = x + 128 and -x is 255 - u."""

EXACT: Final = Correction("exact", 2, 0, 0)
"""The sums lack nothing."""

CORRECTIONS: Final = {correction.code: correction for correction in (ONES_COMPLEMENT, OFFSET_BINARY, EXACT)}


def accumulator_width(inputs: int) -> int:
    """Bits of a signed accumulator that holds any sum of `inputs` products of an activation and a trit.

    Exact: ``ceil(log2(127·inputs)) + 1``; 127 is odd and not 1, so the logarithm is never whole.
    """
    return (ACTIVATION_MAX * inputs).bit_length() + 1


MANTISSA_MAX: Final = (1 << 15) - 1
"""The mantissa of a matrix's largest scale, unless a common divisor makes all of them smaller."""

RESULT_BITS: Final = 24
"""Bits of a scaled layer's result, sign included, at most. A worst-case sum fills them; real ones lie below it by about
the square root of the number of inputs, and keep some 18 bits for the 8-bit quantiser behind."""

GAIN_BITS: Final = 16
"""Bits of a LayerNorm's gain or bias, sign included."""

GAIN_MAX: Final = (1 << GAIN_BITS - 1) - 1
"""The largest of a norm's gains and biases."""

NORMED_BITS: Final = 24
"""Bits of a LayerNorm's result, sign included, at most; as with `RESULT_BITS`, real ones lie far below."""

LOAD_WIDTH: Final = 32
"""Bits of one transfer of the memory image; a memory word is a whole number of them in the image file."""

PROGRAM_FIELDS: Final = {
    "last_input": 16,
    "last_chunk": 16,
    "last_tile": 16,
    "last_drain": 14,
    "relu": 1,
    "final": 1,
}
"""A layer of the program, first field in the lowest bits; counts are stored as the index of their last item.

last_input
    Stream words of the layer's input vector.
last_chunk
    Chunks (groups of as many activations as the array has columns) of the input vector.
last_tile
    Tiles (groups of as many outputs as the array has rows).
last_drain
    Stream words that the last tile gives.
relu, final
    Whether negative results become zero; whether the results leave the engine.
"""

SEGMENT_FIELDS: Final = {
    "last_segment": 16,
    "last_inner": 16,
    "last_plane": 8,
    "last_side_plane": 8,
    "spare": 16,
}
"""What a layer of a scaling engine's program has in addition, behind `PROGRAM_FIELDS`.

last_segment
    Chunks of a segment; the last one of the inner inputs may have fewer.
last_inner
    Chunks of the inner inputs, those in segments; the chunks behind them are the side path's.
last_plane, last_side_plane
    How often the array goes through a segment, and through the side path, for each tile.
spare
    0.
"""

NORM_FIELDS: Final = {"elements": 16, "first_gain": 24, "norm_spare": 24}
"""What a layer of the program has in addition where layers have norms, behind `PROGRAM_FIELDS`.

elements
    Values of the layer's input.
first_gain
    The word of the memory ``norms`` with the first of its gains.
norm_spare
    0.
"""

SCALES: Final = ("none", "scales", "scales and groups", "norms")
"""What a word of the corrections' memory holds beside the corrections; the index is its code in the image.

scales
    A mantissa for each lane.
scales and groups
    These, and a transfer of two flags for the words that become the next layer's input: in bit 0, whether the word is
    the last of its group, in bit 1, whether its group is quantised to int8.
norms
    Nothing; but there is one memory more, `NORMS`.
"""


def program_fields(scales: str) -> dict[str, int]:
    """Fields of a word of the program of an engine with one of `SCALES`, and their bits."""
    if scales == SCALES[3]:
        return PROGRAM_FIELDS | NORM_FIELDS
    return dict(PROGRAM_FIELDS) if scales == SCALES[0] else PROGRAM_FIELDS | SEGMENT_FIELDS


MEMORIES: Final = ("program", "corrections", "weights")
"""The memories of an engine, in the order of the image; the index is the number that the load port takes."""

NORMS: Final = "norms"
"""The memory behind `MEMORIES` where layers have norms: a word for each stream word of every layer's input, in order,
with a transfer for each lane: its gain in the low half, its bias in the high half, both signed."""

IMAGE_HEADER_BYTES: Final = 28
"""Bytes of an image file before its payload, see `golden.files.image`."""
