import gzip
import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.quantise import quantise_activations_float, quantise_weights

torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")

from gen.training.corpus import Corpus, Texts, documents, encode, make_corpus, make_tokenizer, texts_of  # noqa: E402 - torch comes first
from gen.training.language import train_language  # noqa: E402
from gen.training.language_recipes import LANGUAGE_RECIPES, language_recipe  # noqa: E402
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


def make_run(recipe=SMALL, **options) -> Run:
    texts = [f"{name}\n" for name in NAMES]
    tokenizer = make_tokenizer(Texts(texts, []), None)
    return Run(recipe, make_corpus(tokenizer, texts, recipe.row), tokenizer.get_vocab_size(), **({"seed": 1} | options))


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


def test_every_epoch_has_each_row_once() -> None:
    tokens = np.array([0, *range(1, 6), 0, *range(1, 20), 0, 1, 0])
    corpus = Corpus(tokens, 6)
    assert corpus.starts.tolist() == [0, 6, 12, 18, 26]
    rows = np.concatenate([corpus.batch(3, number, 2) for number in range(5)])
    expected = [tokens[min(start, len(tokens) - 7) :][:7].tolist() for start in corpus.starts]
    assert sorted(rows[:5].tolist()) == sorted(rows[5:].tolist()) == sorted(expected)
    np.testing.assert_array_equal(corpus.batch(3, 4, 2), rows[8:])


def test_a_running_text_is_cut_elsewhere_in_every_epoch() -> None:
    tokens = np.array([0, *range(1, 100), 0])
    corpus = Corpus(tokens, 10)
    rows = np.concatenate([corpus.batch(0, number, 5) for number in range(12)])
    assert (rows[:, 0] == 0).all()
    assert (np.diff(rows[:, 1:]) == 1).all()
    assert len(set(rows[:, 1] % 10)) > 2


def test_names_are_held_out_by_hash(data: Path) -> None:
    texts = texts_of(SMALL, data)
    for name in set(NAMES):
        held = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10 == 0
        assert (f"{name}\n" in texts.valid, f"{name}\n" in texts.train) == (held, not held)


def test_texts_are_read_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(b"one\n<|endoftext|>\n\ntwo<|endoftext|>\n<|endoftext|>"))
    (tmp_path / "valid.txt").write_text("three")
    assert texts_of(LANGUAGE_RECIPES["stories"], tmp_path) == (["one\n", "\ntwo"], ["three"])
    (tmp_path / "valid.txt").unlink()
    (tmp_path / "train.txt").write_text("x" * 300)
    assert [len(text) for text in texts_of(replace(LANGUAGE_RECIPES["text"], context=20), tmp_path).valid] == [20, 10]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read text .*: No such file"),
        (b"\xff\xfe", "no UTF-8 text"),
        (b"al\nbo", "a row of 16 needs more"),
    ],
)
def test_texts_that_cannot_be_used(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content:
        (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(TritweaveError, match=message):
        train_language(SMALL, tmp_path, tmp_path / "out", seed=0)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names.txt.gz").write_bytes(gzip.compress(b"text" * 99)[:-9])
    with pytest.raises(TritweaveError, match="no compressed UTF-8 text"):
        texts_of(SMALL, tmp_path)


def test_characters_that_the_tokenizer_lacks_are_refused() -> None:
    with pytest.raises(TritweaveError, match="the tokenizer lacks 'é'"):
        encode(make_tokenizer(Texts(["cafe"], []), None), ["café"])


def test_the_tokenizer_spells_every_character() -> None:
    texts = ["Once upon a time, there was\n", "a café."]
    for vocabulary in (None, 40):
        tokenizer = make_tokenizer(Texts(texts[:1], texts[1:]), vocabulary)
        assert [tokenizer.decode(tokens) for tokens in encode(tokenizer, texts)] == texts
        assert tokenizer.token_to_id("<|endoftext|>") == 0


def test_quantisers_equal_the_golden_ones() -> None:
    run = make_run()
    linear = run.model.layers[0].mlp.up_proj
    trits, scale = quantise_weights(linear.weight.detach().numpy())
    one = torch.eye(8)
    np.testing.assert_allclose(linear(one).detach().numpy().T, trits * scale, rtol=1e-6)
    values = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    normal = run.model.norm(values).detach()
    plain = values / values.square().mean(-1, keepdim=True).sqrt()
    quantised, scales = quantise_activations_float(plain.numpy())
    np.testing.assert_allclose(normal.numpy(), quantised / scales, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["depth=3"], "'depth=3' sets no value of a recipe"),
        (["layers=x"], "'layers=x' has no int behind the ="),
        (["steps=0"], "steps is 0"),
        (["decay=999999"], "decay is 999999 steps of 16000"),
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
