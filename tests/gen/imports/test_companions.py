"""Every tensor below a layer's name is taken along, or named, or an error; and so is every norm between layers."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from gen.imports.importing import Chain, Imported, import_layers
from gen.imports.opening import open_source
from gen.imports.sources import Source
from gen.imports.weights import NO_MORE, Reading
from golden.errors import TritweaveError
from support.networks import plain_network

RANDOM = np.random.default_rng(12)
TRITS = RANDOM.integers(-1, 2, (4, 6)).astype(np.int8)
LAYER = {"fc1.weight": TRITS, "fc1.scale": np.array([0.5], np.float32)}


def imported(
    folder: Path, tensors: dict[str, np.ndarray], layers: str = "*", reading: Reading = NO_MORE
) -> tuple[Imported, Source]:
    save_file(tensors, folder / "x.safetensors")
    source = open_source(folder / "x.safetensors", reading)
    result = import_layers(source, source.select([layers]), folder / "out", Chain("x"))
    return result, open_source(folder / "out")


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("fc1.input_scale", ones(1), "fc1.input_scale of the source has no place"),
        ("fc1.input_factor", ones(), "fc1.input_factor of the source"),
        ("fc1.lora_A.weight", ones(2, 6), "fc1.lora_A.weight of the source"),
        ("gain", ones(6), "gain of the source"),
        ("norm.weight", ones(5), "norm.weight of the source has no place"),
    ],
)
def test_what_no_engine_has_a_place_for_is_said_by_the_import_and_by_what_plans(tmp_path, name, tensor, words):
    result, _ = imported(tmp_path, LAYER | {name: tensor}, "fc1")
    assert words in str(result.obstacle)
    with pytest.raises(TritweaveError) as caught:
        plain_network(tmp_path / "out")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_left_out_stays_named_when_the_layers_are_imported_again(tmp_path):
    imported(tmp_path, LAYER | {"fc1.input_scale": ones(1)})
    again = import_layers(open_source(tmp_path / "out"), ["fc1"], tmp_path / "again", Chain("x"))
    assert again.left_out == ["fc1.input_scale"]
    assert open_source(tmp_path / "again").description.endswith("without fc1.input_scale")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"fc1.weight_zero_point": ones(4)}, "fc1.weight_zero_point holds 1.0; trits have no zero point"),
        ({"fc1.weight_scale": ones(1)}, "fc1.scale and fc1.weight_scale are both a layer's scale; one is read"),
        ({"fc1.norm.weight": ones(4)}, r"fc1.norm.weight has shape \(4,\); it must be \(6,\)"),
        ({"fc1.norm.weight": ones(6), "fc1.norm.running_mean": ones(6)}, "fc1 has a batch norm without its norm_vari"),
        (
            {"fc1.scale": ones(3)},
            r"fc1.scale has shape \(3,\); a layer of 4 outputs has one scale, 4, or 4 times a div",
        ),
        ({"fc1.scale": ones(4, 4)}, r"fc1.scale has shape \(4, 4\)"),
        ({"fc1.scale": np.array([1, 1, -2, 1.0])}, "fc1.scale is -2.0; a scale must be finite and above 0"),
        ({"fc1.weight": 2 * TRITS}, "fc1.weight: weights hold .*2 at"),
        ({"fc1.weight": TRITS.astype(np.float32) * 0.25}, "fc1.weight: weights hold .*0.25 at"),
    ],
)
def test_what_contradicts_is_an_error(tmp_path, tensors, message):
    with pytest.raises(TritweaveError, match=message):
        imported(tmp_path, LAYER | tensors, "fc1")


def test_a_zero_point_of_0_and_a_counter_are_nothing(tmp_path):
    nothing = {"fc1.weight_zero_point": np.zeros(4, np.int32), "fc1.bn.num_batches_tracked": np.ones((), np.int64)}
    result, _ = imported(tmp_path, LAYER | nothing)
    assert (result.obstacle, result.left_out) == (None, [])


def moments(name: str, length: int) -> dict[str, np.ndarray]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": RANDOM.uniform(1, 2, length).astype(np.float32) for part in parts} | {
        f"{name}.num_batches_tracked": np.ones((), np.int64)
    }


def test_a_norm_below_a_layer_s_name_is_taken_along_whole(tmp_path):
    parts = moments("fc1.bn", 6)
    result, source = imported(tmp_path, LAYER | parts, reading=Reading(epsilon=0.5))
    assert result.left_out == []
    norm = source.read("fc1").norm
    assert norm is not None
    assert norm.spec == ("batch", 0.5, "quantiser")
    for vector, part in ((norm.gain, "weight"), (norm.bias, "bias"), (norm.mean, "running_mean")):
        np.testing.assert_array_equal(vector, parts[f"fc1.bn.{part}"])
    np.testing.assert_array_equal(norm.variance, parts["fc1.bn.running_var"])


SQUARE = (28, 16, 16, 16, 10)


@pytest.mark.parametrize(
    ("layer", "norm", "batch", "lengths", "expected"),
    [
        # LayerNorms called norm1 … before each layer, as in a published network.
        ("fc#", "norm#", False, SQUARE[:-1], ["quantiser"] * 4),
        # BatchNorms called bn1 … after each layer but the last, in front of its ReLU.
        ("fc#", "bn#", True, SQUARE[1:-1], [None, "activation", "activation", "activation"]),
        # BatchNorms before each layer, which only the lengths tell.
        ("fc#", "bn#", True, SQUARE[:-1], ["quantiser"] * 4),
        # Sequential: 0 linear, 1 norm, 2 relu, 3 linear; the norm is in front of the ReLU.
        ("net.#", "net.#", True, SQUARE[1:-1], [None, "activation", "activation", "activation"]),
    ],
)
def test_norms_between_layers_get_their_places(tmp_path, layer, norm, batch, lengths, expected):
    pairs = list(pairwise(SQUARE))
    step = 3 if layer == norm else 1
    tensors: dict[str, np.ndarray] = {}
    for index, (inputs, outputs) in enumerate(pairs):
        name = layer.replace("#", str(step * index))
        tensors[f"{name}.weight"] = RANDOM.integers(-1, 2, (outputs, inputs)).astype(np.int8)
    for index, length in enumerate(lengths):
        name = norm.replace("#", str(step * index + (step == 3)))
        parts = moments(name, length)
        tensors |= parts if batch else {f"{name}.{part}": parts[f"{name}.{part}"] for part in ("weight", "bias")}
    weights = [name.removesuffix(".weight") for name in tensors if len(tensors[name].shape) == 2]
    result, source = imported(tmp_path, tensors)
    assert result.left_out == []
    found = [source.read(name).norm for name in weights]
    assert [found and found.spec.place for found in found] == expected
    assert {found.spec.kind for found in found if found} == {"batch" if batch else "layer"}
    # In front of a quantiser, a ReLU lies between a BatchNorm and the rows before.
    refused = batch and "quantiser" in expected
    assert ("for which an engine has no place yet" in str(result.obstacle)) == refused


def test_a_norm_after_the_last_layer_is_named(tmp_path):
    tensors = {"net.0.weight": TRITS} | moments("net.1", 4)
    result, _ = imported(tmp_path, tensors)
    assert sorted(result.left_out) == sorted(name for name in tensors if "net.1" in name)


def test_other_layers_and_what_is_beside_them_are_not_the_chosen_ones(tmp_path):
    other = {"fc2.weight": np.ones((3, 4), np.int8), "fc2.bias": ones(3), "head.norm.weight": ones(4)}
    inner = {f"block.{name}": tensor for name, tensor in LAYER.items()}
    result, _ = imported(tmp_path, inner | other, "block.fc1")
    assert (result.obstacle, result.left_out) == (None, [])
