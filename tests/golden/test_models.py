from pathlib import Path

import numpy as np
import pytest

from golden.files.checkpoint import read_checkpoint
from golden.files.idx import read_idx
from golden.schemes.file import read_scheme
from golden.schemes.network import integer_network

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize(
    ("name", "sizes", "most_trits", "least", "right"),
    [("mnist", (784, 256, 256, 10), 300_000, 9860, 9933), ("mnist-small", (784, 48, 32, 10), 40_000, 9780, 9825)],
)
def test_shipped_network_recognises_as_many_test_images_as_stated(name, sizes, most_trits, least, right):
    network = read_checkpoint(GOLDEN / "models" / f"{name}.safetensors")
    assert (network.name, network.input_type, network.input_unit) == (name, "uint8", 1 / 255)
    assert (network.layers[0].inputs, *(layer.outputs for layer in network.layers)) == sizes
    assert [layer.relu for layer in network.layers] == [True] * (len(sizes) - 2) + [False]
    assert network.trits <= most_trits
    images = read_idx(GOLDEN / "data" / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(GOLDEN / "data" / "t10k-labels-idx1-ubyte.gz")
    predicted = network.forward(images.reshape(len(images), -1)).logits.argmax(axis=-1)
    assert np.count_nonzero(predicted == labels) == right
    assert right >= least


@pytest.mark.parametrize(
    ("name", "right", "first"), [("bitnet", 9901, 988), ("bwn", 9887, 989), ("xnor", 9804, 980), ("onebit", 9888, 987)]
)
def test_networks_trained_with_a_scheme_recognise_as_many_as_stated(name, right, first):
    opened = read_scheme(GOLDEN / "models" / f"mnist-{name}.safetensors")
    assert opened.scheme == name
    network = integer_network(name, [opened.read(layer) for layer in opened.specs], input_unit=1 / 255)
    images = read_idx(GOLDEN / "data" / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(GOLDEN / "data" / "t10k-labels-idx1-ubyte.gz")
    logits = network.forward(network.prepare(images.reshape(len(images), -1))).logits
    found = logits.argmax(axis=-1) == labels
    assert (np.count_nonzero(found), np.count_nonzero(found[:1000])) == (right, first)


@pytest.mark.parametrize(
    ("name", "activations", "outputs", "largest"),
    [
        ("mnist", (0, 35, 65), (0, 4572, 354), (0, 4, 5)),
        ("mnist-small", (0, 9, 54), (0, 169, 330), (0, 1, 4)),
    ],
)
def test_float32_reference_differs_from_the_integers_as_often_as_stated(name, activations, outputs, largest):
    network = read_checkpoint(GOLDEN / "models" / f"{name}.safetensors")
    images = read_idx(GOLDEN / "data" / "t10k-images-idx3-ubyte.gz")
    found = network.disagreements(images.reshape(len(images), -1))
    shapes = [(len(images) * layer.inputs, len(images) * layer.outputs) for layer in network.layers]
    counts = [
        (round(layer.activations * values), round(layer.outputs * sums))
        for layer, (values, sums) in zip(found, shapes, strict=True)
    ]
    assert counts == list(zip(activations, outputs, strict=True))
    assert tuple(layer.largest for layer in found) == largest
