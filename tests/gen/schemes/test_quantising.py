from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from gen.imports.opening import open_source
from gen.plan.presets import mnist_images
from gen.schemes.quantising import interface_of, measure_accuracy, quantise_layers
from golden.errors import TritweaveError
from golden.schemes.file import read_scheme
from golden.schemes.network import forward_float, integer_network
from golden.schemes.quantisers import SCHEMES, quantise


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    draws = np.random.default_rng(2)
    shapes = ((12, 784), (9, 12), (10, 9))
    return {f"layers.{index}.weight": draws.normal(size=s).astype(np.float32) for index, s in enumerate(shapes)}


@pytest.fixture
def source(weights: dict[str, np.ndarray], tmp_path: Path) -> Path:
    save_file(weights, tmp_path / "floats.safetensors")
    return tmp_path / "floats.safetensors"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_layers_become_what_the_golden_scheme_makes_of_them(scheme, weights, source, tmp_path):
    opened = open_source(source)
    steps: list[int] = []
    made = quantise_layers(scheme, opened, opened.matrices(), tmp_path / "out", steps.append)
    assert steps == [1, 1, 1]
    assert [(layer.name, layer.outputs, layer.inputs) for layer in made] == [
        ("layers.0", 12, 784),
        ("layers.1", 9, 12),
        ("layers.2", 10, 9),
    ]
    written = read_scheme(tmp_path / "out")
    assert written.scheme == scheme
    for name, layer in zip(written.specs, made, strict=True):
        expected = quantise(scheme, weights[f"{name}.weight"])
        np.testing.assert_array_equal(written.read(name).weights(), expected.weights())
        norm = np.linalg.norm(weights[f"{name}.weight"])
        assert layer.error == pytest.approx(np.linalg.norm(expected.weights() - weights[f"{name}.weight"]) / norm)


def test_accuracy_is_that_of_both_forms(source, tmp_path):
    opened = open_source(source)
    assert interface_of(opened, opened.matrices())[1:] == (784, "uint8", 1.0, 10)
    quantise_layers("group64", opened, opened.matrices(), tmp_path / "out")
    found = measure_accuracy(tmp_path / "out", *mnist_images(1200))
    assert found.images == 1200
    assert 0 < found.floats < 0.4
    assert found.integers == pytest.approx(found.floats, abs=0.01)
    assert len(found.distances) == 3
    assert max(found.distances) < 0.01
    assert found.figures()["images"] == 1200


def test_layers_in_a_row_in_floats(weights):
    matrices = [quantise("bwn", tensor) for tensor in weights.values()]
    batch = np.random.default_rng(3).integers(0, 256, (7, 784))
    floats = forward_float(matrices, batch.astype(float))
    assert floats.shape == (7, 10)
    values = batch.astype(float)
    for index, matrix in enumerate(matrices):
        values = matrix.evaluate(values if index == 0 else np.maximum(values, 0))
    np.testing.assert_array_equal(floats, values)
    for chain, message in (([matrices[1]] * 2, "layer 0 gives 9 values where layer 1 takes 12"), ([], "has no layers")):
        with pytest.raises(TritweaveError, match=message):
            integer_network("chain", chain)
        with pytest.raises(TritweaveError, match=message):
            forward_float(chain, batch.astype(float))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.1.weight": np.full((9, 12), np.nan, np.float32)}, r"layers\.1: weights hold nan at \[0, 0\]"),
        ({"layers.1.weight": np.zeros((9, 12), np.float32)}, r"layers\.1: the largest weight is 0"),
        ({"layers.1.weight": np.ones((9, 12), np.int8)}, r"layers\.1\.weight has type I8; floats are F16"),
        ({"layers.1.weight": np.ones((9, 1), np.float32)}, r"layers\.1: the layer has 1 input; atom needs"),
        ({"layers.1.weight": np.ones((0, 12), np.float32)}, r"layers\.1\.weight has shape \(0, 12\)"),
    ],
)
def test_weights_that_are_none_are_refused_and_nothing_is_written(change, message, weights, source, tmp_path):
    save_file(weights | change, source)
    opened = open_source(source)
    with pytest.raises(TritweaveError, match=message):
        quantise_layers("atom", opened, opened.matrices(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == [source]


def test_layers_that_do_not_follow_each_other_are_no_network(source):
    with pytest.raises(TritweaveError, match=r"layers\.2 takes 9 values where the layer before gives 12"):
        interface_of(open_source(source), ["layers.0", "layers.2"])
