import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gen.imports.hugging_face import HuggingFace, open_hugging_face
from gen.imports.weights import Reading
from golden.errors import TritweaveError
from golden.quantise import quantise_activations_float, quantise_weights
from support.synthetic_checkpoint import write_checkpoint_folder

FIXTURES = Path(__file__).parents[2] / "data" / "transformers"
VARIANTS = pytest.mark.parametrize("variant", ["divide", "divide-norm", "multiply", "online"])
QUERY = "model.layers.0.self_attn.q_proj"
ONLINE = {"quantization_mode": "online"}
SMALL = {"blocks": 2, "hidden": 16, "intermediate": 24, "heads": 4, "key_heads": 2, "blocks_per_shard": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_checkpoint_folder(tmp_path, **SMALL)
    return tmp_path


def configure(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def edit(path: Path, **changes: np.ndarray | None) -> None:
    """Put tensors of the first block's query into a file, or take them out."""
    tensors = load_file(path) | {f"{QUERY}.{name}": tensor for name, tensor in changes.items()}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, path)


def shard(folder: Path, number: int = 1) -> Path:
    return folder / f"model-0000{number}-of-00002.safetensors"


@VARIANTS
def test_layers_answer_as_those_of_transformers(variant: str) -> None:
    """The files and the answers were made by transformers; see tests/interop/make_fixtures.py."""
    source, answers = open_hugging_face(FIXTURES / variant), np.load(FIXTURES / variant / "answers.npz")
    assert len(source.select()) == 7
    for name in source.select():
        layer, values = source.read(name), answers[f"{name}.input"]
        if variant != "online":
            np.testing.assert_array_equal(layer.trits, answers[f"{name}.trits"])
        assert (layer.norm is not None) == (variant == "divide-norm")
        if layer.norm is not None:
            assert layer.norm.spec == ("rms", 1e-6, "quantiser")
            values = values / np.sqrt(np.square(values).mean(axis=-1, keepdims=True) + 1e-6) * layer.norm.gain
        quantised, scale = quantise_activations_float(values)
        results = quantised.astype(int) @ layer.trits.T.astype(int) * layer.scale / scale
        np.testing.assert_allclose(results, answers[f"{name}.output"], rtol=1e-6, atol=1e-5)


def test_shapes_follow_the_configuration(folder):
    source = open_hugging_face(folder)
    assert len(source.select()) == 14
    assert {name: source.layers[name] for name in source.select()[:7]} == {
        "model.layers.0.self_attn.q_proj": (16, 16),
        "model.layers.0.self_attn.k_proj": (8, 16),
        "model.layers.0.self_attn.v_proj": (8, 16),
        "model.layers.0.self_attn.o_proj": (16, 16),
        "model.layers.0.mlp.gate_proj": (24, 16),
        "model.layers.0.mlp.up_proj": (24, 16),
        "model.layers.0.mlp.down_proj": (16, 24),
    }
    for name in source.select():
        assert source.read(name).spec == source.spec(name)
        assert source.is_ternary(name)
    assert not source.is_ternary("model.embed_tokens")


@pytest.mark.parametrize(("linear", "worth"), [("bitlinear", 0.25), ("autobitlinear", 4.0)])
def test_what_a_scale_of_4_is_worth(folder, linear, worth):
    configure(folder, quantization_config={"quant_method": "bitnet", "linear_class": linear})
    edit(shard(folder), weight_scale=np.array([4], np.float32))
    assert open_hugging_face(folder).read(QUERY).scale.tolist() == [worth]
    assert open_hugging_face(folder, Reading("divide")).read(QUERY).scale.tolist() == [0.25]


def test_the_default_class_divides(folder):
    configure(folder, quantization_config={"quant_method": "bitnet"})
    edit(shard(folder), weight_scale=np.array([4], np.float32))
    assert open_hugging_face(folder).read(QUERY).scale.tolist() == [0.25]


def test_trits_as_floats_with_a_scale_are_taken_as_they_are(folder):
    trits = np.random.default_rng(0).integers(-1, 2, (16, 16))
    edit(shard(folder), weight=trits.astype(np.float16), weight_scale=np.array([0.5], np.float32))
    np.testing.assert_array_equal(open_hugging_face(folder).read(QUERY).trits, trits)
    edit(shard(folder), weight=np.full((16, 16), 0.5, np.float32), weight_scale=np.array([0.25], np.float32))
    with pytest.raises(TritweaveError, match=rf"{QUERY}.weight: weights hold 0.5 at \[0, 0\]; a trit is"):
        open_hugging_face(folder).read(QUERY)


@VARIANTS
def test_the_conventions_are_described(variant: str) -> None:
    words = {
        "divide": "safetensors, packed, divide by the scale",
        "divide-norm": "safetensors, packed, divide by the scale, a norm (epsilon 1e-06) before each layer",
        "multiply": "safetensors, packed, multiply by the scale",
        "online": "safetensors, latent floats",
    }
    assert open_hugging_face(FIXTURES / variant).description == words[variant]


def test_the_whole_file_goes_before_an_index_as_in_transformers(folder):
    tensors = load_file(shard(folder)) | load_file(shard(folder, 2))
    save_file(tensors, folder / "model.safetensors")
    shard(folder).unlink()
    source = open_hugging_face(folder)
    assert source.read(QUERY).spec.outputs == 16
    assert source.notes()[0].startswith("model.safetensors is read, and model.safetensors.index.json beside it")


def test_modules_that_were_not_converted_are_no_layers(folder):
    settings = {"quant_method": "bitnet", "modules_to_not_convert": ["lm_head", "mlp"]}
    configure(folder, quantization_config=settings)
    assert [name.split(".")[3] for name in open_hugging_face(folder).select()] == ["self_attn"] * 8
    configure(folder, quantization_config=settings | {"modules_to_not_convert": ["layers"]})
    with pytest.raises(TritweaveError, match=r"config.json excludes all of them \(modules_to_not_convert\); name them"):
        open_hugging_face(folder).select()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_type": "gpt_neox"},
            "the architecture is 'gpt_neox', known are bitnet, llama; name them with --layers",
        ),
        ({"model_type": ["llama"]}, r"the architecture is \['llama'\]"),
        ({"quantization_config": {"quant_method": "gptq"}}, "the quantisation method is 'gptq'; 'bitnet' is read"),
        ({"quantization_config": "bitnet"}, "the quantisation method is 'bitnet'"),
        ({"quantization_config": {"quant_method": "bitnet", "linear_class": "x"}}, "linear_class is 'x'"),
        ({"quantization_config": {"quant_method": "bitnet", "linear_class": []}}, r"linear_class is \[\]"),
        ({"quantization_config": {"quant_method": "bitnet", "quantization_mode": "x"}}, "quantization_mode 'x'"),
        (
            {"quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": "lm_head"}},
            "modules_to_not_convert is no list of names",
        ),
        (
            {"quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear"} | ONLINE},
            f"{QUERY}.weight: nothing says what the scale means, and the configuration says latent floats .online.; g",
        ),
        ({"hidden_size": 0}, "hidden_size is 0; it must be a positive whole number"),
        ({"hidden_size": "16"}, "hidden_size is 16; it must be"),
        ({"num_attention_heads": None}, "num_attention_heads is None"),
        ({"num_hidden_layers": 10**9}, "1 to 4096 blocks are read"),
        ({"head_dim": -1}, "head_dim is -1"),
        ({"num_hidden_layers": 3}, "lacks model.layers.2.self_attn.q_proj.weight, which its configuration announces"),
        ({"hidden_size": 32}, r"is U8 of shape \(4, 16\); the configuration makes it 32 outputs of 32 inputs"),
        ({"num_key_value_heads": 4}, r"k_proj.weight is U8 of shape \(2, 16\); the .* 16 outputs of 16 inputs"),
        (
            {"quantization_config": {"quant_method": "bitnet", "use_rms_norm": True}},
            f"lacks {QUERY}.rms_norm.weight, which its configuration announces",
        ),
    ],
)
def test_a_configuration_that_cannot_be_is_named(folder, changes, message):
    configure(folder, **changes)
    with pytest.raises(TritweaveError, match=message):
        everything(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": np.full((4, 16), 0b11, np.uint8)}, r"q_proj.weight: byte \[0, 0\] is 0x03, which holds code 3"),
        ({"weight": np.zeros((3, 16), np.uint8)}, r"U8 of shape \(3, 16\); the configuration makes it 16 outputs"),
        ({"weight": np.zeros((4, 4, 4), np.uint8)}, r"has shape \(4, 4, 4\); a layer's is \(outputs, inputs\)"),
        (
            {"weight": np.zeros((16, 16), np.uint32)},
            "has type U32; packed U8, BOOL, I8, I16, I32, I64, BF16, F16, F32,",
        ),
        ({"weight_scale": np.zeros(1, np.float32)}, "weight_scale is 0.0; a scale must be finite and above 0"),
        ({"weight_scale": np.array([-1], np.float32)}, "weight_scale is -1.0"),
        ({"weight_scale": np.array([np.nan], np.float32)}, "weight_scale is nan"),
        ({"weight_scale": np.array([np.inf], np.float32)}, "weight_scale is inf"),
        (
            {"weight_scale": np.ones(2, np.float32)},
            r"has shape \(2,\); a layer of 16 outputs has one scale, 16, or 16 t",
        ),
        ({"weight_scale": np.array([1e-300])}, "has the scale 0.0"),
        ({"weight_scale": np.array([1e300])}, "has the scale inf"),
        ({"weight_scale": None}, f"lacks {QUERY}.weight_scale, which model.safetensors.index.json puts there"),
        ({"bias": np.ones(3, np.float32)}, r"bias has shape \(3,\); it must be \(16,\)"),
        ({"weight": np.ones((16, 16), np.float32), "weight_scale": None}, "floats without a weight_scale"),
        (
            {"weight": np.full((16, 16), np.nan, np.float32), "weight_scale": np.ones(1)},
            r"q_proj.weight: weights hold nan at \[0, 0\]",
        ),
        ({"bias": np.full(16, 1e300)}, "q_proj.bias holds a value that is not finite"),
    ],
)
def test_a_layer_that_cannot_be_is_named(folder, changes, message):
    edit(shard(folder), **changes)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    if "puts there" not in message:
        index["weight_map"] = dict.fromkeys(load_file(shard(folder)), shard(folder).name)
        index["weight_map"] |= dict.fromkeys(load_file(shard(folder, 2)), shard(folder, 2).name)
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(TritweaveError, match=message):
        everything(folder)


def everything(folder: Path) -> None:
    source: HuggingFace = open_hugging_face(folder)
    for name in source.select():
        source.read(name)


def test_a_missing_shard_is_named(folder):
    shard(folder, 2).unlink()
    with pytest.raises(TritweaveError, match=f"{folder} lacks the shard model-00002-of-00002.safetensors, which"):
        open_hugging_face(folder)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a/b.safetensors", ""])
def test_a_shard_outside_of_the_folder_is_refused(folder, name):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(TritweaveError, match=r"names the shard .* outside of its folder"):
        open_hugging_face(folder)


@pytest.mark.parametrize("index", ["{}", '{"weight_map":[]}', '{"weight_map":{"a":1}}'])
def test_an_index_that_is_none_is_refused(folder, index):
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(TritweaveError, match="weight_map is no object of file names"):
        open_hugging_face(folder)


def test_a_folder_that_lacks_its_files_is_named(folder):
    (folder / "model.safetensors.index.json").unlink()
    with pytest.raises(TritweaveError, match=r"has neither model.safetensors nor model.safetensors.index.json"):
        open_hugging_face(folder)
    (folder / "config.json").unlink()
    with pytest.raises(TritweaveError, match=f"{folder} has no config.json"):
        open_hugging_face(folder)


def test_a_truncated_shard_is_named(folder):
    content = shard(folder).read_bytes()
    shard(folder).write_bytes(content[:-1])
    with pytest.raises(TritweaveError, match=f"{shard(folder)}: .* has bytes .*; the tensors have"):
        open_hugging_face(folder)


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_a_scale_left_over_beside_latent_floats_is_said_to_be_unused(folder, kind):
    configure(folder, quantization_config={"quant_method": "bitnet", "linear_class": "autobitlinear"} | ONLINE)
    weights = np.random.default_rng(0).normal(size=(16, 16)).astype(kind)
    edit(shard(folder), weight=weights)
    source = open_hugging_face(folder)
    np.testing.assert_array_equal(source.read(QUERY).trits, quantise_weights(weights)[0])
    (note,) = [note for note in source.notes() if "left over" in note]
    assert note.startswith(f"{QUERY}: a scale is left over beside latent floats; the configuration says online")
    edit(shard(folder), weight=np.sign(weights))
    with pytest.raises(
        TritweaveError, match=r"weight: trits with a scale, .* where the configuration says latent floats"
    ):
        open_hugging_face(folder).read(QUERY)
    np.testing.assert_array_equal(open_hugging_face(folder, Reading("multiply")).read(QUERY).trits, np.sign(weights))
