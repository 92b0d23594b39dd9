import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from gen.training.data import RECIPES, Dataset, Examples, read_mnist, recipe_named
from gen.training.results import Epoch
from golden.bitlinear import forward_float
from golden.errors import TritweaveError
from golden.files.checkpoint import write_checkpoint
from golden.quantise import quantise_activations_float, quantise_weights

torch = pytest.importorskip("torch")

from gen.training.trainer import (  # noqa: E402 - torch comes first
    BitLinear,
    EightBitActivations,
    TernaryWeights,
    build,
    distort,
    export,
    train,
    train_float,
)

NOTHING = Examples(np.zeros((1, 784), np.uint8), np.zeros(1, np.uint8))
SMALL = replace(RECIPES["mnist-small"], sizes=(784, 12, 10), epochs=2, batch=16)


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two bright rows whose place is the digit, over noise: 50 images to learn from and 200 to test with."""
    draws = np.random.default_rng(5)
    for part, count in (("train", 50), ("t10k", 200)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = draws.integers(0, 40, (count, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 + 2 * label : 6 + 2 * label] += 200
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", labels)
    return tmp_path


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_quantisers_equal_the_golden_ones(dtype):
    draws = np.random.default_rng(1)
    weights, values = draws.normal(size=(50, 70)).astype(dtype), draws.normal(size=(40, 70)).astype(dtype)
    trits, gamma = quantise_weights(weights)
    quantised, scale = quantise_activations_float(values)
    np.testing.assert_allclose(TernaryWeights.apply(torch.tensor(weights)).numpy(), trits * gamma, rtol=1e-6)
    np.testing.assert_allclose(EightBitActivations.apply(torch.tensor(values)).numpy(), quantised / scale, rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1e-7])
def test_quantisers_keep_the_floor_of_the_golden_ones(level):
    array = np.full((3, 4), level, np.float32)
    trits, gamma = quantise_weights(array)
    quantised, scale = quantise_activations_float(array)
    np.testing.assert_allclose(TernaryWeights.apply(torch.tensor(array)).numpy(), trits * gamma, rtol=1e-6)
    np.testing.assert_allclose(EightBitActivations.apply(torch.tensor(array)).numpy(), quantised / scale, rtol=1e-6)


def test_bitlinear_equals_the_golden_float_form():
    layer = BitLinear(70, 30, torch.Generator().manual_seed(2)).double()
    values = np.random.default_rng(2).normal(size=(40, 70))
    normal = values / np.sqrt(np.square(values).mean(axis=-1, keepdims=True))
    expected = forward_float(normal, *quantise_weights(layer.weight.detach().numpy()))
    np.testing.assert_allclose(layer(torch.tensor(values)).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


def test_gradients_pass_straight_through():
    layer = BitLinear(6, 3, torch.Generator().manual_seed(3)).double()
    draws = np.random.default_rng(3)
    values = torch.tensor(draws.normal(size=(5, 6)), requires_grad=True)
    slopes = torch.tensor(draws.normal(size=(5, 3)))
    normal = torch.nn.functional.rms_norm(values, (6,))
    (layer(values) * slopes).sum().backward()
    torch.testing.assert_close(layer.weight.grad, slopes.T @ EightBitActivations.apply(normal.detach()))
    expected = torch.autograd.grad(normal, values, slopes @ TernaryWeights.apply(layer.weight.detach()))[0]
    torch.testing.assert_close(values.grad, expected)


def test_export_makes_the_same_decisions():
    model = build((784, 40, 10), torch.Generator().manual_seed(4))
    network = export(model, "fresh", Dataset(NOTHING, NOTHING))
    assert [(layer.inputs, layer.outputs, layer.relu) for layer in network.layers] == [
        (784, 40, True),
        (40, 10, False),
    ]
    vectors = np.random.default_rng(4).integers(0, 256, (500, 784), np.uint8)
    logits = network.forward(vectors).logits
    with torch.no_grad():
        floats = model(torch.tensor(vectors) / 255).numpy()
    assert np.mean(floats.argmax(-1) == logits.argmax(-1)) > 0.99
    slopes = (floats * logits).sum(-1, keepdims=True) / np.square(logits).sum(-1, keepdims=True, dtype=float)
    np.testing.assert_allclose(floats, logits * slopes, atol=0.02 * np.abs(floats).max())


def test_distort_leaves_an_image_alone_without_limits():
    images = torch.tensor(np.random.default_rng(6).integers(0, 256, (3, 28, 28), np.uint8))
    assert SMALL.distortion
    none = replace(SMALL.distortion, rotation=0, stretch=0, shear=0, shift=0, waves=0)
    torch.testing.assert_close(
        distort(images, none, torch.Generator().manual_seed(0)), images.float(), atol=1e-2, rtol=0
    )
    moved = distort(images, replace(none, shift=2), torch.Generator().manual_seed(0))
    assert (moved - images).abs().max() > 10


def test_same_seed_same_checkpoint(data, tmp_path):
    def checkpoint(seed: int) -> bytes:
        path = tmp_path / "trained.safetensors"
        write_checkpoint(path, train(SMALL, read_mnist(data), seed=seed).network)
        return path.read_bytes()

    first = checkpoint(7)
    torch.manual_seed(123)  # the trainer's draws are its own
    assert checkpoint(7) == first
    assert checkpoint(8) != first


def test_training_learns_and_reports_what_the_golden_model_gives(data):
    epochs: list[Epoch] = []
    threads = torch.get_num_threads()
    trained = train(SMALL, read_mnist(data), seed=0, epochs=30, progress=epochs.append)
    assert [(epoch.number, epoch.epochs) for epoch in epochs] == [(number, 30) for number in range(1, 31)]
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].accuracy > epochs[0].accuracy
    test = read_mnist(data).test
    predicted = trained.network.forward(test.vectors).logits.argmax(-1)
    assert trained.integer_accuracy == np.mean(predicted == test.labels)
    assert trained.integer_accuracy > 0.5
    assert abs(trained.float_accuracy - trained.integer_accuracy) < 0.05
    assert (trained.network.name, trained.network.input_type) == ("mnist-small", "uint8")
    assert trained.network.input_unit == 1 / 255
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "the number of epochs is 0; it must be at least 1"),
        ({"seed": -1}, r"the seed is -1; it must be 0 to 2\*\*63 - 1"),
    ],
)
def test_bad_settings_are_named(data, settings, message):
    with pytest.raises(TritweaveError, match=message):
        train(SMALL, read_mnist(data), **{"seed": 0, **settings})


def test_missing_data_is_named(tmp_path):
    with pytest.raises(TritweaveError, match=r"cannot read IDX file .*train-images-idx3-ubyte\.gz: No such file"):
        read_mnist(tmp_path)


def test_unknown_recipe_is_named():
    assert recipe_named("mnist") is RECIPES["mnist"]
    with pytest.raises(TritweaveError, match="recipe 'cifar' is not known; the recipes are mnist, mnist-small"):
        recipe_named("cifar")


def test_truncated_data_is_named(data):
    path = data / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TritweaveError, match=r"t10k-images-idx3-ubyte\.gz is not a whole gzip file"):
        read_mnist(data)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3-ubyte.gz", np.zeros((50, 27, 28)), r"shape \(50, 27, 28\); it must be \(n, 28, 28\)"),
        ("train-images-idx3-ubyte.gz", np.zeros(50), r"shape \(50,\); it must be \(n, 28, 28\)"),
        ("t10k-labels-idx1-ubyte.gz", np.zeros((200, 28, 28)), r"shape \(200, 28, 28\); it must be \(n\)"),
        ("t10k-labels-idx1-ubyte.gz", np.zeros(0), r"shape \(0,\); it must be \(n\) with n at least 1"),
        ("train-labels-idx1-ubyte.gz", np.zeros(49), r"has 50 images where .*train-labels.* has 49 labels"),
        ("train-labels-idx1-ubyte.gz", np.full(50, 10), "holds the label 10; the largest is 9"),
    ],
)
def test_wrong_data_is_named(data, name, array, message):
    write_idx(data / name, array.astype(np.uint8))
    with pytest.raises(TritweaveError, match=message):
        read_mnist(data)


def test_the_float_twin_learns_and_its_file_holds_its_weights(data, tmp_path):
    trained = train_float(SMALL, read_mnist(data), seed=0, epochs=30)
    assert trained.float_accuracy > 0.5
    assert trained.figures() == {"float_accuracy": trained.float_accuracy}
    trained.write(tmp_path / "twin.safetensors")
    weights = load_file(tmp_path / "twin.safetensors")
    assert {name: tensor.shape for name, tensor in weights.items()} == {
        "layers.0.weight": (12, 784),
        "layers.1.weight": (10, 12),
    }
    test = read_mnist(data).test
    # Norms scale whole vectors, so without them the same digit has the largest logit.
    hidden = np.maximum(test.vectors / 255 @ weights["layers.0.weight"].T, 0)
    predicted = (hidden @ weights["layers.1.weight"].T).argmax(-1)
    assert trained.float_accuracy == np.mean(predicted == test.labels)
