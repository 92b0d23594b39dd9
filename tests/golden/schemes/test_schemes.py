"""Each scheme against its paper's equation, written out here in floats, element by element."""

import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.schemes.quantisers import SCHEMES, quantise, scheme_named
from golden.schemes.segmented import SegmentedMatrix

OUTPUTS, INPUTS, VECTORS = 5, 300, 4


@pytest.fixture(params=range(3))
def case(request):
    draws = np.random.default_rng(request.param)
    weights = draws.normal(0.01, 0.05, (OUTPUTS, INPUTS)) * draws.uniform(0.2, 3, INPUTS)
    return weights, draws.normal(size=(VECTORS, INPUTS))


def eight_bits(x):
    scale = 127 / max(abs(value) for value in x)
    return [round(value * scale) / scale for value in x]


def product(matrix, vectors):
    return np.array([[sum(w * v for w, v in zip(row, x, strict=True)) for row in matrix] for x in vectors])


def check(name, weights, vectors, expected, **arguments):
    matrix = quantise(name, weights, **arguments)
    assert (matrix.outputs, matrix.inputs) == weights.shape
    np.testing.assert_allclose(matrix.evaluate(vectors), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    return matrix


def test_b158(case):
    weights, vectors = case
    gamma = sum(abs(w) for row in weights for w in row) / weights.size
    matrix = [[gamma * max(-1, min(1, round(w / gamma))) for w in row] for row in weights]
    made = check("b1.58", weights, vectors, product(matrix, [eight_bits(x) for x in vectors]))
    np.testing.assert_allclose(made.weights(), matrix, rtol=1e-6)


def test_bitnet(case):
    weights, vectors = case
    mean = weights.sum() / weights.size
    beta = np.abs(weights).sum() / weights.size
    matrix = [[beta if w - mean > 0 else -beta for w in row] for row in weights]
    check("bitnet", weights, vectors, product(matrix, [eight_bits(x) for x in vectors]))


def test_bitnet_takes_the_mean_itself_for_negative():
    assert quantise("bitnet", np.array([[1.0, 2.0, 3.0]])).planes.tolist() == [[[-1, -1, 1]]]


def test_bwn_and_xnor(case):
    weights, vectors = case
    matrix = [[sum(map(abs, row)) / len(row) * (1 if w >= 0 else -1) for w in row] for row in weights]
    check("bwn", weights, vectors, product(matrix, [eight_bits(x) for x in vectors]))
    signs = [[sum(map(abs, x)) / len(x) * (1 if value >= 0 else -1) for value in x] for x in vectors]
    made = check("xnor", weights, vectors, product(matrix, signs))
    assert made.activations == "sign"


def test_onebit(case):
    weights, vectors = case
    left, values, right = np.linalg.svd(np.abs(weights))
    rows, columns = np.abs(left[:, 0]) * np.sqrt(values[0]), np.abs(right[0]) * np.sqrt(values[0])
    scaled = [eight_bits([g * value for g, value in zip(columns, x, strict=True)]) for x in vectors]
    matrix = [[h * (1 if w >= 0 else -1) for w in row] for h, row in zip(rows, weights, strict=True)]
    made = check("onebit", weights, vectors, product(matrix, scaled))
    np.testing.assert_allclose(made.weights(), np.sign(weights) * np.outer(rows, columns), rtol=1e-5)


@pytest.mark.parametrize("group", [64, 128, 256])
def test_group(case, group):
    weights, vectors = case
    matrix = np.zeros_like(weights)
    for o, row in enumerate(weights):
        for start in range(0, INPUTS, group):
            part = row[start : start + group]
            gamma = sum(map(abs, part)) / len(part)
            for i, w in enumerate(part):
                matrix[o, start + i] = np.float16(gamma) * max(-1, min(1, round(w / gamma)))
    made = check(f"group{group}", weights, vectors, product(matrix, [eight_bits(x) for x in vectors]))
    assert len(made.ends) == -(-INPUTS // group)


def atom_expected(weights, vectors, importance):
    inputs = weights.shape[1]
    outliers = sorted(sorted(range(inputs), key=lambda i: importance[i])[-min(128, inputs // 8) :])
    others = [i for i in range(inputs) if i not in outliers]
    expected = np.zeros((len(vectors), len(weights)))
    for n, x in enumerate(vectors):
        side = max(abs(x[i]) for i in outliers) / 127
        for o, row in enumerate(weights):
            scale = max(abs(row[i]) for i in outliers) / 127
            expected[n, o] += sum(round(row[i] / scale) * round(x[i] / side) for i in outliers) * scale * side
            for start in range(0, len(others), 128):
                group = others[start : start + 128]
                of_weights = 0.85 * max(abs(row[i]) for i in group) / 7
                of_values = 0.9 * max(abs(x[i]) for i in group) / 7
                fours = [
                    [max(-8, min(7, round(v[i] / s))) for i in group] for v, s in ((row, of_weights), (x, of_values))
                ]
                expected[n, o] += sum(w * q for w, q in zip(*fours, strict=True)) * of_weights * of_values
    return expected


def test_atom(case):
    weights, vectors = case
    check("atom", weights, vectors, atom_expected(weights, vectors, np.square(weights).sum(axis=0)))
    calibration = np.random.default_rng(9).normal(size=(20, INPUTS)) * np.arange(INPUTS, 0, -1)
    expected = atom_expected(weights, vectors, np.square(calibration).sum(axis=0))
    check("atom", weights, vectors, expected, calibration=calibration)


def binarised(values):
    if not len(values):
        return []
    mean = sum(values) / len(values)
    scale = sum(abs(v - mean) for v in values) / len(values)
    return [mean + (scale if v - mean >= 0 else -scale) for v in values]


def scattered(block, mask):
    result = np.zeros_like(block)
    for o, row in enumerate(block):
        result[o, mask[o]] = binarised(list(row[mask[o]]))
    return result


def billm_block(block, saliency):
    order = sorted(range(block.shape[1]), key=lambda i: -saliency[i])

    def salient(count):
        mask = np.zeros(block.shape, bool)
        mask[:, order[:count]] = True
        first = scattered(block, mask)
        return mask, first + scattered(block - first, mask)

    def error(count):
        mask, made = salient(count)
        return np.square(block - made - scattered(block, ~mask)).sum()

    mask, made = salient(min(range(1, min(50, block.shape[1] - 1) + 1), key=error))
    splits = np.linspace(0.1, 0.9, 80) * np.abs(block[~mask]).max()
    options = []
    for split in splits:
        large = ~mask & (np.abs(block) > split)
        options.append(scattered(block, large) + scattered(block, ~mask & ~large))
    return made + min(options, key=lambda option: np.square(np.where(mask, 0, block - option)).sum())


@pytest.mark.parametrize("calibrated", [False, True])
def test_billm(case, calibrated):
    weights, vectors = case
    calibration, saliency = None, np.square(weights).sum(axis=0)
    if calibrated:
        calibration = np.random.default_rng(8).normal(size=(400, INPUTS)) * np.linspace(3, 1, INPUTS)
        hessian = calibration.T @ calibration
        hessian += 0.01 * np.trace(hessian) / INPUTS * np.eye(INPUTS)
        saliency = np.square(weights / np.diag(np.linalg.inv(hessian))).sum(axis=0)
    blocks = [slice(start, start + 128) for start in range(0, INPUTS, 128)]
    matrix = np.hstack([billm_block(weights[:, block], saliency[block]) for block in blocks])
    expected = product(matrix, [eight_bits(x) for x in vectors])
    made = check("billm", weights, vectors, expected, calibration=calibration)
    np.testing.assert_allclose(made.weights(), matrix, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", SCHEMES)
def test_finer_schemes_come_closer(case, name):
    weights = case[0]
    error = np.linalg.norm(quantise(name, weights).weights() - weights) / np.linalg.norm(weights)
    assert error < {"billm": 0.4, "atom": 0.15}.get(name, 0.85)


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("shape", [(1, 2), (3, 8), (2, 129), (40, 3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_small_and_odd_shapes(name, shape, dtype):
    weights = np.random.default_rng(1).normal(size=shape).astype(dtype)
    matrix = quantise(name, weights)
    assert isinstance(matrix, SegmentedMatrix)
    assert matrix.weights().shape == shape
    assert matrix.structure == SCHEMES[name].structure(shape[1])
    if SCHEMES[name].one_scale:
        assert len(np.unique(matrix.scales)) == 1
    assert np.isfinite(matrix.evaluate(np.ones((1, shape[1])))).all()


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.array([[1.0, np.nan]]), r"weights hold nan at \[0, 1\]"),
        (np.array([[1.0, np.inf]]), r"weights hold inf at \[0, 1\]"),
        (np.ones(4), r"weights have shape \(4,\)"),
        (np.ones((0, 4)), r"weights have shape \(0, 4\)"),
        (np.zeros((2, 4)), "the largest weight is 0; it must be above 0"),
        (np.full((2, 4), 1e300), r"the largest weight is 1e\+300"),
        (np.ones((2, 4), np.int64), "weights have dtype int64"),
    ],
)
def test_weights_that_are_none_are_refused(name, weights, message):
    with pytest.raises(TritweaveError, match=message):
        quantise(name, weights)


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (np.ones((3, 5)), r"calibration has shape \(3, 5\); it must be \(n, 4\)"),
        (np.full((3, 4), np.nan), "calibration inputs hold nan"),
    ],
)
def test_calibration_that_is_none_is_refused(calibration, message):
    with pytest.raises(TritweaveError, match=message):
        quantise("atom", np.ones((2, 4)), calibration)


def test_an_unknown_scheme_is_named():
    assert scheme_named("b1.58").paper == "2402.17764"
    with pytest.raises(TritweaveError, match=r"scheme 'int3' is not known; the schemes are b1\.58, bitnet, bwn, xnor"):
        quantise("int3", np.ones((1, 1)))


def test_atom_needs_an_input_that_is_no_outlier():
    with pytest.raises(TritweaveError, match="the layer has 1 input; atom needs one"):
        quantise("atom", np.ones((2, 1)))
