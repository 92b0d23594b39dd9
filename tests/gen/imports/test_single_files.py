"""Single files of safetensors, with nothing that says how to read them."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from gen.imports.hugging_face import open_hugging_face
from gen.imports.weights import Reading
from golden.errors import TritweaveError
from golden.files.packing_hf import encode_hf
from golden.quantise import quantise_weights


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_single_file_of_latent_floats_needs_no_configuration(tmp_path, dtype):
    weights = np.random.default_rng(0).normal(size=(8, 12)).astype(dtype)
    save_file({"fc.weight": weights, "fc.bias": np.ones(8, dtype)}, tmp_path / "net.safetensors")
    source = open_hugging_face(tmp_path / "net.safetensors")
    layer = source.read("fc")
    trits, scale = quantise_weights(weights)
    np.testing.assert_array_equal(layer.trits, trits)
    assert layer.scale == np.float32(scale)
    assert layer.bias is not None
    with pytest.raises(TritweaveError, match=r"does not say which .* there is no config.json; name them .* 'fc'"):
        source.select()


def test_a_single_file_of_packed_weights_needs_to_be_told_what_its_scale_means(tmp_path):
    trits = np.random.default_rng(0).integers(-1, 2, (8, 12)).astype(np.int8)
    tensors = {"fc.weight": encode_hf(trits), "fc.weight_scale": np.array([2], np.float16)}
    save_file(tensors, tmp_path / "net.safetensors")
    with pytest.raises(
        TritweaveError, match=r"fc.weight: nothing says what the scale .*; give --scale divide or --scale multi"
    ):
        open_hugging_face(tmp_path / "net.safetensors").read("fc")
    layer = open_hugging_face(tmp_path / "net.safetensors", Reading("multiply")).read("fc")
    np.testing.assert_array_equal(layer.trits, trits)
    assert layer.scale.tolist() == [2]


def test_latent_floats_beyond_float32_are_refused(tmp_path):
    save_file({"fc.weight": np.full((2, 2), 1e300)}, tmp_path / "net.safetensors")
    with pytest.raises(TritweaveError, match="fc has the scale inf; it must be finite and above 0"):
        open_hugging_face(tmp_path / "net.safetensors").read("fc")
