import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen.imports.ternary_floats import STEPS, loss, split_ternary, ternary_groups
from golden.errors import TritweaveError

TYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
RANDOM = np.random.default_rng(11)


@given(st.integers(0, 1000), st.sampled_from([0, 1, 2, 4]), st.sampled_from(list(TYPES)))
def test_trits_times_scales_are_found_and_come_back_exactly(seed, groups, kind):
    random = np.random.default_rng(seed)
    trits = random.integers(-1, 2, (6, 96)).astype(np.int8)
    trits[:, ::16] = 1  # no group without a magnitude of its own
    scales = random.permutation(np.arange(1, 6 * max(groups, 1) + 1))[: 6 * max(groups, 1)] / 16
    scales = scales.reshape(6, -1) if groups else np.full((6, 1), 0.3)
    weights = (trits * np.repeat(scales, 96 // scales.shape[1], axis=1).astype(TYPES[kind])).astype(TYPES[kind])
    assert ternary_groups(weights, kind) == groups
    found, magnitudes = split_ternary(weights, groups)
    np.testing.assert_array_equal(found, trits)
    expected = scales.astype(TYPES[kind]) if groups else scales[0, :1].astype(TYPES[kind])
    np.testing.assert_array_equal(magnitudes, expected)


@pytest.mark.parametrize("scales", [[0.3, 2.0], [0.5, 0.5], [1.0, 1.0]])
def test_small_rows_keep_their_trits(scales):
    trits = RANDOM.integers(-1, 2, (2, 173)).astype(np.int8)
    weights = trits * np.array(scales, np.float32)[:, None]
    groups = ternary_groups(weights, "F32")
    assert groups == (0 if scales[0] == scales[1] else 1)
    found, magnitudes = split_ternary(weights, 0 if groups is None else groups)
    np.testing.assert_array_equal(found, trits)
    assert np.unique(magnitudes.astype(np.float32)).tolist() == sorted({float(np.float32(scale)) for scale in scales})


def test_what_a_straight_through_estimator_leaves_is_ternary():
    weights = RANDOM.normal(size=(64, 64)).astype(np.float32)
    trits, scale = np.clip(np.rint(weights / 0.7), -1, 1).astype(np.float32), np.float32(0.7)
    left = weights + (trits * scale - weights)
    assert len(np.unique(np.abs(left))) > 2
    assert ternary_groups(left, "F32") == 0
    np.testing.assert_array_equal(split_ternary(left, 0)[0], trits)


@pytest.mark.parametrize("kind", TYPES)
def test_floats_of_many_magnitudes_are_not_ternary(kind):
    weights = RANDOM.normal(size=(8, 96)).astype(TYPES[kind])
    assert ternary_groups(weights, kind) is None
    trits = RANDOM.integers(-1, 2, (8, 96))
    trits[0, :3] = 1
    almost = trits.astype(TYPES[kind])
    almost[0, 0] = 1 + 8 * STEPS[kind]
    almost[0, 1] = 1 - 8 * STEPS[kind]
    # All else is trits, but no group that is long enough is without one of the two.
    assert ternary_groups(almost[:1], kind) is None


def test_groups_of_zeros_have_the_scale_0_and_a_matrix_of_zeros_1():
    weights = np.zeros((2, 64), np.float32)
    assert ternary_groups(weights, "F32") == 0
    assert split_ternary(weights, 0)[1].tolist() == [1]
    weights[0, 3], weights[0, 40] = 0.5, -0.25
    assert ternary_groups(weights, "F32") == 2
    assert split_ternary(weights, 2)[1].tolist() == [[0.5, 0.25], [0, 0]]


def test_what_is_lost_is_the_norm_of_the_difference():
    weights = RANDOM.normal(size=(300, 200))
    trits = np.clip(np.rint(weights), -1, 1).astype(np.int8)
    expected = np.linalg.norm(weights - 0.9 * trits) / np.linalg.norm(weights)
    assert abs(loss(weights, trits, 0.9) - expected) < 1e-12


def test_what_is_no_number_is_refused():
    with pytest.raises(TritweaveError, match=r"weights hold nan at \[0, 1\]"):
        ternary_groups(np.array([[1, np.nan]]), "F64")
