import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from gen.imports.importing import Chain, import_layers, network_name
from gen.imports.inspecting import Shares, describe
from gen.imports.opening import open_source
from gen.imports.sources import Source
from gen.imports.weights import Reading
from golden.errors import TritweaveError
from golden.files.checkpoint import write_checkpoint
from golden.files.packing_hf import encode_hf
from golden.files.stored import StoredTensor
from golden.network import Layer, Network
from golden.quantise import quantise_weights
from golden.schemes.layers import read_network
from golden.schemes.network import SegmentedNetwork
from support.networks import plain_network
from support.synthetic_checkpoint import write_checkpoint_folder

SMALL = {"blocks": 12, "hidden": 16, "intermediate": 24, "heads": 4, "key_heads": 2}
RANDOM = np.random.default_rng(6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_checkpoint_folder(tmp_path / "model", **SMALL)
    return tmp_path / "model"


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """Latent floats of a network of three layers, and one that is no part of it."""
    shapes = {"fc.0": (9, 12), "fc.2": (7, 9), "fc.10": (4, 7), "other": (5, 5)}
    tensors = {f"{name}.weight": RANDOM.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / "mlp.safetensors")
    return tmp_path / "mlp.safetensors"


def assert_same(source: Source, other: Source, names: list[str]) -> None:
    for name in names:
        layer, its = source.read(name), other.read(name)
        np.testing.assert_array_equal(layer.trits, its.trits)
        np.testing.assert_array_equal(layer.scale, its.scale)


def test_every_layer_arrives_and_can_be_imported_again(folder, tmp_path):
    source = open_source(folder)
    steps: list[int] = []
    result = import_layers(source, source.select(), tmp_path / "all", Chain("all"), steps.append)
    assert steps == [1] * 84
    assert result.layers == 84
    assert sum(result.trits) == 12 * (2 * 16 * 16 + 2 * 8 * 16 + 3 * 16 * 24)
    assert result.bytes_read * 4 == sum(result.trits)
    assert result.bytes_written == (tmp_path / "all").stat().st_size
    written = open_source(tmp_path / "all")
    assert written.select() == source.select()
    assert_same(source, written, source.select())
    names = written.select(["*.mlp.up_proj", "*.3.mlp.down_proj"])[-2:]
    import_layers(written, names, tmp_path / "some", Chain("some"))
    assert_same(source, open_source(tmp_path / "some"), names)
    assert plain_network(tmp_path / "some").trits == 2 * 16 * 24


def test_a_chain_of_latent_floats_becomes_a_network(chain, tmp_path):
    source = open_source(chain)
    names = source.select(["fc.*"])
    assert names == ["fc.0", "fc.2", "fc.10"]
    result = import_layers(source, names, tmp_path / "net", Chain("mlp", "int8", 0.25))
    assert result.obstacle is None
    network = plain_network(tmp_path / "net")
    assert (network.name, network.input_type, network.input_unit) == ("mlp", "int8", 0.25)
    assert [layer.relu for layer in network.layers] == [True, True, False]
    for name, layer in zip(names, network.layers, strict=True):
        trits, scale = quantise_weights(source.tensors[f"{name}.weight"].array())
        np.testing.assert_array_equal(layer.weights, trits)
        assert layer.scale == np.float32(scale)
    worst = max(source.losses.values())
    assert 0.3 < worst < 0.8
    (note,) = result.notes
    assert note.startswith(f"warning: 3 of the layers were never ternary; by Wmean3 up to {worst:.0%} of the weights")
    assert note.endswith("see `tritweave quantise`")
    import_layers(source, names, tmp_path / "linear", Chain("mlp", relu=False))
    assert not any(layer.relu for layer in plain_network(tmp_path / "linear").layers)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["fc.10", "fc.0"], ["fc.10", "fc.0"]),
        (["/[0-9]$/"], ["fc.0", "fc.2", "fc.10"]),
        (["/0/", "*"], ["fc.0", "fc.10", "fc.2", "other"]),
        (["*er", "*"], ["other", "fc.0", "fc.2", "fc.10"]),
        (["fc.2.weight", "/r/"], ["fc.2", "other"]),
    ],
)
def test_patterns_choose_layers_and_their_order(chain, patterns, names):
    assert open_source(chain).select(patterns) == names


def test_numbers_in_names_are_in_their_order_however_long(tmp_path):
    names = ["b", "a.9", "a.10.z", "a.10.a9", "a.10.a10", "a.007", "a." + "1" * 5000]
    save_file({f"{name}.weight": np.ones((1, 1)) for name in names}, tmp_path / "x")
    ordered = ["a.007", "a.9", "a.10.a9", "a.10.a10", "a.10.z", "a." + "1" * 5000, "b"]
    assert open_source(tmp_path / "x").select(["*"]) == ordered


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["none*"], "no layer of .* matches none.*; it has 4 matrices, the first of them fc.0"),
        (["/(/"], r"/\(/ is no regular expression"),
        ([], "does not say which of its layers are ternary: there is no config.json"),
    ],
)
def test_a_choice_of_nothing_is_named(chain, patterns, message):
    with pytest.raises(TritweaveError, match=message):
        open_source(chain).select(patterns)


def test_layers_that_are_no_chain_are_written_and_said_to_be_none(chain, tmp_path):
    result = import_layers(open_source(chain), ["fc.0", "other"], tmp_path / "net", Chain("x"))
    assert result.obstacle == "fc.0 gives 9 values where other takes 5"
    with pytest.raises(TritweaveError, match=r"fc\.0 gives 9 values where other takes 5"):
        plain_network(tmp_path / "net")


def test_a_bias_is_kept_and_the_unit_asked_for_that_it_is_added_in(tmp_path):
    weights = RANDOM.normal(size=(2, 3))
    save_file({"fc.weight": weights, "fc.bias": np.ones(2, np.float32)}, tmp_path / "net.safetensors")
    result = import_layers(open_source(tmp_path / "net.safetensors"), ["fc"], tmp_path / "out", Chain("x"))
    assert result.obstacle is None
    assert any(note.endswith("taken to be worth 1; --input-unit sets it") for note in result.notes)
    network = read_network(tmp_path / "out")
    assert isinstance(network, SegmentedNetwork)
    assert (network.constant, network.inputs, network.layers[0].inputs) == (255, 3, 4)
    bias = open_source(tmp_path / "out").read("fc").bias
    assert bias is not None
    assert bias.tolist() == [1, 1]


def test_layer_norms_with_biases_that_count_in_sums_are_a_network(tmp_path):
    random = RANDOM.integers(-1, 2, (4, 6)).astype(np.int8)
    beside = {"fc.norm.weight": np.ones(6), "fc.norm.bias": np.arange(6.0), "fc.bias": np.array([1, -2, 3.2, 0])}
    save_file({"fc.weight": random, **beside}, tmp_path / "net.safetensors")
    source = open_source(tmp_path / "net.safetensors")
    result = import_layers(source, ["fc"], tmp_path / "out", Chain("x"))
    assert str(result.obstacle).endswith("--bias-unit sums where it is added to the sums of trits and int8")
    result = import_layers(source, ["fc"], tmp_path / "out", Chain("x", bias_unit="sums"))
    assert result.obstacle is None
    assert not any("--input-unit" in note for note in result.notes)
    (layer,) = plain_network(tmp_path / "out").layers
    assert layer.norm is not None
    assert layer.norm.biases.tolist() == [0, 6553, 13107, 19660, 26214, 32767]
    assert layer.addends is not None
    assert layer.addends.tolist() == [1, -2, 3, 0]
    with pytest.raises(TritweaveError, match="--bias-unit is 'x'; it is one of results, sums"):
        Chain("x", bias_unit="x")


def test_an_error_in_the_last_layer_leaves_nothing(folder, tmp_path):
    source = open_source(folder)
    weight = source.tensors["model.layers.11.mlp.down_proj.weight"]
    assert isinstance(weight, StoredTensor)
    content = bytearray(weight.path.read_bytes())
    content[weight.start + 5] = 0xFF
    weight.path.write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(TritweaveError, match=r"11.mlp.down_proj.weight: byte \[0, 5\] is 0xff, which holds code 3"):
        import_layers(source, source.select(), tmp_path / "out" / "file", Chain("x"))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ({"name": "a/b"}, "the network's name is 'a/b'"),
        ({"name": "a", "input_type": "int4"}, "the input type is 'int4'"),
        ({"name": "a", "input_unit": 0.0}, "the input unit is 0.0"),
    ],
)
def test_a_network_that_cannot_be_is_refused_before_anything_is_read(chain, message):
    with pytest.raises(TritweaveError, match=message):
        Chain(**chain)


def test_memory_is_that_of_a_layer_however_many_there_are(tmp_path):
    peaks = []
    for blocks in (2, 8):
        write_checkpoint_folder(
            tmp_path / str(blocks), blocks=blocks, hidden=512, intermediate=1024, heads=4, key_heads=4
        )
        source = open_source(tmp_path / str(blocks))
        tracemalloc.start()
        import_layers(source, source.select(), tmp_path / "out", Chain("x"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]
    assert peaks[1] < 8 * 512 * 1024


def test_memory_of_a_latent_layer_is_eleven_bytes_a_weight(tmp_path):
    count = 1000 * 1000
    weights = np.random.default_rng(0).normal(size=count).astype(np.float32).view(np.uint16)[1::2]
    header = json.dumps({"fc.weight": {"dtype": "BF16", "shape": [1000, 1000], "data_offsets": [0, 2 * count]}})
    path = tmp_path / "net.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + weights.tobytes())
    source = open_source(path)
    tracemalloc.start()
    import_layers(source, ["fc"], tmp_path / "out", Chain("x"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 11 * count


def test_tensors_are_described(tmp_path):
    trits = np.array([[1, 1, -1], [0, 0, 0], [1, 0, 0], [1, 1, 1]], np.int8)
    tensors = {
        "fc.weight": encode_hf(trits),
        "fc.weight_scale": np.array([4], np.float32),
        "norm.weight": np.ones(3, np.float32),
        "embed.weight": np.ones((2, 3), np.float16),
    }
    save_file(tensors, tmp_path / "net.safetensors")
    source = open_source(tmp_path / "net.safetensors", Reading("divide"))
    told = {described.name: described for described in (tell() for tell in describe(source))}
    assert told.keys() == tensors.keys()
    layer = told["fc.weight"]
    assert (layer.type, layer.shape, layer.size) == ("U8", (1, 3), 3)
    assert (layer.scale, layer.shares) == ((0.25, 0.25), Shares(1, 5, 6))
    assert layer.row() == ("fc.weight", "U8", "1 x 3", "0.25", "8.3 41.7 50.0")
    assert told["embed.weight"].shares is None
    assert [tell().name for tell in describe(source, ["f*"])] == ["fc.weight"]


def test_latent_floats_are_described_as_what_becomes_of_them_if_they_are_asked_for(chain):
    source = open_source(chain)
    assert all(tell().shares is None for tell in describe(source))
    (told,) = (tell() for tell in describe(source, ["fc.0"]))
    assert told.shares == Shares.of(source.read("fc.0"))


def test_a_checkpoint_of_our_own_is_a_source(tmp_path):
    layers = (Layer(np.array([[1, -1, 0]], np.int8), 0.5, True),)
    write_checkpoint(tmp_path / "net", Network("net", layers))
    source = open_source(tmp_path / "net")
    assert [tell().shares for tell in describe(source)] == [None, Shares(1, 1, 1)]
    import_layers(source, source.select(), tmp_path / "out", Chain("net"))
    assert plain_network(tmp_path / "out").layers[0].scale == 0.5


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100), bytes(7)])
def test_a_file_that_is_no_source_is_named(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(TritweaveError, match=f"{tmp_path / 'x'} "):
        open_source(tmp_path / "x")


def test_what_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(TritweaveError, match=f"cannot read {tmp_path / 'none'}: No such file"):
        open_source(tmp_path / "none")
    with pytest.raises(TritweaveError, match="the scale is to 'add'; it is one of divide, multiply"):
        open_source(tmp_path, Reading("add"))  # pyright: ignore[reportArgumentType] - what a user may give


def test_a_damaged_layer_file_is_named(chain, tmp_path):
    import_layers(open_source(chain), ["fc.0"], tmp_path / "out", Chain("x"))
    content = bytearray((tmp_path / "out").read_bytes())
    content[-1] ^= 1
    (tmp_path / "out").write_bytes(content)
    with pytest.raises(TritweaveError, match=f"^{tmp_path / 'out'}: the CRC-32 is .* the file is damaged"):
        open_source(tmp_path / "out")


def test_a_file_s_name_becomes_a_network_s():
    assert network_name(Path("a/BitNet b1.58 (2B).safetensors")) == "BitNet-b1-58-2B"
    assert network_name(Path("….safetensors")) == "network"
