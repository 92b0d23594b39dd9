import json
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file

from golden.errors import TritweaveError
from golden.files.layer_file import (
    LayerSpec,
    TernaryLayer,
    check_layers,
    read_layer,
    read_specs,
    write_layers,
)
from golden.files.norm import KINDS, PLACES, Norm, NormSpec
from golden.files.safetensors_reader import read_safetensors_header
from support.damage import check_flipped_bits
from support.networks import plain_network

METADATA = {"source": "a test", "name": "n", "input_type": "int8", "input_unit": "0.5", "activations": "relu,none"}
FIRST = TernaryLayer("up", np.array([[1, -1, 0, 1, -1], [0, 0, 1, 1, 1]], np.int8), np.array([0.75], np.float32))
LAST = TernaryLayer("down", np.array([[-1, 1]], np.int8), np.array([2.0], np.float32))
BATCH = Norm(NormSpec("batch", 0.001, "activation"), *np.array([[3, 4], [5, 6], [7, 8], [9, 10]], np.float32))
# The CRC-32 is over this text, and trits and scale of each layer.
SUMMED = (
    '{"activations":"relu,none","format":"tritium-layers","input_type":"int8","input_unit":"0.5",'
    '"layers":"[[\\"up\\",5],[\\"down\\",2]]","name":"n","source":"a test","version":"1"}'
)
# A trit's code is its two lowest bits, four in a byte, first in the lowest: 1 -1 0 1 | -1 is 01 00 11 01 | 11.
TRITS, SCALES = ("4d 03  50 01", "07"), ("00 00 40 3f", "00 00 00 40")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "layers.safetensors"


def write(path: Path, *layers: TernaryLayer, **metadata: str) -> None:
    write_layers(path, [layer.spec for layer in layers], layers, METADATA | metadata)


def read(path: Path) -> list[TernaryLayer]:
    header = read_safetensors_header(path)
    specs = read_specs(header.tensors, header.metadata)
    check_layers(specs, header.metadata, lambda name: header.tensors[name].array())
    return [read_layer(spec, lambda name: header.tensors[name].array()) for spec in specs]


def assert_same(layer: TernaryLayer, other: TernaryLayer) -> None:
    assert layer.spec == other.spec
    np.testing.assert_array_equal(layer.trits, other.trits)
    assert (layer.norm and layer.norm.spec) == (other.norm and other.norm.spec)
    assert layer.vectors.keys() == other.vectors.keys()
    for part, vector in layer.vectors.items():
        np.testing.assert_array_equal(vector, other.vectors[part])


def test_a_whole_file_byte_by_byte(path):
    write(path, FIRST, LAST)
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    assert start % 8 == 0
    header = json.loads(content[8:start])
    crc = zlib.crc32(SUMMED.encode() + b"".join(map(bytes.fromhex, (TRITS[0], SCALES[0], TRITS[1], SCALES[1]))))
    assert header["__metadata__"].pop("crc32") == f"{crc:08x}"
    assert json.dumps(header.pop("__metadata__"), sort_keys=True, separators=(",", ":")) == SUMMED
    assert header == {
        "up.scale": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "down.scale": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        "up.trits": {"dtype": "U8", "shape": [2, 2], "data_offsets": [8, 12]},
        "down.trits": {"dtype": "U8", "shape": [1, 1], "data_offsets": [12, 13]},
    }
    assert content[start:] == bytes.fromhex(" ".join((*SCALES, *TRITS)))
    assert load_file(path)["up.trits"].tolist() == [[0x4D, 3], [0x50, 1]]


def test_the_tensors_of_a_norm_byte_by_byte(path):
    write(path, TernaryLayer("z", LAST.trits, LAST.scale, BATCH), activations="none")
    header = read_safetensors_header(path)
    assert header.metadata["norms"] == '[["z","batch",0.001,"activation"]]'
    found = {name: tensor.array().tolist() for name, tensor in header.tensors.items()}
    moments = {"z.norm_mean": [7, 8], "z.norm_variance": [9, 10]}
    assert found == moments | {"z.trits": [[7]], "z.scale": [2], "z.norm": [3, 4], "z.norm_bias": [5, 6]}


def test_layers_whose_source_had_more_are_no_network(path):
    write(path, LAST, activations="none", left_out='["down.input_scale","a","b","c"]')
    assert len(read(path)) == 1
    with pytest.raises(
        TritweaveError, match=r"down.input_scale, a, b and 1 more of the source have no place in the lay"
    ):
        plain_network(path)


def test_layers_that_follow_each_other_are_a_network(path):
    write(path, FIRST, LAST)
    network = plain_network(path)
    assert (network.name, network.input_type, network.input_unit) == ("n", "int8", 0.5)
    assert [(layer.scale, layer.relu) for layer in network.layers] == [(0.75, True), (2.0, False)]
    for layer, stored in zip(network.layers, (FIRST, LAST), strict=True):
        np.testing.assert_array_equal(layer.weights, stored.trits)


@st.composite
def norms(draw: st.DrawFn, inputs: int) -> Norm:
    kind, place = draw(st.sampled_from(list(KINDS))), draw(st.sampled_from(PLACES))
    spec = NormSpec(kind, draw(st.floats(0, 1)), place)
    positive = st.floats(0, 2.0**100, width=32)
    return Norm.of(spec, {part: draw(arrays(np.float32, inputs, elements=positive)) for part in spec.parts})


@st.composite
def layers(draw: st.DrawFn) -> TernaryLayer:
    outputs, groups, width = draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.integers(1, 6))
    inputs = groups * width
    positive = st.floats(2.0**-100, 2.0**100, width=32)
    finite = st.floats(-(2.0**100), 2.0**100, width=32)
    shape = draw(st.sampled_from([(1,), (outputs, groups)]))
    return TernaryLayer(
        draw(st.text(min_size=1, max_size=8)),
        draw(arrays(np.int8, (outputs, inputs), elements=st.integers(-1, 1))),
        draw(arrays(np.float32, shape, elements=positive)),
        draw(st.none() | norms(inputs)),
        draw(st.none() | arrays(np.float32, outputs, elements=finite)),
    )


@given(st.lists(layers(), min_size=1, max_size=4, unique_by=lambda layer: layer.name))
def test_layers_come_back_and_equal_layers_make_equal_files(tmp_path_factory, written):
    folder = tmp_path_factory.getbasetemp()
    write(folder / "once", *written)
    found = read(folder / "once")
    assert len(found) == len(written)
    for layer, other in zip(written, found, strict=True):
        assert_same(layer, other)
    write(folder / "again", *found)
    assert (folder / "again").read_bytes() == (folder / "once").read_bytes()


def test_a_large_layer_is_packed_in_pieces_that_fit(path):
    trits = np.random.default_rng(0).integers(-1, 2, (700, 1999)).astype(np.int8)
    write(path, TernaryLayer("x", trits, np.ones(1, np.float32)))
    np.testing.assert_array_equal(read(path)[0].trits, trits)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ([0.0], "x has the scale 0.0; it must be finite and above 0"),
        ([-1.0], "x has the scale -1.0"),
        ([np.nan], "x has the scale nan"),
        ([np.inf], "x has the scale inf"),
        ([[1.0, 1.0], [1.0, -0.5]], "x has the scale -0.5"),
        ([[1.0, np.nan], [1.0, 1.0]], "x has the scale nan"),
        ([[1.0, 0.0], [1.0, 1.0]], "x has the scale 0 where there are trits other than 0"),
        ([[0.0, 0.0], [0.0, 0.0]], "x has the scale 0.0"),
        ([[1.0] * 3] * 2, "x has 4 inputs, no multiple of its 3 groups"),
        ([1.0, 1.0], r"x.scale is float32 of shape \(2,\); it must be float32 of shape \(1,\)"),
    ],
)
def test_a_scale_that_is_none_is_refused(scale, message):
    with pytest.raises(TritweaveError, match=message):
        TernaryLayer("x", np.ones((2, 4), np.int8), np.array(scale, np.float32))


def test_a_group_of_zeros_may_have_the_scale_0():
    trits = np.array([[1, 1, 0, 0]], np.int8)
    assert TernaryLayer("x", trits, np.array([[1.0, 0.0]], np.float32)).spec.groups == 2


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"trits": np.full((1, 2), 2, np.int8)}, r"x's trits hold 2 at \[0, 0\]"),
        ({"trits": np.ones((0, 2), np.int8)}, r"x has shape \(0, 2\)"),
        ({"trits": np.ones(2, np.int8)}, r"x has shape \(2,\)"),
        ({"scale": np.ones(1)}, "x.scale is float64 of shape"),
        (
            {"norm": Norm(NormSpec("rms", 0), np.ones(3, np.float32))},
            r"x.norm is float32 of shape \(3,\); it must be float32 of shape \(2,\)",
        ),
        (
            {"norm": Norm(NormSpec("rms", -1), np.ones(2, np.float32))},
            "x's norm is .'rms', -1, 'quantiser'.; it is one of",
        ),
        ({"norm": Norm(NormSpec("rms", 1, "x"), np.ones(2, np.float32))}, "and in front of quantiser or activation"),
        ({"norm": Norm(NormSpec("rms", 0), np.full(2, np.nan, np.float32))}, "x.norm holds a value that is not finite"),
        ({"bias": np.array([np.inf], np.float32)}, "x.bias holds a value that is not finite"),
    ],
)
def test_a_layer_that_is_none_is_refused(parts, message):
    good = {"trits": np.ones((1, 2), np.int8), "scale": np.ones(1, np.float32)}
    with pytest.raises(TritweaveError, match=message):
        TernaryLayer("x", **(good | parts))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (TernaryLayer("z", np.ones((1, 3), np.int8), np.ones(1, np.float32)), "up gives 2 values where z takes 3"),
        (
            TernaryLayer("z", LAST.trits, LAST.scale, replace(BATCH, spec=NormSpec("batch", 0.001))),
            r"z has a BatchNorm \(epsilon 0.001\) in front of its quantiser, for which an engine has no place",
        ),
        (
            TernaryLayer("z", LAST.trits, LAST.scale, Norm(NormSpec("rms", 0.5), BATCH.gain), np.ones(1, np.float32)),
            r"z has a RMSNorm \(epsilon 0.5\) in front of its quantiser, and z behind it a bias, for which an eng",
        ),
    ],
)
def test_layers_that_are_no_network_say_why(path, layer, message):
    write(path, FIRST, layer)
    assert len(read(path)) == 2
    with pytest.raises(TritweaveError, match=f"^{path}: {message}"):
        plain_network(path)


def test_equal_scales_of_groups_are_one(path):
    trits = np.array([[1, 0, 0, 0], [1, 1, 1, 1]], np.int8)
    write(path, TernaryLayer("x", trits, np.array([[0.5, 0], [0.5, 0.5]], np.float32)), activations="none")
    assert plain_network(path).layers[0].scale == 0.5


def test_an_error_in_the_middle_leaves_what_was_there(path):
    path.write_bytes(b"old")

    def breaking():
        yield FIRST
        raise TritweaveError("no")

    with pytest.raises(TritweaveError, match="no"):
        write_layers(path, [FIRST.spec, LAST.spec], breaking(), METADATA)
    with pytest.raises(TritweaveError, match=r"up is read as .* where .* was expected"):
        write_layers(path, [LayerSpec("up", 2, 6)], [FIRST], METADATA)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_every_flipped_bit_is_refused_and_those_of_the_tensors_by_the_crc(path):
    write(path, FIRST, LAST)
    check_flipped_bits(path, read, plain_network)


def resealed(path: Path, tensors: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str]) -> None:
    header: dict[str, object] = {"__metadata__": metadata}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


GOOD = {"x.trits": ("U8", [1, 1], b"\x01"), "x.scale": ("F32", [1], struct.pack("<f", 1))}
NAMED = METADATA | {"format": "tritium-layers", "version": "1", "layers": '[["x",2]]', "crc32": ""}


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        (GOOD, {"version": "2"}, "the layers have version '2'; '1' is read"),
        (GOOD, {"layers": "x"}, "the metadata's layers are no list of names and inputs"),
        (GOOD, {"layers": "[1]"}, "the metadata's layers are no list"),
        (GOOD, {"layers": "[" * 100_000}, "the metadata's layers are no list"),
        (GOOD, {"layers": '[["x",1e999]]'}, "the metadata's layers are no list"),
        (GOOD, {"layers": '[["x","two"]]'}, "the metadata's layers are no list"),
        (GOOD, {"layers": '[["x",5]]'}, r"x with 5 inputs has tensors of shapes .*'trits': \(1, 1\)"),
        (GOOD, {"layers": '[["x",-1]]'}, "x with -1 inputs has tensors of shapes"),
        (GOOD, {"layers": '[["x",2],["x",2]]'}, "name other layers than the tensors do: a layer twice"),
        (GOOD, {"layers": "[]"}, "name other layers than the tensors do: x.scale, x.trits"),
        (GOOD, {"layers": '[["y",2]]'}, "y.trits or y.scale is missing"),
        (GOOD | {"x.norm": ("F32", [2], bytes(8))}, {}, "do not say what norm x.norm is of; import the layers again"),
        (GOOD, {"norms": '[["x","rms",0.5,"quantiser"]]'}, "x with 2 inputs has tensors of shapes"),
        (GOOD, {"norms": '[["x","rms"]]'}, "the metadata's norms are no list of name, kind, epsilon and place"),
        (GOOD, {"norms": '[["x","sum",0.5,"quantiser"]]'}, "x's norm is .'sum', 0.5, 'quantiser'.; it is one of rms"),
        (GOOD, {"left_out": "[1]"}, "the metadata's left_out are no list of names"),
        (GOOD | {"x.trits": ("U8", [], b"\x01")}, {}, "x with 2 inputs has tensors of shapes"),
        (GOOD | {"other": ("F32", [1], bytes(4))}, {}, "name other layers than the tensors"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(path, tensors, metadata, message):
    resealed(path, tensors, NAMED | metadata)
    with pytest.raises(TritweaveError, match=message):
        read(path)
    with pytest.raises(TritweaveError, match=f"^{re.escape(str(path))}: .*{message}"):
        plain_network(path)


@pytest.mark.parametrize("name", ["layers", "source", "name", "input_type", "input_unit", "activations", "crc32"])
def test_missing_metadata_are_named(path, name):
    resealed(path, GOOD, {key: value for key, value in NAMED.items() if key != name})
    with pytest.raises(TritweaveError, match=f"the metadata lack {name}$"):
        read(path)
