"""The decoder from packed weight words to trits."""

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import PACKINGS
from rtl.layouts import TRIT
from rtl.limits import check_range


class TritDecoder(wiring.Component):
    """Decodes one memory word into its trits, combinationally.

    Parameters
    ----------
    packing
        Name of the code, one of `golden.formats.PACKINGS`.
    trits
        Trits in the word, at least 1.

    Members
    -------
    i
        In, unsigned(packing.word_bits(trits)): the packed word; the first trit in the lowest bits.
    o
        Out, ArrayLayout(TRIT, trits).

    Latency 0 cycles. Every code decodes to the trits that `golden.trits.decode_group` names.

    """

    i: Value
    o: data.View

    def __init__(self, packing: str, trits: int):
        check_range("TritDecoder", "trits", trits, 1, 1 << 20)
        self.packing = PACKINGS[packing]
        self.trits = trits
        super().__init__({"i": In(self.packing.word_bits(trits)), "o": Out(data.ArrayLayout(TRIT, trits))})

    def elaborate(self, platform) -> Module:
        """Logic of one decoder a group."""
        m = Module()
        decode = {"2b": _decode_2b, "3t5b": _decode_3t5b, "5t8b": _decode_5t8b}[self.packing.name]
        for group in range(self.packing.groups(self.trits)):
            code = self.i.word_select(group, self.packing.bits)
            for index, (nz, neg) in enumerate(decode(code)):
                trit = group * self.packing.trits + index
                if trit < self.trits:
                    m.d.comb += [self.o[trit].nz.eq(nz), self.o[trit].neg.eq(neg)]
        return m


def _pair(p: Value) -> list[tuple[Value, Value]]:
    """The two trits of a pair code, written so that each bit is one LUT and the first sign is a wire."""
    return [(~(p[2] & p[1]), p[0]), (p[2] | p[1], p[2] & (~p[1] | p[0]))]


def _decode_2b(code: Value) -> list[tuple[Value, Value]]:
    return [(code[0], code[1])]


def _decode_3t5b(code: Value) -> list[tuple[Value, Value]]:
    a, p = code[0:2], code[2:5]
    escape = a[1] & ~a[0]
    pair = [(nz & ~escape, neg) for nz, neg in _pair(p)]
    return [(Mux(escape, p[0], a[0]), Mux(escape, p[1], a[1])), *pair]


def _decode_5t8b(code: Value) -> list[tuple[Value, Value]]:
    a, p, q = code[0:2], code[2:5], code[5:8]
    escape = a[1] & ~a[0]
    # Both pairs share what says whose turn it is; the sign of a zero trit is whatever is smallest.
    inner = p[2] & ~p[1]
    swapped = p[0] & (p[1] | ~p[2])
    first = (a[0] | escape & (p[1] | p[2] & q[0]), Mux(a[0], a[1], p[2] & (p[1] | q[1])))
    near = [
        (Mux(escape, swapped, p_nz) & (~escape | q_nz), Mux(escape, q_neg, p_neg))
        for (p_nz, p_neg), (q_nz, q_neg) in zip(_pair(p), _pair(q), strict=True)
    ]
    far = [(nz & ~(escape & (p[0] | inner)), neg) for nz, neg in _pair(q)]
    return [first, *near, *far]
