"""The segmented matrix and its integer form, against Python's own integers and fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.activations import activations_float, activations_integer, group_limits, group_units
from golden.bitlinear import forward_float, forward_integer
from golden.errors import TritweaveError
from golden.formats import RESULT_BITS, RULES, STATIC
from golden.schemes.alone import distance
from golden.schemes.integer import IntegerLayer, Mantissas, half
from golden.schemes.quantisers import SCHEMES, quantise
from golden.schemes.segmented import SegmentedMatrix


def matrix(seed: int = 0, *, rule: str = "int8", side: bool = False, full: bool = False) -> SegmentedMatrix:
    draws = np.random.default_rng(seed)
    planes, outputs, inner, outliers = 2, 3, 9, 4 if side else 0
    return SegmentedMatrix(
        draws.integers(-1, 2, (planes, outputs, inner)).astype(np.int8),
        draws.normal(size=(planes, outputs, 2)).astype(np.float32),
        (4, inner),
        rule,
        draws.normal(size=(outputs, 2)).astype(np.float32) if full else None,
        draws.integers(-127, 128, (outputs, outliers)).astype(np.int8) if side else None,
        draws.normal(size=outputs).astype(np.float32) if side else None,
        draws.permutation(inner + outliers).astype(np.int32) if full else None,
        draws.uniform(0.1, 2, inner + outliers).astype(np.float32) if full and rule == "int8" else None,
    )


VARIANTS = [
    {"rule": rule, "side": side or rule == "int4-groups", "full": full}
    for rule in RULES
    for side in (False, True)
    for full in (False, True)
]


def rounded(value: Fraction) -> int:
    return round(value)  # to even at ties, by definition


def activations(values: list[int], rule: str, groups: list[range]) -> tuple[list[int], list[int]]:
    """The integer rules, written out: values, and a factor for each group."""
    quantised = [0] * len(values)
    if rule in ("sign", "binary"):
        return [1 if value >= 0 else -1 for value in values], [1] * len(groups)
    if rule == "int8":
        peak = max(map(abs, values)) or 1
        return [rounded(Fraction(127 * value, peak)) for value in values], [1] * len(groups)
    peaks = [max(abs(values[i]) for i in group) or 1 for group in groups]
    for index, (group, peak) in enumerate(zip(groups, peaks, strict=True)):
        last = index == len(groups) - 1 or rule == "int8-groups"
        unit = Fraction(peak, 127) if last else Fraction(9 * peak, 70)
        for i in group:
            quotient = rounded(values[i] / unit)
            quantised[i] = quotient if last else max(-8, min(7, quotient))
    exponent = max(peaks).bit_length() - 15
    return quantised, [int(peak / Fraction(2) ** exponent) for peak in peaks]


def digits(value: int) -> list[int]:
    """Six balanced ternary digits, lowest first."""
    found = []
    for _ in range(6):
        found.append({0: 0, 1: 1, 2: -1}[value % 3])
        value = (value - found[-1]) // 3
    return found


def by_hand(made: SegmentedMatrix, values: list[int]) -> list[int]:
    """The equation over integers; only the mantissas are taken from the layer, in their stated order."""
    form = IntegerLayer.of(made)
    groups = [range(a, b) for a, b in zip((0, *made.groups), made.groups, strict=False)]
    q, factors = activations(values, made.activations, groups)
    results = []
    for o in range(made.outputs):
        mantissas = iter([int(part.mantissas[o]) for part in form.parts])
        total = 0
        for g, _ in enumerate(made.ends):
            for plane in made.planes:
                total += factors[g] * next(mantissas) * sum(int(plane[o, i]) * q[i] for i in groups[g])
            if made.offsets is not None:
                total += factors[g] * next(mantissas) * sum(q[i] for i in groups[g])
        if made.side is not None:
            for place in range(6):
                weights = [digits(int(weight))[place] for weight in made.side[o]]
                dot = sum(w * q[i] for w, i in zip(weights, groups[-1], strict=True))
                total += factors[-1] * next(mantissas) * dot
        assert next(mantissas, None) is None
        assert abs(total) <= form.bound
        results.append(total >> form.shift if form.signed else (2 * total + (1 << form.shift)) // (2 << form.shift))
    return results


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("peak", [1, 3, 255, (1 << 23) - 1])
def test_the_integer_form_is_the_equation_in_integers(variant, peak):
    made = matrix(5, **variant)
    batch = np.random.default_rng(peak).integers(-peak, peak + 1, (6, made.inputs))
    batch[0], batch[1, ::2], batch[2, 4:] = 0, 0, 0
    results = IntegerLayer.of(made).forward(batch)
    assert results.values.tolist() == [by_hand(made, [int(value) for value in row]) for row in batch]
    assert np.abs(results.values).max() < 1 << RESULT_BITS - 1


def test_parts_are_worth_what_their_scales_are():
    made = matrix(5, rule="int4-groups", side=True, full=True)
    layer = IntegerLayer.of(made)
    assert made.offsets is not None
    assert made.side_scales is not None
    reals = [made.scales[0, :, 0], made.scales[1, :, 0], made.offsets[:, 0]]
    reals += [made.scales[0, :, 1], made.scales[1, :, 1], made.offsets[:, 1]]
    expected = [real * 9 / 70 for real in reals] + [made.side_scales * 3**place / 127 for place in range(6)]
    for part, real in zip(layer.parts, expected, strict=True):
        np.testing.assert_allclose(part.mantissas * layer.unit, real, atol=layer.unit * 0.501)
    assert max(np.abs(part.mantissas).max() for part in layer.parts) == 32767
    assert [part.group for part in layer.parts] == [0, 0, 0, 1, 1, 1, *[2] * 6]
    assert layer.passes == [(0, 4)] * 3 + [(4, 9)] * 3 + [(9, 13)] * 6


def test_a_larger_shift_rounds_more_and_relu_ends_it():
    made = matrix(8)
    batch = np.random.default_rng(1).integers(-99, 100, (40, made.inputs))
    layer = IntegerLayer.of(made)
    exact = layer.forward(batch, 0).values
    assert (exact < 0).any()
    for shift in (1, 5):
        rounded_up = (2 * exact + (1 << shift)) // (2 << shift)
        np.testing.assert_array_equal(layer.forward(batch, shift).values, rounded_up)
        rectified = replace(layer, relu=True).forward(batch, shift).values
        np.testing.assert_array_equal(rectified, np.maximum(rounded_up, 0))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_float_form_is_the_equation_in_floats(variant):
    made = matrix(6, **variant)
    values = np.random.default_rng(2).normal(size=(5, made.inputs))
    arranged = values if made.order is None else values[:, made.order]
    if made.input_scales is not None:
        arranged = arranged * made.input_scales
    q, factors, unit = activations_float(arranged, made.activations, made.groups)
    scaled = np.array(q, float)
    for g, (start, end) in enumerate(zip((0, *made.groups), made.groups, strict=False)):
        scaled[:, start:end] *= factors[:, g, None] * unit
    if made.input_scales is not None:
        scaled /= made.input_scales
    if made.order is not None:
        scaled = scaled[:, np.argsort(made.order)]
    np.testing.assert_allclose(made.evaluate(values), scaled @ made.weights().T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_integer_form_is_close_to_the_float_form(variant):
    made = matrix(7, **variant)
    batch = np.random.default_rng(3).integers(-5000, 5001, (50, made.inputs))
    assert 0 <= distance(made, batch, 0.25) < 5e-3
    made = replace(made, order=None, input_scales=None)
    results, units = IntegerLayer.of(made).forward(batch)
    np.testing.assert_allclose(
        results * units, made.evaluate(batch.astype(float)), atol=2e-3 * np.abs(results * units).max()
    )


def test_one_scale_for_all_is_the_engine_s_own_arithmetic():
    draws = np.random.default_rng(4)
    made = quantise("b1.58", draws.normal(size=(20, 100)))
    form = IntegerLayer.of(made)
    batch = draws.integers(0, 256, (30, 100))
    assert form.one_scale
    assert form.shift == 0
    sums, maximum = forward_integer(batch, made.planes[0])
    results = form.forward(batch)
    np.testing.assert_array_equal(results.values, sums)
    np.testing.assert_allclose(results.units, float(made.scales[0, 0, 0]) * maximum / 127)
    floats = batch.astype(np.float32)
    np.testing.assert_allclose(
        made.evaluate(floats), forward_float(floats, made.planes[0], float(made.scales[0, 0, 0])), rtol=1e-6, atol=1e-6
    )


@given(st.lists(st.floats(-1e6, 1e6, width=32).filter(bool), min_size=1, max_size=9))
def test_mantissas_are_within_half_a_unit(reals):
    array = np.array(reals, np.float32)
    mantissas = Mantissas.of([array])
    assert np.abs(mantissas.values[0]).max() <= 32767
    error = np.abs(mantissas.values[0] * mantissas.unit - array.astype(float))
    assert error.max() <= np.abs(array).max() / 32767 / 2 * (1 + 1e-9)


@pytest.mark.parametrize("name", SCHEMES)
def test_the_bound_is_reached_by_no_input_and_approached_by_the_worst(name):
    draws = np.random.default_rng(11)
    made = quantise(name, draws.normal(size=(4, 200)))
    form = IntegerLayer.of(made)
    signs = np.where(made.weights() < 0, -1, 1)
    sums = np.abs(form.forward(signs * 1000).values).max() << form.shift
    assert sums <= form.bound + (1 << form.shift)
    if name in ("b1.58", "bitnet", "bwn", "xnor"):
        assert sums > 0.99 * form.bound
    assert form.accumulator_bits == (form.bound + half(form.shift)).bit_length() + 1
    assert form.accumulator_bits - form.shift <= RESULT_BITS


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        ("int8", [[0, 0, 0]], ([[0, 0, 0]], [[1, 1]])),
        ("int8", [[2, -1, 4]], ([[64, -32, 127]], [[1, 1]])),  # 63.5 and 31.75
        ("sign", [[0, -3, 3]], ([[1, -1, 1]], [[1, 1]])),
        ("int4-groups", [[0, 0, 0]], ([[0, 0, 0]], [[16384, 16384]])),
        # 7 is clipped to 6.3, and so is -7, to -7.8 of its units.
        ("int4-groups", [[7, -7, 3]], ([[7, -8, 127]], [[7 << 12, 3 << 12]])),
        ("int4-groups", [[127, 9, 65535]], ([[7, 1, 127]], [[63, 32767]])),  # 127 / 2 is cut off; 70 · 9 / (9 · 127)
        ("int4-groups", [[-1, 0, 1 << 40]], ([[-8, 0, 127]], [[0, 16384]])),
        ("int8-groups", [[2, -4, 5]], ([[64, -127, 127]], [[4 << 12, 5 << 12]])),
        ("int8-groups", [[0, 0, -65535]], ([[0, 0, -127]], [[0, 32767]])),
        ("binary", [[0, -300, 3]], ([[1, -1, 1]], [[1, 1]])),
        (STATIC, [[0, -127, 3]], ([[0, -127, 3]], [[1, 1]])),
    ],
)
def test_known_activations(rule, values, expected):
    found = activations_integer(np.array(values), rule, (2, 3))
    assert (found.values.tolist(), found.factors.tolist()) == expected
    assert (np.abs(found.values * np.repeat(found.factors, (2, 1), axis=1)) <= group_limits(rule, 2)[[0, 0, 1]]).all()


@pytest.mark.parametrize(
    ("values", "unit"), [([[1, 0, 0]], 2**-14), ([[3, -32768, 0]], 2), ([[5, 0, (1 << 54) - 1]], 2**39)]
)
def test_the_unit_of_groups_is_the_power_of_two_that_leaves_the_largest_fifteen_bits(values, unit):
    found = activations_integer(np.array(values), "int4-groups", (2, 3))
    assert found.unit.tolist() == [[unit]]
    assert found.factors.max().item().bit_length() == 15


def test_constants_of_the_groups_are_left_to_the_scales():
    assert group_units("int4-groups", 3).tolist() == [9 / 70, 9 / 70, 1 / 127]
    assert group_limits("int4-groups", 3).tolist() == [8 * 32767, 8 * 32767, 127 * 32767]
    assert group_units("int8-groups", 2).tolist() == [1 / 127, 1 / 127]
    assert group_limits("int8-groups", 2).tolist() == [127 * 32767] * 2
    for rule, limit in (("int8", 127), ("sign", 1), ("binary", 1), (STATIC, 127)):
        assert group_units(rule, 2).tolist() == [1, 1]
        assert group_limits(rule, 2).tolist() == [limit, limit]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"planes": np.full((2, 3, 9), 2, np.int8)}, r"planes hold 2 at \[0, 0, 0\]"),
        ({"planes": np.zeros((3, 9), np.int8)}, r"planes have shape \(3, 9\)"),
        ({"ends": (4, 8)}, r"the segments end at \(4, 8\); the ends rise from above 0 to 9"),
        ({"ends": (4, 4, 9)}, "the segments end at"),
        ({"ends": (0, 9)}, "the segments end at"),
        ({"ends": ()}, "the segments end at"),
        ({"scales": np.ones((2, 3, 1), np.float32)}, r"scales is float32 of shape \(2, 3, 1\); it must be"),
        ({"scales": np.ones((2, 3, 2))}, "scales is float64"),
        ({"scales": np.full((2, 3, 2), np.nan, np.float32)}, "scales holds a value that is not finite"),
        ({"scales": np.zeros((2, 3, 2), np.float32)}, "all scales are 0"),
        ({"activations": "int3"}, "activations are 'int3'"),
        ({"activations": "int4-groups"}, "int4-groups needs a side path"),
        ({"side": np.ones((3, 2), np.int8)}, "a side path has both weights and scales"),
        (
            {"side": np.full((3, 1), -128, np.int8), "side_scales": np.ones(3, np.float32)},
            "side holds -128; its values are -127 to 127",
        ),
        ({"side": np.ones((3, 0), np.int8), "side_scales": np.ones(3, np.float32)}, "side is int8 of shape"),
        ({"order": np.zeros(9, np.int32)}, "order is no permutation of 0 to 8"),
        ({"input_scales": np.zeros(9, np.float32)}, "all input scales are 0"),
        ({"activations": "sign", "input_scales": np.ones(9, np.float32)}, "input scales go with int8 activations"),
        ({"offsets": np.ones((3, 1), np.float32)}, "offsets is float32 of shape"),
        ({"bias": np.ones(2, np.float32)}, r"bias is float32 of shape \(2,\); it must be float32 of shape \(3,\)"),
        ({"activations": "sign", "bias": np.ones(3, np.float32)}, "a bias goes with int8, static or binary act"),
    ],
)
def test_a_matrix_that_is_none_is_refused(change, message):
    with pytest.raises(TritweaveError, match=message):
        replace(matrix(), **change)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.ones((2, 8), int), r"the input has shape \(2, 8\); the layer takes \(n, 9\)"),
        (np.ones((0, 9), int), "n at least 1"),
        (np.ones((2, 9)), "activations are float64; integers of magnitude below"),
        (np.full((2, 9), 1 << 24), "integers of magnitude below"),
    ],
)
def test_inputs_that_are_none_are_refused(batch, message):
    with pytest.raises(TritweaveError, match=message):
        IntegerLayer.of(matrix()).forward(batch)


def test_static_activations_are_127ths_and_stay_inside_them():
    found = activations_float(np.array([[0.5, -2.0, 1.0]]), STATIC, (2, 3))
    assert found.values.tolist() == [[64, -127, 127]]
    np.testing.assert_array_equal(found.factors, [[1 / 127, 1 / 127]])
    with pytest.raises(TritweaveError, match="activations reach 128; 127 is the largest magnitude"):
        activations_integer(np.array([[-128, 1, 1]]), STATIC, (2, 3))


def test_an_unknown_rule_is_named():
    for form, dtype in ((activations_float, float), (activations_integer, int)):
        with pytest.raises(TritweaveError, match="activation rule 'int3' is not known; the rules are int8, sign"):
            form(np.ones((1, 2), dtype), "int3", (2,))
