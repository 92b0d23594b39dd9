from pathlib import Path

import gguf
import numpy as np
import pytest

from gen.imports.decoder_shapes import Decoder
from gen.imports.gguf import open_gguf
from gen.imports.inspecting import describe
from golden.errors import TritweaveError
from golden.files.gguf import read_gguf_header
from golden.files.packing_gguf import encode_tq
from golden.files.packing_i2s import LAYOUTS, encode_i2s

RANDOM = np.random.default_rng(5)
TYPES = {"TQ1_0": 34, "TQ2_0": 35}
SHAPES = {
    "attn_q": (256, 256),
    "attn_k": (128, 256),
    "attn_v": (128, 256),
    "attn_output": (256, 256),
    "ffn_gate": (512, 256),
    "ffn_up": (512, 256),
    "ffn_down": (256, 512),
}
TRITS = {name: RANDOM.integers(-1, 2, shape).astype(np.int8) for name, shape in SHAPES.items()}


def write(
    path: Path,
    kind: str = "TQ2_0",
    *,
    architecture: str = "bitnet",
    changed: dict[str, int | list[int]] | None = None,
    packed: dict[str, np.ndarray] | None = None,
    plain: dict[str, np.ndarray] | None = None,
) -> Path:
    """One block of a decoder in `kind`; some packed or plain tensors and some numbers of its own."""
    writer = gguf.GGUFWriter(path, architecture)
    numbers: dict[str, int | list[int]] = {
        "block_count": 1,
        "embedding_length": 256,
        "feed_forward_length": 512,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
    }
    for key, number in (numbers | (changed or {})).items():
        key = key if key.startswith("split.") else f"{architecture}.{key}"
        if isinstance(number, list):
            writer.add_array(key, number)
        else:
            writer.add_uint32(key, number)
    for name, trits in TRITS.items():
        content = (packed or {}).get(name)
        if content is None:
            scales = np.full((len(trits), trits.shape[1] // 256), 0.5)
            content = encode_tq(kind, trits, scales)
        writer.add_tensor(f"blk.0.{name}.weight", content, raw_dtype=gguf.GGMLQuantizationType[kind])
    for name, tensor in (plain or {}).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_i2s(path: Path, scale: float = 0.5, layout: str = "blocks-128") -> Path:
    """The same in I2_S, which the package does not know: bytes of the right length, and the type changed by hand."""
    tensors = {name: encode_i2s(trits, scale, layout) for name, trits in TRITS.items()}
    writer = gguf.GGUFWriter(path, "bitnet-b1.58")
    for key, number in (("block_count", 1), ("embedding_length", 256), ("feed_forward_length", 512)):
        writer.add_uint32(f"bitnet-b1.58.{key}", number)
    writer.add_uint32("bitnet-b1.58.attention.head_count", 4)
    writer.add_uint32("bitnet-b1.58.attention.head_count_kv", 2)
    for name, content in tensors.items():
        writer.add_tensor(f"blk.0.{name}.weight", content.view(np.int8))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = path.read_bytes()
    for name, tensor in tensors.items():
        key = f"blk.0.{name}.weight".encode()
        old = key + np.array([1], "<u4").tobytes() + np.array([len(tensor)], "<u8").tobytes() + b"\x18\0\0\0"
        shape = np.array(SHAPES[name][::-1], "<u8").tobytes()
        new = key + np.array([2], "<u4").tobytes() + shape + b"\x24\0\0\0"
        assert content.count(old) == 1
        content = content.replace(old, new)
    # Seven dimensions of eight bytes more in the header, whose end is rounded up to 32 bytes.
    start = min(tensor.start for tensor in read_gguf_header(path).tensors.values())
    grown = 8 * len(tensors)
    header, data = content[: start + grown].rstrip(b"\0"), content[-(path.stat().st_size - start) :]
    end = content.rfind(b"\x24\0\0\0") + 12
    assert len(header) <= end
    path.write_bytes(content[:end] + bytes(-end % 32) + data)
    return path


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("architecture", ["bitnet", "llama"])
def test_layers_of_a_file_that_the_package_wrote(tmp_path, kind, architecture):
    source = open_gguf(write(tmp_path / "x.gguf", kind, architecture=architecture))
    assert source.select() == [f"blk.0.{name}" for name in SHAPES]
    for name, trits in TRITS.items():
        layer = source.read(f"blk.0.{name}")
        assert source.is_ternary(f"blk.0.{name}")
        assert layer.spec == source.spec(f"blk.0.{name}")
        np.testing.assert_array_equal(layer.trits, trits)
        np.testing.assert_array_equal(layer.scale, np.full((len(trits), trits.shape[1] // 256), 0.5))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layers_of_i2s(tmp_path, layout):
    source = open_gguf(write_i2s(tmp_path / "x.gguf", 0.75, layout), layout=layout)
    for name, trits in TRITS.items():
        layer = source.read(f"blk.0.{name}")
        np.testing.assert_array_equal(layer.trits, trits)
        assert layer.scale.tolist() == [0.75]
    assert source.notes() == []


def test_the_layout_of_i2s_that_is_assumed_is_said_for_the_file_does_not_say_it(tmp_path):
    source = open_gguf(write_i2s(tmp_path / "x.gguf", layout="rows-4"))
    assert (source.read("blk.0.attn_q").trits != TRITS["attn_q"]).any()
    assert source.notes() == [
        "I2_S is taken to have the layout blocks-128, which the file does not say; else: --i2s blocks-64 or rows-4"
    ]
    with pytest.raises(TritweaveError, match="the layout of I2_S is 'x'; it is one of blocks-128, blocks-64, rows-4"):
        open_gguf(tmp_path / "x.gguf", layout="x")


def test_a_scale_beside_the_weights_multiplies(tmp_path):
    plain = {"blk.0.attn_q.scale": np.array([3], np.float32), "blk.0.attn_q.bias": np.ones(256, np.float32)}
    layer = open_gguf(write(tmp_path / "x.gguf", plain=plain)).read("blk.0.attn_q")
    assert np.unique(layer.scale).tolist() == [1.5]
    assert layer.bias is not None


def test_a_block_of_zeros_has_no_scale(tmp_path):
    trits = TRITS["attn_q"].copy()
    trits[3] = 0
    # As the package writes them.
    packed = {"attn_q": gguf.quants.quantize(trits * np.float32(2), gguf.GGMLQuantizationType.TQ2_0)}
    layer = open_gguf(write(tmp_path / "x.gguf", packed=packed)).read("blk.0.attn_q")
    assert layer.scale[:5, 0].tolist() == [2, 2, 2, 0, 2]


def scaled(value: float) -> dict[str, dict[str, np.ndarray]]:
    scales = np.full((256, 1), 0.5)
    scales[7] = value
    return {"packed": {"attn_q": encode_tq("TQ2_0", TRITS["attn_q"], scales)}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "gpt2"}, "the architecture is 'gpt2', known are bitnet, .*; name them with --layers"),
        ({"changed": {"embedding_length": 0}}, "bitnet.embedding_length is 0; it must be a positive whole number"),
        ({"changed": {"embedding_length": 512}}, r"blk.0.attn_q.weight has shape \(256, 256\); the metadata make it"),
        ({"changed": {"attention.head_count_kv": 4}}, r"attn_k.weight has shape \(128, 256\); the metadata make it"),
        ({"changed": {"attention.head_count_kv": [2, 2]}}, "head_count_kv has 2 numbers for 1 blocks"),
        ({"changed": {"attention.head_count_kv": [0]}}, "head_count_kv is 0; it must be a positive whole number"),
        ({"changed": {"attention.head_count_kv": [4]}}, r"attn_k.weight has shape \(128, 256\); the metadata make it"),
        ({"changed": {"split.count": 3}}, "is one of 3 parts; join them with llama-gguf-split --merge"),
        ({"changed": {"block_count": 2}}, "lacks blk.1.attn_q.weight"),
        ({"kind": "F16"}, "blk.0.attn_q.weight has type F16; TQ1_0, TQ2_0, I2_S are read"),
        ({"plain": {"blk.0.attn_q.scale": np.zeros(1, np.float32)}}, "attn_q.scale is 0.0; a scale must be finite"),
        ({"plain": {"blk.0.attn_q.bias": np.zeros(3, np.float32)}}, r"attn_q.bias has shape \(3,\); it must be \(256"),
        (scaled(0), "blk.0.attn_q has the scale 0 where there are trits other than 0"),
        (scaled(-1), "blk.0.attn_q has the scale -1.0; it must be finite and above 0"),
        (scaled(np.nan), "blk.0.attn_q has the scale nan"),
        (scaled(np.inf), "blk.0.attn_q has the scale inf"),
        ({"packed": {"attn_q": np.full((256, 66), 0xFF, np.uint8)}}, "attn_q.weight: byte .* which holds code 3"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, options, message):
    if options.get("kind") == "F16":
        halves = {name: trits.astype(np.float16) for name, trits in TRITS.items()}
        options = options | {"packed": halves}
    with pytest.raises(TritweaveError, match=message):
        everything(write(tmp_path / "x.gguf", **options))


def everything(path: Path) -> None:
    source = open_gguf(path)
    for name in source.select():
        source.read(name)


def test_an_i2s_scale_of_nothing_is_refused(tmp_path):
    with pytest.raises(TritweaveError, match=r"blk.0.attn_q has the scale 0.0"):
        open_gguf(write_i2s(tmp_path / "x.gguf", 0)).read("blk.0.attn_q")


def test_blocks_may_have_different_numbers_of_key_heads():
    numbers = {"b": 2, "h": 8, "i": 16, "a": 4, "k": [4, 1]}
    layers = Decoder.read(Path("x"), numbers, ("b", "h", "i", "a", "k", "d")).layers(
        "", ("q", "k", "v", "o", "g", "u", "d")
    )
    assert [layers[f".{block}.k"] for block in (0, 1)] == [(8, 8), (2, 8)]


def test_key_heads_may_be_listed_by_block(tmp_path):
    source = open_gguf(write(tmp_path / "x.gguf", changed={"attention.head_count_kv": [2]}))
    assert source.read("blk.0.attn_k").spec.outputs == 128


@pytest.mark.parametrize("changed", [{"embedding_length": 512}, {"embedding_length": 0}, {"block_count": 2}])
def test_what_an_import_refuses_is_listed_all_the_same(tmp_path, changed):
    path = write(tmp_path / "x.gguf", changed=changed)
    told = {tensor.name: tensor for tensor in (tell() for tell in describe(open_gguf(path)))}
    assert len(told) == 7
    query = told["blk.0.attn_q.weight"]
    assert query.shape == (256, 256)
    if changed == {"embedding_length": 512}:
        assert "the metadata make it (512, 512)" in str(query.problem)
    with pytest.raises(TritweaveError):
        everything(path)


def test_scales_and_norms_beside_the_weights_are_taken_along_or_named(tmp_path):
    plain = {
        "blk.0.attn_q.weight_scale": np.array([3], np.float32),
        "blk.0.attn_k.rms_norm.weight": np.full(256, 2, np.float32),
        "blk.0.attn_v.input_scale": np.ones(1, np.float32),
        "blk.0.attn_norm.weight": np.ones(256, np.float32),
    }
    source = open_gguf(write(tmp_path / "x.gguf", plain=plain))
    assert np.unique(source.read("blk.0.attn_q").scale).tolist() == [1.5]
    norm = source.read("blk.0.attn_k").norm
    assert norm is not None
    assert (norm.spec.kind, norm.gain.tolist()) == ("rms", [2] * 256)
    assert source.left_out(source.select()) == ["blk.0.attn_v.input_scale"]
