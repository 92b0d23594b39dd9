"""Trits as integers, their scales, names and orientation, in safetensors and numpy's files."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from gen.imports.importing import Chain, import_layers
from gen.imports.opening import open_source
from gen.imports.weights import Reading
from golden.errors import TritweaveError
from support.networks import plain_network

RANDOM = np.random.default_rng(13)
TRITS = RANDOM.integers(-1, 2, (4, 6)).astype(np.int8)
ROWS = np.array([0.5, 0.25, 2, 1], np.float32)


def write(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".npz":
        np.savez_compressed(path, **tensors)  # pyright: ignore[reportArgumentType] - names are data here
    else:
        save_file(tensors, path)
    return path


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("name", ["scale", "weight_scale", "alpha", "weight.scale"])
@pytest.mark.parametrize("scale", [ROWS[:1], ROWS[0], ROWS, ROWS[:, None], np.outer(ROWS, [1, 2, 3])])
@pytest.mark.parametrize("file", ["x.safetensors", "x.npz"])
def test_trits_with_a_scale_for_the_matrix_its_rows_or_groups(tmp_path, dtype, name, scale, file):
    source = open_source(write(tmp_path / file, {"fc.weight": TRITS.astype(dtype), f"fc.{name}": np.asarray(scale)}))
    layer = source.read("fc")
    np.testing.assert_array_equal(layer.trits, TRITS)
    groups = 3 if scale.size == 12 else int(scale.size == 4)
    np.testing.assert_array_equal(layer.scale, scale.reshape(4, groups) if groups else [0.5])
    assert source.notes() == ["fc: its scale is taken to multiply; --scale divide where it divides"]
    assert source.is_ternary("fc")
    divided = open_source(tmp_path / file, Reading("divide"))
    np.testing.assert_array_equal(divided.read("fc").scale, 1 / layer.scale)
    assert divided.notes() == []


def test_bits_are_trits_without_minus_and_need_no_scale(tmp_path):
    source = open_source(write(tmp_path / "x.safetensors", {"fc.weight": TRITS == 1}))
    layer = source.read("fc")
    np.testing.assert_array_equal(layer.trits, TRITS == 1)
    assert layer.scale.tolist() == [1]
    assert source.notes() == [
        "fc: bits, read as +1 and 0",
        "fc: no scale beside the trits, each is worth 1; --scales names one",
    ]


@pytest.mark.parametrize("scales", [("s",), ("fc.s",)])
def test_scales_of_any_name_are_named_by_the_user(tmp_path, scales):
    path = write(tmp_path / "x.safetensors", {"fc.weight": TRITS, "fc.s": ROWS})
    source = open_source(path, Reading("multiply", scales))
    source.prepare(source.select(["fc"]))
    np.testing.assert_array_equal(source.read("fc").scale[:, 0], ROWS)
    assert source.left_out(["fc"]) == []
    assert open_source(path).left_out(["fc"]) == ["fc.s"]


def test_whole_names_of_scales_go_to_the_layers_in_order(tmp_path):
    tensors = {"W1": TRITS, "W2": TRITS.T.copy(), "one": ROWS[:1], "two": ROWS[1:2]}
    path = write(tmp_path / "x.npz", tensors)
    source = open_source(path, Reading("multiply", ("one", "two")))
    result = import_layers(source, source.select(["W*"]), tmp_path / "out", Chain("x"))
    assert (result.obstacle, result.left_out) == (None, [])
    assert [layer.scale for layer in plain_network(tmp_path / "out").layers] == [0.5, 0.25]
    with pytest.raises(TritweaveError, match="--scales names 2 tensors for 1 layers; name one for each layer"):
        source.prepare(["W1"])


@pytest.mark.parametrize("names", [("W1", "b1"), ("fc1_weight", "fc1_bias"), ("dense/kernel:0", "dense/bias:0")])
def test_matrices_of_any_name_are_layers_with_what_is_beside_them(tmp_path, names):
    weight, bias = names
    turned = "kernel" in weight
    path = write(tmp_path / "x.npz", {weight: TRITS.T if turned else TRITS, bias: np.arange(4.0)})
    source = open_source(path)
    (name,) = source.select(["*"])
    source.prepare([name])
    layer = source.read(name)
    np.testing.assert_array_equal(layer.trits, TRITS)
    assert layer.bias is not None
    assert layer.bias.tolist() == [0, 1, 2, 3]
    assert source.left_out([name]) == []
    assert (f"{name}: stored as (inputs, outputs), and turned" in source.notes()) == turned


def test_matrices_that_lie_the_other_way_are_turned_where_the_chain_says_so(tmp_path):
    shapes = ((9, 7), (7, 5), (5, 4))
    matrices = {f"w{index}": RANDOM.integers(-1, 2, shape).astype(np.int8) for index, shape in enumerate(shapes)}
    source = open_source(write(tmp_path / "x.npz", matrices))
    result = import_layers(source, source.select(["w*"]), tmp_path / "out", Chain("x"))
    assert "w0, w1, w2: stored as (inputs, outputs), and turned" in result.notes
    network = plain_network(tmp_path / "out")
    for matrix, layer in zip(matrices.values(), network.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, matrix.T)
    upright = open_source(write(tmp_path / "y.npz", {name: matrix.T for name, matrix in matrices.items()}))
    assert "turned" not in str(import_layers(upright, upright.select(["w*"]), tmp_path / "out", Chain("x")).notes)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", ">i2", "|i1", "<f8"])
def test_one_array_is_a_layer_called_like_its_file(tmp_path, order, dtype):
    np.save(tmp_path / "fc.npy", np.asarray(TRITS, dtype, order=order))
    layer = open_source(tmp_path / "fc.npy").read("fc")
    np.testing.assert_array_equal(layer.trits, TRITS)
    assert layer.scale.tolist() == [1]


def test_arrays_that_are_code_or_not_whole_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(TritweaveError, match="x holds Python objects, which are code; save it as an array of numbers"):
        open_source(tmp_path / "x.npy")
    np.savez(tmp_path / "x.npz", a=np.array([None]), b=TRITS)
    with pytest.raises(TritweaveError, match="a holds Python objects"):
        open_source(tmp_path / "x.npz")
    np.save(tmp_path / "y.npy", TRITS)
    content = (tmp_path / "y.npy").read_bytes()
    for damaged in (content[:-1], content + b"\0", content[:20], content[:6] + b"\7" + content[7:]):
        (tmp_path / "y.npy").write_bytes(damaged)
        with pytest.raises(TritweaveError, match="y"):
            open_source(tmp_path / "y.npy")
    whole = write(tmp_path / "z.npz", {"a": TRITS}).read_bytes()
    (tmp_path / "z.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TritweaveError, match=r"z.npz is not a whole npz file"):
        open_source(tmp_path / "z.npz")


@pytest.mark.parametrize("scale", [ROWS, ROWS[:1]])
def test_a_scale_that_is_in_the_floats_already_is_not_taken_twice(tmp_path, scale):
    trits = np.where(np.arange(6) == 0, 1, TRITS)
    rows = scale[:, None]
    source = open_source(write(tmp_path / "x.safetensors", {"fc.weight": (trits * rows), "fc.alpha": scale}))
    layer = source.read("fc")
    np.testing.assert_array_equal(layer.trits, trits)
    np.testing.assert_array_equal(layer.scale.reshape(-1), scale)
    assert source.notes() == ["fc: its scale is in the weights already"]
