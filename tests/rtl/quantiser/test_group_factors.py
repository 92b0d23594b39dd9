# amaranth: UnusedElaboratable=no
import pytest

from golden.errors import TritweaveError
from rtl.quantiser.config import QuantizerConfig
from rtl.quantiser.group_factors import GroupFactors
from sim.pysim import Pauses, never, seeded
from support.quantisers import Vector, check_factors, golden, quantised, whole, words_of

TIES = [140, 9, 27, 45, 63, 81, 99, 117, 135, 136]
"""70·a / (9·140) is 7.8, and then 0.5 to 7.5, and more."""


@pytest.mark.parametrize(
    ("vector", "values", "factors"),
    [
        (whole(TIES, wide=False), [[7, 0, 2, 2, 4, 4, 6, 6, 7, 7]], [140 << 7]),
        (whole([-a for a in TIES], wide=False), [[-8, 0, -2, -2, -4, -4, -6, -6, -8, -8]], [140 << 7]),
        (whole([254, 1, 3, 5, -5, 251, -253, 0, 2, 64]), [[127, 0, 2, 2, -2, 126, -126, 0, 1, 32]], [254 << 7]),
        (whole([0] * 10, [0] * 10, wide=False), [[0] * 10, [0] * 10], [1 << 14]),
        (
            Vector([[1] * 10, [-2] * 10, [0] * 10, [-3] * 10], (1, 2, 3, 4), (False, False, True, True)),
            [[7] * 10, [-8] * 10, [0] * 10, [-127] * 10],
            [1 << 13, 1 << 14, 1 << 13, 3 << 13],
        ),
        (
            Vector(
                [[-(2**61)] * 10, [2**46 - 1] * 10, [2**47 + 1] * 10, [2**61 + 2**47 - 1] * 10],
                (1, 2, 3, 4),
                (False,) * 4,
            ),
            [[-8] * 10, [7] * 10, [7] * 10, [7] * 10],
            [1 << 14, 0, 1, 1 << 14],
        ),
        (
            Vector([[2**62 - 1] * 5 + [1 - 2**62] * 5, [2**62 - 1] * 5 + [1 - 2**62] * 5], (1, 2), (False, True)),
            [[7] * 5 + [-8] * 5, [127] * 5 + [-127] * 5],
            [32767, 32767],
        ),
    ],
    ids=["ties", "negative ties", "wide ties", "zeros", "one word a group", "cut factors", "largest"],
)
@pytest.mark.parametrize("groups", [4, 256])
def test_known_groups(vector: Vector, values: list[list[int]], factors: list[int], groups: int) -> None:
    config = QuantizerConfig(10, 63, (4, 4), "int4-groups", groups)
    run = quantised(config, words_of(config, [vector, vector], 1))
    assert [word.payload["data"] for word in run.left] == values * 2
    assert [factor.payload["value"] for factor in run.factors] == factors * 2
    assert [factor.payload["group"] for factor in run.factors] == [*range(len(factors))] * 2
    assert {factor.payload["channel"] for factor in run.factors} == {1}


@pytest.mark.parametrize("taking", [never, seeded(5, 0.5)], ids=["never", "often"])
def test_a_short_vector_s_groups_do_not_overwrite_those_of_the_one_that_leaves(taking: Pauses) -> None:
    config = QuantizerConfig(1, 12, (40,), "int4-groups", 8)
    long = Vector([[100 * (1 + index // 5)] for index in range(40)], tuple(range(5, 41, 5)), (False,) * 8)
    short = Vector([[1000 + index] for index in range(8)], tuple(range(1, 9)), (True,) * 8)
    run = quantised(config, words_of(config, [long, short, long, short]), taking=taking)
    assert run.taken[47].cycle < run.left[39].cycle  # all of it is in while the long one leaves
    assert [word.payload for word in run.left] == golden(config, [long, short, long, short])
    check_factors(run, config, [[long, short, long, short]])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((0, 1, 1), "width is 0; it must be an integer from 1 to 62"),
        ((63, 1, 1), "width is 63; it must be an integer from 1 to 62"),
        ((1, 0, 1), "groups is 0; it must be an integer from 1 to 256"),
        ((1, 257, 1), "groups is 257; it must be an integer from 1 to 256"),
        ((1, 1, 0), "number of channels is 0; it must be an integer from 1 to 16"),
        ((1, 1, 17), "number of channels is 17; it must be an integer from 1 to 16"),
    ],
)
def test_bad_groups_are_refused(parameters: tuple[int, int, int], message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^GroupFactors: {message}$"):
        GroupFactors(*parameters)
