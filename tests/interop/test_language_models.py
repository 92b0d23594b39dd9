"""The float reference against transformers itself, where it is installed: `make test-interop`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gen.language.models import shipped
from golden.language.folder import read_language_model
from golden.language.format import Shape
from golden.language.reference import Reference
from support.language_models import folder_contents, random_model, write_folder

# What transformers compiles for speed is the same arithmetic without a compiler.
os.environ["TORCHDYNAMO_DISABLE"] = "1"
torch = pytest.importorskip("torch", reason="needs the extra interop")
transformers = pytest.importorskip("transformers", reason="needs the extra interop")

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "data" / "language"
SHAPES = [
    Shape(vocabulary=40, hidden=24, blocks=3, heads=6, key_heads=2, head=4, intermediate=36, context=20),
    Shape(vocabulary=100, hidden=64, blocks=1, heads=2, key_heads=1, head=32, intermediate=16, context=50),
    Shape(vocabulary=7, hidden=8, blocks=2, heads=1, key_heads=1, head=8, intermediate=12, context=9),
]


def test_the_fixtures_are_what_transformers_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, HERE / "make_language_models.py", tmp_path], check=True, timeout=500)
    for made in sorted(tmp_path.iterdir()):
        kept = FIXTURES / made.name
        with np.load(made / "answers.npz") as ours, np.load(kept / "answers.npz") as theirs:
            np.testing.assert_array_equal(ours["tokens"], theirs["tokens"])
            np.testing.assert_allclose(ours["logits"], theirs["logits"], atol=1e-4)
        for name in ("config.json", "model.safetensors"):
            assert (made / name).read_bytes() == (kept / name).read_bytes()


def their_logits(folder: Path, tokens: np.ndarray) -> np.ndarray:
    model = transformers.BitNetForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.from_numpy(tokens)).logits.numpy()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_models_that_we_write_are_what_it_computes(shape: Shape, tmp_path: Path) -> None:
    config, tensors = folder_contents(random_model(shape, seed=shape.hidden))
    folder = write_folder(tmp_path / "model", config, tensors)
    tokens = np.random.default_rng(0).integers(0, shape.vocabulary, (2, shape.context))
    found = Reference(read_language_model(folder), trained=False).forward(tokens)
    np.testing.assert_allclose(found, their_logits(folder, tokens), atol=2e-3 * found.std())


@pytest.mark.parametrize("name", shipped())
def test_shipped_models_are_what_it_computes(name: str) -> None:
    folder = HERE.parents[1] / "golden" / "models" / name
    model = read_language_model(folder)
    tokens = np.random.default_rng(0).integers(0, model.shape.vocabulary, (2, min(model.shape.context, 64)))
    found = Reference(model, trained=False).forward(tokens)
    # An activation that falls beside a tie rounds to the other side in 32 bits, now and then.
    assert np.median(np.abs(found - their_logits(folder, tokens))) < 1e-3 * found.std()
