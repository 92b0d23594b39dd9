import json

import pytest

from gen.estimate.model_shapes import MODELS, ModelShape, model_named
from gen.imports.decoder_shapes import Decoder
from golden.errors import TritweaveError

CONFIG = {
    "num_hidden_layers": 2,
    "hidden_size": 12,
    "intermediate_size": 20,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 50,
    "tie_word_embeddings": True,
}


def test_a_configuration_is_a_model(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    model = model_named(str(folder))
    assert model == model_named(str(folder / "config.json"))
    assert model == ModelShape("tiny", Decoder(2, 12, 20, 4, 2, 3), 50, True)
    # Query and output 12 x 12, key and value 6 x 12, gate, up and down 20 x 12; two blocks.
    assert model.linear == 2 * (2 * 144 + 2 * 72 + 3 * 240)
    assert sorted(tuple(layer) for layer in model.layers) == sorted(
        [(2, 12, 12), (2, 6, 12), (2, 6, 12), (2, 12, 12), (2, 20, 12), (2, 20, 12), (2, 12, 20)]
    )
    assert model.others == 50 * 12 + 5 * 12
    assert model.cache == 2 * 2 * 2 * 6
    untied = ModelShape("tiny", model.decoder, 50, False)
    assert untied.others == 2 * 50 * 12 + 5 * 12


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("bitnet-700m", 0.78),
        ("bitnet-1.3b", 1.34),
        ("bitnet-3b", 3.43),
        ("bitnet-7b", 6.74),
        ("bitnet-13b", 13.02),
        ("bitnet-70b", 68.98),
        ("bitnet-2b-4t", 2.41),
    ],
)
def test_models_have_as_many_weights_as_published(name, billions):
    model = model_named(name)
    assert model is MODELS[name]
    assert (model.linear + model.others) / 1e9 == pytest.approx(billions, abs=0.005)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, "hidden_size is None; it must be a positive whole number"),
        ({"hidden_size": 1 << 31}, r"the hidden size is 2147483648; it must be 1 to 16777216"),
        ({"hidden_size": -4}, "hidden_size is -4"),
        ({"intermediate_size": 1.5}, "intermediate_size is 1.5"),
        ({"num_hidden_layers": 5000}, "num_hidden_layers is 5000; 1 to 4096 blocks are read"),
        ({"num_key_value_heads": 3}, "4 heads share 3 keys; the heads must be a multiple of the keys"),
        ({"vocab_size": None}, "vocab_size is None; it must be a positive whole number"),
        ({"vocab_size": 0}, "the vocabulary is 0; it must be 1 to"),
        ({"vocab_size": True}, "vocab_size is True"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings is yes; it must be true or false"),
        ({"head_dim": 1 << 30}, "the length of all heads is 4294967296"),
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path, change, message):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG | change))
    with pytest.raises(TritweaveError, match=message):
        model_named(str(path))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"hidden_size": 1, "hidden_size": 2}', "[" * 100_000])
def test_what_is_no_json_object_is_refused(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(TritweaveError, match=r"config\.json (holds JSON|names)"):
        model_named(str(path))


def test_unknown_models_are_named(tmp_path):
    with pytest.raises(TritweaveError, match="there is no model 'bitnet-4b'; it is one of bitnet-700m"):
        model_named("bitnet-4b")
    with pytest.raises(TritweaveError, match=r"no source gives the shape of bitnet-3\.9b"):
        model_named("bitnet-3.9b")
    with pytest.raises(TritweaveError, match=r"cannot read configuration .*: No such file"):
        model_named(str(tmp_path))
