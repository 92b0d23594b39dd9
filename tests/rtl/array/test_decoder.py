# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.formats import PACKINGS
from golden.trits import decode_group, pack
from rtl.array.trit_decoder import TritDecoder
from sim.pysim import steps, trace
from support.networks import PACKING_NAMES


def decoded(packing: str, trits: int, words: list[int]) -> list[list[int]]:
    """What the decoder makes of each word, in the cycle in which the word is there."""
    seen = trace(TritDecoder(packing, trits), steps({"i": word} for word in words), "o")
    return [[(1 - 2 * trit["neg"]) * trit["nz"] for trit in cycle["o"]] for cycle in seen]


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_code_decodes_to_the_golden_trits_in_the_same_cycle(packing: str) -> None:
    code = PACKINGS[packing]
    expected = [list(decode_group(word, code)) for word in range(1 << code.bits)]
    assert decoded(packing, code.trits, list(range(1 << code.bits))) == expected


@settings(max_examples=30, deadline=None)
@given(data=st.data(), packing=PACKING_NAMES, trits=st.integers(1, 23))
def test_words_of_any_length_decode_to_what_was_packed(data: st.DataObject, packing: str, trits: int) -> None:
    trit = st.integers(-1, 1)
    words = data.draw(st.lists(st.lists(trit, min_size=trits, max_size=trits), min_size=1, max_size=8))
    packed = pack(np.array(words, np.int8), PACKINGS[packing])
    assert decoded(packing, trits, [int.from_bytes(word.tobytes(), "little") for word in packed]) == words


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_input_is_as_wide_as_the_packed_word(packing: str) -> None:
    assert len(TritDecoder(packing, 7).i) == {"2b": 14, "3t5b": 15, "5t8b": 16}[packing]


@pytest.mark.parametrize("trits", [0, -1, (1 << 20) + 1])
def test_a_bad_number_of_trits_is_refused(trits: int) -> None:
    with pytest.raises(TritweaveError, match=rf"^TritDecoder: trits is {trits}; .* from 1 to 1048576$"):
        TritDecoder("2b", trits)
