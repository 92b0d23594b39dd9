import json
import re
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file

from golden.errors import TritweaveError
from golden.files.checkpoint import read_checkpoint, write_checkpoint
from golden.network import Layer, Network

TINY = Network(
    "tiny",
    (
        Layer(np.array([[1, -1, 0], [0, -1, 1]], np.int8), 0.75, relu=True),
        Layer(np.array([[-1, 1]], np.int8), 2.0, relu=False),
    ),
    "uint8",
    0.5,
)
# The CRC-32 is over this text and then the weights and the scale of each layer.
METADATA = (
    '{"activations":"relu,none","format":"tritium","input_type":"uint8","input_unit":"0.5","name":"tiny","version":"1"}'
)
SUMMED = "01 ff 00 00 ff 01  00 00 40 3f  ff 01  00 00 00 40"
HEADER = (
    '{"__metadata__":{"activations":"relu,none","crc32":"893f9962","format":"tritium","input_type":"uint8",'
    '"input_unit":"0.5","name":"tiny","version":"1"},'
    '"layers.0.scale":{"data_offsets":[0,4],"dtype":"F32","shape":[1]},'
    '"layers.0.weight":{"data_offsets":[8,14],"dtype":"I8","shape":[2,3]},'
    '"layers.1.scale":{"data_offsets":[4,8],"dtype":"F32","shape":[1]},'
    '"layers.1.weight":{"data_offsets":[14,16],"dtype":"I8","shape":[1,2]}}   '
)
# Both scales, then both layers' weights: the format puts the wider type first.
STORED = "00 00 40 3f  00 00 00 40  01 ff 00 00 ff 01  ff 01"


@st.composite
def networks(draw: st.DrawFn) -> Network:
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=12))
    scales = st.floats(2.0**-100, 2.0**100, width=32)
    layers = tuple(
        Layer(draw(arrays(np.int8, (outputs, inputs), elements=st.integers(-1, 1))), draw(scales), draw(st.booleans()))
        for inputs, outputs in pairwise(sizes)
    )
    name = draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,8}", fullmatch=True))
    unit = draw(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
    return Network(name, layers, draw(st.sampled_from(["uint8", "int8"])), unit)


def assert_same(network: Network, other: Network) -> None:
    assert (network.name, network.input_type, network.input_unit) == (other.name, other.input_type, other.input_unit)
    assert [(layer.scale, layer.relu) for layer in network.layers] == [(x.scale, x.relu) for x in other.layers]
    for layer, same in zip(network.layers, other.layers, strict=True):
        assert layer.weights.dtype == np.int8
        np.testing.assert_array_equal(layer.weights, same.weights)


def test_a_checkpoint_built_by_hand_is_read(tmp_path):
    # One layer, in another order of tensors and metadata than the writer's.
    metadata = {
        "version": "1",
        "name": "by-hand_1",
        "input_unit": "0.00392156862745098",
        "input_type": "int8",
        "format": "tritium",
        "activations": "relu",
    }
    weight, scale = bytes.fromhex("01 00 ff ff"), struct.pack("<f", 0.03125)
    summed = json.dumps(metadata, sort_keys=True, separators=(",", ":")).encode() + weight + scale
    header = {
        "layers.0.weight": {"dtype": "I8", "shape": [1, 4], "data_offsets": [0, 4]},
        "layers.0.scale": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        "__metadata__": {"crc32": f"{zlib.crc32(summed):08x}"} | metadata,
    }
    text = json.dumps(header).encode()
    path = tmp_path / "hand.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + weight + scale)
    layer = Layer(np.array([[1, 0, -1, -1]]), 1 / 32, relu=True)
    assert_same(read_checkpoint(path), Network("by-hand_1", (layer,), "int8", 1 / 255))


def test_a_whole_checkpoint_byte_by_byte(tmp_path):
    path = tmp_path / "tiny.safetensors"
    write_checkpoint(path, TINY)
    content = path.read_bytes()
    assert content[:8].hex(" ") == "a8 01 00 00 00 00 00 00"
    assert content[8:0x1B0].decode() == HEADER
    assert content[0x1B0:] == bytes.fromhex(STORED)
    assert f"{zlib.crc32(METADATA.encode() + bytes.fromhex(SUMMED)):08x}" == "893f9962"
    assert_same(read_checkpoint(path), TINY)


def test_other_readers_find_the_tensors(tmp_path):
    path = tmp_path / "tiny.safetensors"
    write_checkpoint(path, TINY)
    tensors = {name: (str(tensor.dtype), tensor.tolist()) for name, tensor in load_file(path).items()}
    assert tensors == {
        "layers.0.weight": ("int8", [[1, -1, 0], [0, -1, 1]]),
        "layers.0.scale": ("float32", [0.75]),
        "layers.1.weight": ("int8", [[-1, 1]]),
        "layers.1.scale": ("float32", [2.0]),
    }


@given(networks())
def test_a_network_comes_back_from_its_checkpoint_and_equal_networks_make_equal_files(tmp_path_factory, network):
    folder = tmp_path_factory.getbasetemp()
    write_checkpoint(folder / "once", network)
    read = read_checkpoint(folder / "once")
    assert_same(read, network)
    write_checkpoint(folder / "again", read)
    assert (folder / "again").read_bytes() == (folder / "once").read_bytes()


def test_weights_in_any_layout_of_memory_are_stored_row_by_row(tmp_path):
    weights = np.asfortranarray(TINY.layers[0].weights)
    layers = (Layer(weights, 0.75, relu=True), TINY.layers[1])
    write_checkpoint(tmp_path / "a", Network("tiny", layers, "uint8", 0.5))
    write_checkpoint(tmp_path / "b", TINY)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_scale_becomes_the_nearest_float32(tmp_path):
    layer = Layer(np.ones((1, 1), np.int8), 0.1, relu=False)
    write_checkpoint(tmp_path / "file", Network("n", (layer,)))
    assert read_checkpoint(tmp_path / "file").layers[0].scale == 0.100000001490116119384765625


@pytest.mark.parametrize("scale", [1e-40, 1e-50, 1e39, 1e300])
def test_a_scale_beyond_float32_is_refused_and_the_old_file_stays(tmp_path, scale):
    path: Path = tmp_path / "file"
    write_checkpoint(path, TINY)
    before = path.read_bytes()
    layers = (TINY.layers[0], Layer(TINY.layers[1].weights, scale, relu=False))
    message = f"cannot write {path}: layer 1 has the scale {scale}, too far for float32"
    with pytest.raises(TritweaveError, match=re.escape(message)):
        write_checkpoint(path, Network("tiny", layers))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
