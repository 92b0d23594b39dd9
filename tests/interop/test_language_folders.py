"""Language models held against transformers itself, where it is installed: `make test-interop`."""

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

# What transformers compiles for speed is the same arithmetic without a compiler.
os.environ["TORCHDYNAMO_DISABLE"] = "1"
torch = pytest.importorskip("torch", reason="needs the extra interop")
pytest.importorskip("transformers.integrations.bitnet", reason="needs the extra interop")

from gen.training.decoder import Decoder  # noqa: E402 - torch comes first
from gen.training.language import load_weights  # noqa: E402
from gen.training.language_trainer import visible  # noqa: E402
from tests.interop.make_language_fixtures import SHAPE, logits_of, make, random_weights  # noqa: E402

FIXTURES = Path(__file__).parents[1] / "data" / "language"
SHIPPED = Path(__file__).parents[2] / "golden" / "models"


def test_the_fixtures_are_what_transformers_computes(tmp_path: Path) -> None:
    make(tmp_path)
    kept = sorted(path.relative_to(FIXTURES) for path in FIXTURES.rglob("*.safetensors"))
    assert len(kept) == 3
    for path in kept:
        made = load_file(tmp_path / path)
        for name, tensor in load_file(FIXTURES / path).items():
            np.testing.assert_array_equal(made[name], tensor)
        answers = (np.load(folder / path.parent / "answers.npz")["logits"] for folder in (tmp_path, FIXTURES))
        np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-4)


def test_without_quantisers_the_decoder_that_is_trained_is_the_one_of_transformers() -> None:
    answers = np.load(FIXTURES / "float" / "answers.npz")
    decoder = Decoder(SHAPE, torch.Generator())
    load_weights(decoder, random_weights(SHAPE, 1))
    decoder.precision.weights = decoder.precision.activations = False
    tokens = torch.from_numpy(answers["tokens"])
    whole = torch.ones_like(tokens)
    with torch.no_grad():
        logits = decoder(tokens, visible(whole)).numpy()
    np.testing.assert_allclose(logits, answers["logits"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("folder", sorted(path.parent for path in SHIPPED.glob("*/config.json")), ids=lambda p: p.name)
def test_transformers_loads_and_runs_shipped_models(folder: Path) -> None:
    logits = logits_of(folder, np.array([[0, 1, 2, 3]]))
    assert np.isfinite(logits).all()
    assert logits.std() > 0.1
