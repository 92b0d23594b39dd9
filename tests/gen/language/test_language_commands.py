import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gen.language.evaluate import Documents, evaluate
from gen.language.models import Speaker, load_speaker
from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from golden.language.generation import Generation
from golden.language.sampler import Sampler
from support.language_models import folder_contents, random_model, write_folder
from support.tokenizers_made import characters
from tritweave import app

LETTERS = "abcdefghijklmnopqrstuv\n"
"""With the mark, as many tokens as the model has."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_folder(tmp_path_factory.mktemp("models") / "tiny", *folder_contents(random_model()))
    characters(LETTERS).save(str(path / "tokenizer.json"))
    return path


@pytest.fixture(scope="module")
def speaker(folder: Path) -> Speaker:
    return load_speaker(str(folder))


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def drawn_texts(count: int) -> list[str]:
    random = np.random.default_rng(0)
    return ["".join(random.choice(list(LETTERS), random.integers(1, 20))) for _ in range(count)]


def test_evaluation_is_what_token_by_token_gives(speaker: Speaker) -> None:
    texts = drawn_texts(30)
    found = evaluate(speaker, Documents.of(speaker, texts))
    decoder, nats, tokens = Decoder(speaker.model), 0.0, 0
    for encoded in speaker.tokenizer.encode(texts):
        sequences, taken = decoder.start(), speaker.model.start
        for token in encoded[:16]:
            logits = decoder.forward(np.array([[taken]]), sequences).reals()[0, 0]
            nats += np.log(2) * (np.log2(np.exp2(logits).sum()) - logits[token])
            taken, tokens = token, tokens + 1
    figures = found.figures()
    assert found.nats == pytest.approx(nats, rel=1e-9)
    assert (figures["tokens"], figures["bytes"]) == (tokens, tokens)
    assert figures["nats_per_token"] == pytest.approx(nats / tokens)
    assert figures["bits_per_byte"] == pytest.approx(nats / tokens / np.log(2))
    assert figures["distance"] == pytest.approx(nats / found.nats_float - 1)
    assert figures["documents_cut"] == sum(len(text) > 16 for text in texts) > 0


def test_prefixes_and_progress(speaker: Speaker) -> None:
    texts, seen = drawn_texts(300), []
    chosen = Documents.of(speaker, texts, prefix=5)
    found = evaluate(speaker, chosen, seen.append)
    assert found.bytes == found.tokens == sum(len(text[:5].rstrip()) for text in texts) == sum(seen)
    assert len(seen) > 1
    assert found.cut == 0
    with pytest.raises(TritweaveError, match="there is no document in the text"):
        Documents.of(speaker, [])


def test_evaluate_prints_and_writes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("<|endoftext|>".join(drawn_texts(9)))
    result = invoke("evaluate", folder, tmp_path / "text.txt", "--prefix", 7, "--json", tmp_path / "figures.json")
    assert result.exit_code == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["documents"] == 9
    assert f"{figures['bits_per_byte']:.4f} bits a byte" in result.stdout
    assert "evaluating tiny" not in result.stdout


def test_models_of_floats_are_evaluated_as_floats(folder: Path, tmp_path: Path) -> None:
    fixture = Path(__file__).parents[2] / "data" / "language" / "floats"
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((fixture / name).read_bytes())
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    floats = load_speaker(str(tmp_path))
    figures = evaluate(floats, Documents.of(floats, drawn_texts(3))).figures()
    assert figures["bits_per_byte"] is figures["distance"] is None
    assert figures["bits_per_byte_float"] > 0


def test_talk_is_what_the_decoder_chooses(folder: Path, speaker: Speaker, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    options = ("--prompt", "abba", "--temperature", 1.5, "--seed", 5, "--tokens", 9, "--json", file)
    results = [invoke("talk", folder, *options) for _ in range(2)]
    figures = json.loads(file.read_text())
    prompt = [0, *speaker.tokenizer.encode(["abba"])[0]]
    expected = list(Generation(Decoder(speaker.model), Sampler(1.5, 5), prompt, 9))
    assert figures["token_numbers"] == expected
    assert figures["text"] == "".join(speaker.tokenizer.spell(token).decode() for token in expected)
    assert results[0].stdout == results[1].stdout == f"abba{figures['text']}\n"
    assert figures["reason"] in results[0].stderr
    assert figures["prompt_tokens"] == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prompt", ""), "the prompt is empty; leave --prompt out"),
        (("--prompt", "a" * 16), "the sequence has 17 tokens; the context of tiny holds 16"),
        (("--prompt", "A"), "the text has 'A', for which"),
        (("--port", "/dev/tty-none", "--fold", "4x4x1"), "port /dev/tty-none does not exist; ports found"),
        (("--temperature", "-1"), r"the temperature is -1\.0; it is 0, or from"),
        (("--seed", "-4"), "the seed is -4"),
    ],
)
def test_talk_refuses(options: tuple[str, str], message: str, folder: Path) -> None:
    result = invoke("talk", folder, *options)
    with pytest.raises(TritweaveError, match=message):
        raise result.exception or AssertionError


def test_models_that_are_not_there(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(TritweaveError, match="'nowhere' is neither a folder nor a shipped language model"):
        load_speaker("nowhere")
    lone = write_folder(tmp_path / "lone", *folder_contents(random_model()))
    with pytest.raises(TritweaveError, match=r"cannot read tokenizer .*tokenizer\.json: No such file"):
        load_speaker(str(lone))


def test_generations_end_for_a_reason() -> None:
    decoder = Decoder(random_model())
    full = Generation(decoder, Sampler(1.0, 3), [0])
    decoder.model.__dict__["ends"] = ()
    assert len(list(full)) == 16
    assert full.reason == "context full"
    few = Generation(decoder, Sampler(1.0, 3), [0, 1], 3)
    assert len(list(few)) == 3
    assert few.reason == "tokens"
    decoder.model.__dict__["ends"] = tuple(range(24))
    none = Generation(decoder, Sampler(), [0])
    assert list(none) == []
    assert none.reason == "end token"
    with pytest.raises(TritweaveError, match="the prompt has no tokens"):
        Generation(decoder, Sampler(), [])
    with pytest.raises(TritweaveError, match="0 tokens are asked for"):
        Generation(decoder, Sampler(), [0], 0)
