"""Networks trained with published schemes: what they compute is what their matrices do, in floats and in integers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gen.plan.presets import load_network
from gen.training.data import RECIPES, SCHEMES, Dataset, Examples
from golden.errors import TritweaveError
from golden.network import Network
from golden.schemes.network import SegmentedNetwork, forward_float, integer_network
from golden.schemes.quantisers import quantise_bitnet, quantise_bwn

torch = pytest.importorskip("torch")

from gen.training.published import (  # noqa: E402 - torch comes first
    MODELS,
    ActivationSigns,
    RowSigns,
    ShiftedSigns,
    matrices_of,
    train_scheme,
)

SMALL = replace(RECIPES["mnist-small"], sizes=(784, 24, 16, 10), epochs=8, batch=16, distortion=None)


def examples(count: int, seed: int) -> Examples:
    """Two bright rows whose place is the digit, over noise."""
    labels = np.arange(count) % 10
    images = np.random.default_rng(seed).integers(0, 40, (count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 6 + 2 * label] += 200
    return Examples(images.reshape(count, 784), labels)


DATA = Dataset(examples(200, 1), examples(100, 2))


def test_quantisers_equal_the_golden_ones():
    weights = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32) + np.float32(0.2)
    for function, golden in ((ShiftedSigns, quantise_bitnet), (RowSigns, quantise_bwn)):
        tensor = torch.tensor(weights, requires_grad=True)
        found = function.apply(tensor)
        np.testing.assert_allclose(found.detach().numpy(), golden(weights).weights(), rtol=1e-6)
        found.sum().backward()
        assert (tensor.grad == 1).all()


def test_a_sign_s_gradient_passes_near_zero():
    values = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.5], requires_grad=True)
    signs = ActivationSigns.apply(values)
    assert signs.tolist() == [-1, -1, 1, 1, 1]
    signs.sum().backward()
    assert values.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_put_out_decides_as_the_model_does(scheme):
    model = MODELS[scheme]((784, 40, 30, 10), torch.Generator().manual_seed(4))
    vectors = np.random.default_rng(4).integers(0, 256, (400, 784), np.uint8)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "columns" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)) + 0.3)
        # Batch norms see data before their statistics count.
        model(torch.tensor(vectors) / 255)
        floats = model.eval()(torch.tensor(vectors) / 255).numpy()
    matrices = matrices_of(model)
    found = forward_float(matrices, vectors / np.float32(255))
    network = integer_network(scheme, matrices, input_unit=1 / 255)
    assert isinstance(network, Network if scheme == "bitnet" else SegmentedNetwork)
    logits = network.forward(network.prepare(vectors)).logits
    # Where two logits are close, or a sum is at its threshold, they may differ.
    for made in (found, logits):
        assert np.mean(floats.argmax(-1) == made.argmax(-1)) > 0.97


@pytest.mark.parametrize("scheme", SCHEMES)
def test_training_learns_and_writes_a_model(scheme, tmp_path: Path):
    trained = train_scheme(scheme, SMALL, DATA, seed=0)
    assert trained.integer_accuracy > 0.5
    assert abs(trained.float_accuracy - trained.integer_accuracy) < 0.05
    trained.write(tmp_path / "net.safetensors")
    network, _ = load_network(str(tmp_path / "net.safetensors"))
    assert network.name == scheme
    found = network.forward(network.prepare(DATA.test.vectors)).logits.argmax(-1)
    assert np.mean(found == DATA.test.labels) == trained.integer_accuracy
    assert trained.figures()["trits"] == 784 * 24 + 24 * 16 + 16 * 10
    assert dict(trained.rows())["integer accuracy"] == f"{trained.integer_accuracy:.2%}"


def test_data_of_another_unit_are_refused():
    with pytest.raises(TritweaveError, match="the data are uint8 of unit 1; a scheme takes uint8 of 1/255"):
        train_scheme("bwn", SMALL, DATA._replace(unit=1.0), seed=0)
