import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.language.text import documents
from golden.errors import TritweaveError
from golden.language.folder import read_language_model
from golden.language.reference import Reference
from golden.quantise import quantise_activations_float, quantise_weights

torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")

from gen.training.attention import RoundedAttention, attend_at_once  # noqa: E402 - torch comes first
from gen.training.corpus import Corpus, Texts, make_corpus, make_tokenizer, texts_of  # noqa: E402 - torch comes first
from gen.training.language import train_language, weights_of  # noqa: E402
from gen.training.language_folder import KINDS, Kind, write_folder  # noqa: E402
from gen.training.language_recipes import LANGUAGE_RECIPES, LanguageRecipe, language_recipe  # noqa: E402
from gen.training.language_trainer import Run, evaluate, loss_of, train, visible  # noqa: E402
from gen.training.trainer import one_thread  # noqa: E402

SMALL = replace(LANGUAGE_RECIPES["names"], width=8, layers=1, inner=12, steps=6, decay=3, row=16, batch=4)
NAMES = ["anna", "otto", "eva", "ida", "max", "noah", "mia", "leo", "elias", "paul", "emma", "ben", "lina", "finn"] * 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "names.txt").write_text("\n".join(NAMES))
    return folder


@pytest.fixture(autouse=True)
def _on_one_thread():
    with one_thread():
        yield


def make_run(recipe: LanguageRecipe = SMALL, **options: Any) -> Run:
    texts = [f"{name}\n" for name in NAMES]
    tokenizer = make_tokenizer(Texts(texts, []), None)
    return Run(recipe, make_corpus(tokenizer, texts, recipe.row), tokenizer.get_vocab_size(), **{"seed": 1, **options})


def weights(run: Run) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in run.model.state_dict().items()}


@pytest.mark.parametrize("quantised", [True, False])
def test_a_run_that_was_killed_comes_to_the_same(tmp_path: Path, quantised: bool) -> None:
    whole, state = make_run(quantised=quantised), tmp_path / "state.pt"
    for _ in range(SMALL.steps):
        whole.step()
    first = make_run(quantised=quantised)
    for _ in range(2):
        first.step()
    first.save(state)
    first.step()
    second = make_run(quantised=quantised)
    train(second, state)
    assert second.losses == whole.losses
    for name, values in weights(second).items():
        np.testing.assert_array_equal(values, weights(whole)[name])


def test_a_run_can_be_made_longer_from_where_the_rates_were_constant(tmp_path: Path) -> None:
    train(make_run(), tmp_path / "state.pt")
    longer = make_run(replace(SMALL, steps=8))
    train(longer, tmp_path / "constant-state.pt")
    straight = make_run(replace(SMALL, steps=8))
    train(straight, tmp_path / "other.pt")
    assert longer.losses == straight.losses


def test_it_learns() -> None:
    run = make_run(replace(SMALL, steps=60, decay=30, batch=8))
    losses = [run.step().loss for _ in range(60)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "another seed"),
        ({"recipe": replace(SMALL, width=16)}, "another width"),
        ({"quantised": False}, "another quantised"),
    ],
)
def test_a_state_of_another_run_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    make_run().save(tmp_path / "state.pt")
    with pytest.raises(TritweaveError, match=message):
        make_run(**change).load(tmp_path / "state.pt")


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    make_run().save(tmp_path / "state.pt")
    content = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(TritweaveError, match="no state of a training run"):
        make_run().load(tmp_path / "state.pt")


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    run = make_run()
    run.model.embed_tokens.data[:] = math.nan
    with pytest.raises(TritweaveError, match="the loss is nan in step 0"):
        run.step()


def test_tokens_beyond_the_vocabulary_are_refused() -> None:
    with pytest.raises(TritweaveError, match="the text holds token 9; the vocabulary has 9"):
        Run(SMALL, Corpus(np.arange(10).repeat(4), 16), 9, seed=0)


def test_attention_stays_within_documents_and_behind_time() -> None:
    seen = visible(torch.tensor([[5, 0, 6, 0, 7]]))[0] == 0
    expected = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 1]]
    assert seen.int().tolist() == expected
    run = make_run()
    together = torch.tensor([[0, 3, 4, 1, 0, 5, 2, 1]])
    with torch.no_grad():
        logits = run.model(together, visible(together))[:, 4:]
        alone = run.model(together[:, 4:], visible(together[:, 4:]))
    # Rotation makes scores depend on distances only, up to float32's rounding of the angles.
    assert (logits - alone).abs().max() < 0.05


def test_scores_do_not_depend_on_batches() -> None:
    run = make_run()
    pieces = [[1, 2, 3], [4], [5, 6, 7, 8], [2, 2]]
    nats, tokens = evaluate(run.model, pieces, quantised=True)
    singles = [loss_of(run.model, torch.tensor([[0, *piece]])).item() * len(piece) for piece in pieces]
    assert tokens == 10
    assert nats == pytest.approx(sum(singles), rel=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read text .*: No such file"),
        (b"\xff\xfe", r"no \.txt file of UTF-8 text"),
        (b"al\nbo", "a row of 16 needs more"),
    ],
)
def test_texts_that_cannot_be_used(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content:
        (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(TritweaveError, match=message):
        train_language(SMALL, tmp_path, tmp_path / "out", seed=0)


def test_quantisers_equal_the_golden_ones() -> None:
    run = make_run()
    linear: Any = run.model.get_submodule("layers.0.mlp.up_proj")
    trits, scale = quantise_weights(linear.weight.detach().numpy())
    one = torch.eye(8)
    np.testing.assert_allclose(linear(one).detach().numpy().T, trits * scale, rtol=1e-6)
    values = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    normal = run.model.norm(values).detach()
    plain = values / values.square().mean(-1, keepdim=True).sqrt()
    quantised, scales = quantise_activations_float(plain.numpy())
    np.testing.assert_allclose(normal.numpy(), quantised / scales, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_trained_is_goldens_float_reference(tmp_path: Path, kind: Kind) -> None:
    recipe = replace(SMALL, width=16, layers=2, heads=4, key_heads=2, key_digits=4, value_digits=2, steps=40)
    run = make_run(recipe, quantised=kind != "float")
    for _ in range(20):
        run.step()
    write_folder(tmp_path, run.model.shape, run.model.form, weights_of(run.model), "{}", kind)
    model = read_language_model(tmp_path)
    assert (model.shape, model.ternary) == (run.model.shape, kind != "float")
    tokens = np.array([[0, *np.random.default_rng(row).integers(1, model.shape.vocabulary, 15)] for row in range(8)])
    inputs = torch.from_numpy(tokens)
    with torch.no_grad():
        logits = run.model(inputs, visible(inputs)).numpy()
    apart = np.abs(logits - Reference(model).forward(tokens))
    # What falls beside a tie rounds to the other side in 32 bits, now and then.
    assert np.median(apart) < 1e-3 * logits.std()
    assert kind != "float" or apart.max() < 1e-4 * logits.std()


def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    run = make_run()
    weights = weights_of(run.model) | {"model.norm.weight": np.array([1, np.nan] * 4, np.float32)}
    with pytest.raises(TritweaveError, match=r"model.norm.weight hold nan at \[1\]"):
        write_folder(tmp_path / "out", run.model.shape, run.model.form, weights, "{}", "packed")
    assert not (tmp_path / "out").exists()


def test_rounded_softmax_weights_have_the_gradient_of_attention() -> None:
    shape, random = (2, 2, 3, 70, 4), torch.Generator().manual_seed(3)
    query, key, value = (
        torch.randn(size, generator=random, dtype=torch.float64, requires_grad=True)
        for size in (shape, (2, 2, 70, 4), (2, 2, 70, 4))
    )
    mask = visible(torch.randint(0, 9, (2, 70), generator=random)).double()
    seed = torch.randn(shape, generator=random, dtype=torch.float64)
    found = []
    for attend, scales in ((RoundedAttention.apply, None), (attend_at_once, None)):
        context = attend(query, key, value, scales, mask)
        found.append((context.detach(), *torch.autograd.grad(context, (query, key, value), seed)))
    for tiled, plain in zip(*found, strict=True):
        torch.testing.assert_close(tiled, plain)
    digits = torch.randint(-13, 14, value.shape, generator=random).double()
    scales = torch.rand((2, 2, 70), generator=random, dtype=torch.float64) + 0.1
    values = digits * scales[..., None]
    rounded = RoundedAttention.apply(query, key, values, scales, mask)
    torch.testing.assert_close(rounded, attend_at_once(query, key, values, scales, mask))
    assert (rounded - RoundedAttention.apply(query, key, values, None, mask)).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["depth=3"], "'depth=3' sets no value of a recipe"),
        (["layers=x"], "'layers=x' has no int behind the ="),
        (["steps=0"], "steps is 0"),
        (["decay=999999"], "decay is 999999 steps of 3000"),
        (["others=0"], "the learning rate others is 0.0"),
    ],
)
def test_recipes_that_cannot_be(changes: list[str], message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        language_recipe("names", changes)


def test_one_call_makes_a_folder_and_a_second_goes_on(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    first = train_language(SMALL, data, output, seed=0)
    assert {path.name for path in output.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "latent", "valid.txt"),
        *("losses.json", "losses.png", "state.pt", "constant-state.pt"),
    }
    assert first.bits_per_byte == pytest.approx(first.nats_per_token / math.log(2))
    assert documents((output / "valid.txt").read_text()) == texts_of(SMALL, data).valid
    again = train_language(SMALL, data, output, seed=0)
    assert again == first
    assert train_language(replace(SMALL, steps=8), data, output, seed=0).steps == 8
    assert len(json.loads((output / "losses.json").read_text())) == 8
