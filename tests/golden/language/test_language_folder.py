import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.files.packing_hf import encode_hf
from golden.language.folder import read_language_model
from golden.language.format import LanguageFormat, Shape
from golden.language.model import Matrix
from support.language_models import SMALL, folder_contents, random_model, write_folder

Contents = tuple[dict[str, Any], dict[str, Any]]
Change = Callable[[dict[str, Any], dict[str, Any]], Any]
QUERY = "model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def contents() -> Contents:
    return folder_contents(random_model())


def test_what_is_written_is_read(tmp_path: Path, contents: Contents) -> None:
    written, read = random_model(), read_language_model(write_folder(tmp_path / "small", *contents))
    assert (read.name, read.shape, read.form, read.start, read.ends) == ("small", SMALL, written.form, 0, (0,))
    np.testing.assert_array_equal(read.digits, written.digits)
    for ours, theirs in zip(written.blocks, read.blocks, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            if isinstance(one, Matrix):
                assert isinstance(other, Matrix)
                assert one.scale == other.scale
                one, other = one.weights, other.weights
            np.testing.assert_array_equal(one, other)


def test_widths_may_be_in_the_configuration(tmp_path: Path, contents: Contents) -> None:
    contents[0]["tritweave"] |= {"scale_bits": 12, "table_bits": 8}
    assert read_language_model(write_folder(tmp_path, *contents)).form == LanguageFormat(
        3, 3, 3, scale_bits=12, table_bits=8
    )


def test_trits_as_floats_and_scales_that_divide(tmp_path: Path, contents: Contents) -> None:
    config, tensors = contents
    config["quantization_config"] = {"quant_method": "bitnet", "linear_class": "bitlinear"}
    trits = random_model().blocks[1].query
    tensors[QUERY] = trits.weights.astype(np.float32)
    found = read_language_model(write_folder(tmp_path, config, tensors)).blocks[1].query
    np.testing.assert_array_equal(found.weights, trits.weights)
    assert found.scale == 1 / trits.scale


def test_latent_weights_and_a_clipped_embedding(tmp_path: Path, contents: Contents) -> None:
    config, tensors = contents
    config["quantization_config"]["quantization_mode"] = "online"
    config["tritweave"] = {"embedding_digits": 2, "embedding_clip": 2.0}
    random = np.random.default_rng(0)
    for name in [name for name in tensors if name.endswith("_scale")]:
        del tensors[name]
        block, part = random_model().blocks[int(name.split(".")[2])], name.split(".")[-2].removesuffix("_proj")
        names = {"q": "query", "k": "key", "v": "value", "o": "output"}
        shape = getattr(block, names.get(part, part)).weights.shape
        tensors[name.removesuffix("_scale")] = random.normal(0, 0.1, shape).astype(np.float32)
    found = read_language_model(write_folder(tmp_path, config, tensors))
    query, latent = found.blocks[1].query, tensors[QUERY]
    np.testing.assert_allclose(query.scale, np.abs(latent).mean(), rtol=1e-6)
    np.testing.assert_array_equal(query.weights, np.rint(latent / query.scale).clip(-1, 1))
    embedding = tensors["model.embed_tokens.weight"]
    assert found.embedding_step == pytest.approx(2 * np.sqrt(np.mean(embedding**2)) / 4, rel=1e-6)
    np.testing.assert_array_equal(found.digits, np.rint(embedding / found.embedding_step).clip(-4, 4))


def drop(*keys: str) -> Change:
    return lambda config, tensors: [part.pop(key, None) for part in (config, tensors) for key in keys]


def put(key: str, value: Any) -> Change:
    return lambda config, tensors: config.update({key: value})


def inside(part: str, key: str, value: Any) -> Change:
    return lambda config, tensors: config[part].update({key: value})


def tensor(name: str, value: Any) -> Change:
    return lambda config, tensors: tensors.update({name: value})


def with_nan(config: dict[str, Any], tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"] = np.full(16, np.nan, np.float32)


REFUSALS: dict[str, tuple[Change, str]] = {
    "architecture": (put("model_type", "llama"), "model_type is 'llama'; an engine holds models where it is 'bitnet'"),
    "activation": (put("hidden_act", "silu"), "hidden_act is 'silu'; .* where it is 'relu2'"),
    "biases announced": (put("attention_bias", True), "attention_bias is True"),
    "a bias": (
        tensor("model.layers.0.mlp.up_proj.bias", np.zeros(20, np.float32)),
        "has model.layers.0.mlp.up_proj.bias; an engine's linear layers have no biases",
    ),
    "untied head": (drop("tie_word_embeddings"), "tie_word_embeddings is False"),
    "scaled angles": (put("rope_scaling", {"type": "linear"}), "rope_scaling is"),
    "scaled angles, new": (inside("rope_parameters", "rope_type", "yarn"), "rope_type is 'yarn'"),
    "part of the head": (inside("rope_parameters", "partial_rotary_factor", 0.5), "partial_rotary_factor is 0.5"),
    "no sub-norms": (
        drop("model.layers.1.mlp.ffn_sub_norm.weight"),
        r"lacks model.layers.1.mlp.ffn_sub_norm.weight, .* \(models without sub-norms cannot be held\)",
    ),
    "other quantisation": (inside("quantization_config", "quant_method", "gptq"), "the quantisation method is 'gptq'"),
    "norm in front": (inside("quantization_config", "use_rms_norm", True), "use_rms_norm is set"),
    "other layers": (inside("quantization_config", "linear_class", "linear"), "linear_class is 'linear'"),
    "window": (put("sliding_window", 64), "sliding_window is 64"),
    "a size missing": (drop("vocab_size"), "vocabulary is None; it is a whole number from 2 to 65536"),
    "heads": (put("head_dim", 8), "4 heads of 8 are 32 values; .* takes as many as the residual has, 16"),
    "start token": (put("bos_token_id", 24), "bos_token_id is 24; it must be one of the 24 tokens"),
    "end token": (put("eos_token_id", [0, 99]), "eos_token_id is 99"),
    "epsilon": (put("rms_norm_eps", 0), "rms_norm_eps is 0; it must be finite and above 0"),
    "own key": (inside("tritweave", "key_digit", 3), "tritweave has 'key_digit'; it holds embedding_digits"),
    "own part": (put("tritweave", []), r"tritweave has \[\]"),
    "digits": (inside("tritweave", "value_digits", 6), "value_digits is 6; it is a whole number from 1 to 5"),
    "scale": (inside("tritweave", "embedding_scale", -1), "embedding_scale is -1"),
    "no digits": (
        inside("tritweave", "embedding_scale", 0.2),
        r"the embedding of token \d+ has .* which is no number of 3 digits worth 0.2 each",
    ),
    "nan": (with_nan, r"model.norm.weight hold nan at \[0\]; every value must be finite"),
    "shape": (tensor("model.norm.weight", np.ones(15, np.float32)), r"has shape \(15,\); the configuration makes it"),
    "code": (tensor(QUERY, encode_hf(np.zeros((16, 16), np.int8)) | 3), "holds code 3"),
    "weight scale": (tensor(f"{QUERY}_scale", -np.ones(1, np.float32)), "weight_scale is -1.0; it must be above 0"),
    "more": (tensor("model.layers.2.x.weight", np.ones(1)), "has model.layers.2.x.weight, which is no part of a model"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_by_name(case: str, tmp_path: Path, contents: Contents) -> None:
    change, message = REFUSALS[case]
    change(*contents)
    with pytest.raises(TritweaveError, match=message):
        read_language_model(write_folder(tmp_path, *contents))


def test_what_does_not_matter_may_be_there(tmp_path: Path, contents: Contents) -> None:
    config, tensors = contents
    config["use_cache"] = True
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
    tensors["model.rotary_emb.inv_freq"] = np.ones(2, np.float32)
    read_language_model(write_folder(tmp_path, config, tensors))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_files_that_are_missing(missing: str, tmp_path: Path, contents: Contents) -> None:
    folder = write_folder(tmp_path / "model", *contents)
    (folder / missing).unlink()
    with pytest.raises(TritweaveError, match=f"cannot read .*{missing}: No such file"):
        read_language_model(folder)
    with pytest.raises(TritweaveError, match="is no folder; a language model is one"):
        read_language_model(folder / "config.json")


def test_a_damaged_configuration(tmp_path: Path, contents: Contents) -> None:
    folder = write_folder(tmp_path, *contents)
    (folder / "config.json").write_text(json.dumps([]))
    with pytest.raises(TritweaveError, match="holds JSON that is no object"):
        read_language_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key_heads": 3}, "4 heads cannot share 3 key heads"),
        ({"heads": 16, "head": 1}, "head is 1; it is a whole number from 2"),
        ({"heads": 2, "key_heads": 1, "head": 3, "hidden": 6}, "heads have 3 values; rotation takes pairs"),
        ({"context": 0}, "context is 0"),
        ({"blocks": True}, "blocks is True"),
    ],
)
def test_shapes_that_no_decoder_has(changes: dict[str, int], message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        Shape(**{**vars(SMALL), **changes})


def test_formats_that_no_decoder_has() -> None:
    with pytest.raises(TritweaveError, match="scale_bits is 17; it is a whole number from 8 to 16"):
        LanguageFormat(scale_bits=17)
    with pytest.raises(TritweaveError, match="5 digits with 8 fraction bits does not fit a residual of 12 bits"):
        LanguageFormat(residual_bits=12, fraction_bits=8)


def test_sizes_are_counted() -> None:
    model = random_model()
    matrices = [part for block in model.blocks for part in block if isinstance(part, Matrix)]
    assert SMALL.trits == sum(matrix.weights.size for matrix in matrices)
    gains = sum(part.size for block in model.blocks for part in block if not isinstance(part, Matrix))
    assert SMALL.parameters == SMALL.trits + 24 * 16 + gains + 16
