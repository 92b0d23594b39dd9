"""Held against transformers itself, where it is installed: `make test-interop`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gen.imports.importing import Chain, import_layers
from gen.imports.opening import open_source
from golden.files.packing_hf import decode_hf, encode_hf

# What transformers compiles for speed is the same arithmetic without a compiler.
os.environ["TORCHDYNAMO_DISABLE"] = "1"
torch = pytest.importorskip("torch", reason="needs the extra interop")
bitnet = pytest.importorskip("transformers.integrations.bitnet", reason="needs the extra interop")

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "data" / "transformers"


def test_the_fixtures_are_what_transformers_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, HERE / "make_fixtures.py", tmp_path], check=True, timeout=500)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert written == sorted(path.relative_to(FIXTURES) for path in FIXTURES.rglob("*.*"))
    for path in written:
        if path.suffix == ".npz":
            made, kept = np.load(tmp_path / path), np.load(FIXTURES / path)
            assert made.keys() == kept.keys()
            for name in made:
                np.testing.assert_allclose(made[name], kept[name], rtol=1e-6, atol=1e-6)
        elif path.suffix == ".safetensors":
            assert (tmp_path / path).read_bytes() == (FIXTURES / path).read_bytes()


@pytest.mark.parametrize("shape", [(4, 3), (5, 3), (6, 2), (7, 1), (64, 100), (2500, 4000)])
def test_it_packs_and_unpacks_as_we_do(shape: tuple[int, int]) -> None:
    trits = np.random.default_rng(0).integers(-1, 2, shape).astype(np.int8)
    packed = bitnet.pack_weights(torch.from_numpy(trits.copy())).numpy()
    np.testing.assert_array_equal(encode_hf(trits), packed)
    unpacked = bitnet.unpack_weights(torch.from_numpy(encode_hf(trits)), torch.int8).numpy()
    np.testing.assert_array_equal(unpacked[: len(trits)], trits)
    np.testing.assert_array_equal(decode_hf(packed, len(trits)), trits)


def test_latent_floats_of_torch_make_the_same_trits(tmp_path: Path) -> None:
    weights = torch.randn(200, 300, generator=torch.Generator().manual_seed(0))
    quantised = bitnet.WeightQuant.apply(weights).numpy()
    save_file({"fc.weight": weights.numpy()}, tmp_path / "net.safetensors")
    assert load_file(tmp_path / "net.safetensors").keys() == {"fc.weight"}
    source = open_source(tmp_path / "net.safetensors")
    import_layers(source, ["fc"], tmp_path / "out", Chain("fc"))
    layer = open_source(tmp_path / "out").read("fc")
    np.testing.assert_array_equal(layer.trits, np.sign(quantised))
    np.testing.assert_allclose(layer.trits * layer.scale, quantised, rtol=1e-6)
