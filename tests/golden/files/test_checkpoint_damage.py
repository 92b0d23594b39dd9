import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.files.checkpoint import read_checkpoint, write_checkpoint
from golden.network import Layer, Network

WEIGHT, SCALE = ("I8", [2, 3], b"\x01\xff\x00\x00\xff\x01"), ("F32", [1], struct.pack("<f", 0.75))
TENSORS = {"layers.0.weight": WEIGHT, "layers.0.scale": SCALE}
METADATA = {
    "format": "tritium",
    "version": "1",
    "name": "tiny",
    "input_type": "uint8",
    "input_unit": "0.5",
    "activations": "none",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.safetensors"


def store(path: Path, tensors: dict, metadata: object) -> None:
    """A safetensors file of (dtype, shape, bytes), the tensors in the order given."""
    header, data = {"__metadata__": metadata}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def sealed(tensors: dict, metadata: dict[str, str]) -> dict[str, str]:
    """The metadata with the CRC-32 that belongs to them and to the tensors, which are in the order of the sum."""
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":")).encode()
    return metadata | {"crc32": f"{zlib.crc32(text + b''.join(values for _, _, values in tensors.values())):08x}"}


@pytest.fixture
def written(path: Path) -> bytes:
    """A checkpoint of two layers, as written."""
    layers = (
        Layer(np.array([[1, -1, 0], [0, -1, 1]], np.int8), 0.75, relu=True),
        Layer(np.array([[-1, 1]], np.int8), 2.0, relu=False),
    )
    write_checkpoint(path, Network("tiny", layers, "uint8", 0.5))
    return path.read_bytes()


def test_the_file_that_the_following_tests_damage_is_read(path):
    store(path, TENSORS, sealed(TENSORS, METADATA))
    network = read_checkpoint(path)
    assert (network.name, network.input_type, network.input_unit) == ("tiny", "uint8", 0.5)
    assert network.layers[0].weights.tolist() == [[1, -1, 0], [0, -1, 1]]
    assert (network.layers[0].scale, network.layers[0].relu) == (0.75, False)


def test_a_checkpoint_cut_anywhere_is_refused(path, written):
    for length in range(len(written)):
        path.write_bytes(written[:length])
        with pytest.raises(TritweaveError, match=f"^{path} is not a whole safetensors file: "):
            read_checkpoint(path)


def test_a_checkpoint_with_bytes_after_its_end_is_refused(path, written):
    path.write_bytes(written + b"\0")
    with pytest.raises(TritweaveError, match="is not a whole safetensors file"):
        read_checkpoint(path)


def test_every_flipped_bit_is_refused_and_those_of_the_tensors_by_the_crc(path, written):
    data = 8 + int.from_bytes(written[:8], "little")
    for bit in range(8 * len(written)):
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(TritweaveError) as caught:
            read_checkpoint(path)
        assert str(caught.value).startswith(str(path))
        if bit >= 8 * data:
            assert "where the metadata say" in str(caught.value)
            assert "the file is damaged" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers.0.weight": ("I8", [2, 3], b"\x01\xff\x00\x00\x02\x01")}, r"layer 0: weights hold 2 at \[1, 1\]"),
        ({"layers.0.weight": ("I8", [6], WEIGHT[2])}, r"layer 0: weights have shape \(6,\)"),
        ({"layers.0.weight": ("I8", [0, 3], b"")}, r"layer 0: weights have shape \(0, 3\)"),
        ({"layers.0.weight": ("U8", [2, 3], bytes(6))}, "layers.0.weight has dtype uint8; it must be int8"),
        ({"layers.0.weight": ("F32", [1, 1], bytes(4))}, "layers.0.weight has dtype float32; it must be int8"),
        ({"layers.0.weight": ("BF16", [1, 3], bytes(6))}, "holds a tensor that numpy cannot: 'BF16'"),
        ({"layers.0.weight": ("I8", [1] * 70, bytes(1))}, "holds a tensor that numpy cannot: "),
        ({"layers.0.scale": ("F32", [1], struct.pack("<f", np.nan))}, "layer 0: the weight scale is nan; it must be"),
        ({"layers.0.scale": ("F32", [1], struct.pack("<f", np.inf))}, "layer 0: the weight scale is inf; it must be"),
        ({"layers.0.scale": ("F32", [1], struct.pack("<f", 0))}, "layer 0: the weight scale is 0.0; it must be"),
        ({"layers.0.scale": ("F32", [1], struct.pack("<f", -0.5))}, "layer 0: the weight scale is -0.5; it must be"),
        ({"layers.0.scale": ("F32", [], SCALE[2])}, r"layers.0.scale has shape \(\); it must be \(1,\)"),
        ({"layers.0.scale": ("F32", [2], SCALE[2] * 2)}, r"layers.0.scale has shape \(2,\); it must be \(1,\)"),
        ({"layers.0.scale": ("F64", [1], bytes(8))}, "layers.0.scale has dtype float64; it must be float32"),
        ({"layers.1.weight": WEIGHT}, r"1 layers are named, .* too many: \['layers.1.weight'\]"),
        ({"bias": SCALE}, r"1 layers are named, but tensors are missing or too many: \['bias'\]"),
    ],
)
def test_a_tensor_that_is_wrong_under_the_right_crc_is_named(path, changed, message):
    tensors = TENSORS | changed
    store(path, tensors, sealed(tensors, METADATA))
    with pytest.raises(TritweaveError, match=f"^{path}:? {message}"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", TENSORS)
def test_a_missing_tensor_is_named(path, name):
    tensors = {other: tensor for other, tensor in TENSORS.items() if other != name}
    store(path, tensors, sealed(tensors, METADATA))
    with pytest.raises(TritweaveError, match=rf"{path}: 1 layers are named, but tensors are missing .*: \['{name}'\]"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": "pt"}, "the metadata say format 'pt', version '1'; a checkpoint has format 'tritium', version '1'"),
        ({"version": "2"}, "the metadata say format 'tritium', version '2'; a checkpoint"),
        ({"activations": "gelu"}, r"the activations hold \['gelu'\]; each is relu or none"),
        ({"activations": ""}, r"the activations hold \[''\]; each is relu or none"),
        ({"activations": "relu,none"}, r"2 layers are named, .*: \['layers.1.scale', 'layers.1.weight'\]"),
        ({"input_unit": "half"}, "the input unit is 'half'; it must be a number"),
        ({"input_unit": "nan"}, "the input unit is nan; it must be finite and above 0"),
        ({"input_unit": "0"}, "the input unit is 0.0; it must be finite and above 0"),
        ({"input_type": "int16"}, "the input type is 'int16'; it is uint8 or int8"),
        ({"name": "a/b"}, "the network's name is 'a/b'; letters"),
    ],
)
def test_metadata_that_are_wrong_under_the_right_crc_are_named(path, changed, message):
    store(path, TENSORS, sealed(TENSORS, METADATA | changed))
    with pytest.raises(TritweaveError, match=f"^{path}: {message}"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["name", "input_type", "input_unit", "activations", "crc32"])
def test_missing_metadata_are_named(path, name):
    metadata = sealed(TENSORS, METADATA)
    del metadata[name]
    store(path, TENSORS, metadata)
    with pytest.raises(TritweaveError, match=f"^{path}: the metadata lack {name}$"):
        read_checkpoint(path)


@pytest.mark.parametrize("metadata", [None, {}])
def test_a_file_of_another_program_is_refused(path, metadata):
    store(path, TENSORS, metadata)
    with pytest.raises(TritweaveError, match=f"^{path}: the metadata say format None, version None"):
        read_checkpoint(path)


def test_layers_that_do_not_follow_each_other_are_refused(path):
    tensors = TENSORS | {"layers.1.weight": WEIGHT, "layers.1.scale": SCALE}
    store(path, tensors, sealed(tensors, METADATA | {"activations": "relu,none"}))
    with pytest.raises(TritweaveError, match=f"^{path}: layer 0 gives 2 values where layer 1 takes 3$"):
        read_checkpoint(path)


@pytest.mark.parametrize("changed", [{"crc32": "00000000"}, {"name": "other"}, {"activations": "relu"}, {"more": ""}])
def test_metadata_that_the_crc_does_not_cover_as_they_stand_are_refused(path, changed):
    store(path, TENSORS, sealed(TENSORS, METADATA) | changed)
    with pytest.raises(
        TritweaveError, match=rf"^{path}: the CRC-32 is \w{{8}} where the metadata say \w{{8}}; the file"
    ):
        read_checkpoint(path)


def test_a_missing_checkpoint_is_named(path):
    with pytest.raises(TritweaveError, match=f"cannot read checkpoint {path}: No such file or directory"):
        read_checkpoint(path)
