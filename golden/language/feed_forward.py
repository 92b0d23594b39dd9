"""Inside the feed-forward network: relu²(gate) · up, of eight bits each."""

from typing import Final

import numpy as np

from golden.formats import ACTIVATION_MAX
from golden.language.format import VECTOR_BITS
from golden.language.quantiser import quantise
from golden.language.scalars import Integers, rounded_shift

HIDDEN_SHIFT: Final = (ACTIVATION_MAX**3).bit_length() + 1 - VECTOR_BITS
"""Bits that the product leaves out, so that `VECTOR_BITS` remain."""


def squared_gate_times_up(gate: Integers, up: Integers) -> Integers:
    """ReLU and quantiser for the gate, the quantiser for up, then ``gate² · up``, two products an element.

    What it is worth is nobody's business: a norm follows, which does not depend on it.
    """
    positive, _ = quantise(gate.clip(0))
    signed, _ = quantise(up)
    return rounded_shift(positive.astype(np.int64) ** 2 * signed, HIDDEN_SHIFT)
