"""Bench of `rtl.array.trit_decoder.TritDecoder`: every code in every group, against `golden.trits.decode_group`.

Settings: ``packing`` and ``trits``, as the decoder has them.
"""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from golden.formats import PACKINGS
from golden.trits import decode_group
from sim.testbench import settings
from tb.bits import from_words, to_words


@cocotb.test()
async def every_code(dut: Any) -> None:
    """Each code in each group, random codes in the others; a last group may be partly filled."""
    packing, trits = PACKINGS[settings()["packing"]], settings()["trits"]
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    codes, groups = 1 << packing.bits, packing.groups(trits)
    # In the end every group has had every code, whatever the random ones were.
    words = rng.integers(codes, size=(groups, codes, groups))
    for group in range(groups):
        words[group, :, group] = np.arange(codes)
    for word in to_words(words.reshape(-1, groups), packing.bits):
        dut.i.value = word
        await Timer(1)
        taken = from_words([int(dut.i.value)], packing.bits, groups, signed=False)[0]
        expected = [trit for code in taken for trit in decode_group(int(code), packing)][:trits]
        # Two bits a trit, nz below neg, is the code of packing 2b.
        given = from_words([int(dut.o.value)], 2, trits, signed=False)[0]
        decoded = [decode_group(int(code), PACKINGS["2b"])[0] for code in given]
        assert decoded == expected, f"codes {taken} decode to {decoded}; the model gives {expected}"
