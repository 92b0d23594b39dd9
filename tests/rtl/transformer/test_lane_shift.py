# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import TritweaveError
from golden.language.scalars import Scalars, scaled
from rtl.transformer.lane_shift import LaneShift
from sim.pysim import steps, trace


@settings(max_examples=12)
@given(width=st.integers(2, 40), less=st.integers(0, 20), seed=st.integers(0, 2**16))
def test_products_shift_down_and_round_with_the_bit_that_was_lost(width: int, less: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    needed = max(width - less, 2)
    shift = LaneShift(width, needed)
    top = 1 << width - 1
    amounts = np.concatenate([np.arange(1 << len(shift.amount))] * 4)
    values = random.integers(-top, top, len(amounts)) >> random.integers(0, width, len(amounts))
    values[: len(amounts) // 2 : 3], values[1 : len(amounts) // 2 : 3] = -top, top - 1
    inputs = [{"i": int(value), "amount": int(amount)} for value, amount in zip(values, amounts, strict=True)]
    seen = trace(shift, steps([*inputs, *[{}] * LaneShift.LATENCY]), "o", "lost")[LaneShift.LATENCY :]
    found = np.array([[cycle["o"], cycle["lost"]] for cycle in seen])
    # Numpy does not shift by more than 63.
    amounts = np.minimum(amounts, 62)
    down, limit = values >> amounts, 1 << needed - 1
    told = (down >= -limit) & (down < limit)
    assert np.array_equal(found[told, 0], down[told])
    assert np.array_equal(found[told].sum(axis=1), scaled(values, Scalars(np.ones_like(values), -amounts))[told])
    over = found[~told, 0]
    assert np.array_equal(over < 0, values[~told] < 0)
    assert np.all((over < -limit) | (over >= limit))


def test_widths_that_cannot_be_are_refused() -> None:
    with pytest.raises(TritweaveError, match="lane shift: width is 65; it must be an integer from 2 to 64"):
        LaneShift(65, 2)
    with pytest.raises(TritweaveError, match="lane shift: bits needed is 9; it must be an integer from 2 to 8"):
        LaneShift(8, 9)
