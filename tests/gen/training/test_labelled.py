import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from gen.training.labelled import read_labelled
from golden.errors import TritweaveError
from golden.files.checkpoint import read_checkpoint
from tritweave import app

DRAWS = np.random.default_rng(12)
LABELS = np.arange(60) % 3
VECTORS = DRAWS.normal(size=(60, 8)) + 4 * np.eye(8)[LABELS]


def archive(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_a_tenth_is_held_out_where_there_is_no_test_part(tmp_path: Path) -> None:
    found = read_labelled(archive(tmp_path / "d.npz", x=VECTORS, y=LABELS), None, (8, 3), seed=1)
    assert (len(found.train.labels), len(found.test.labels), found.input_type) == (54, 6, "int8")
    everything = np.concatenate([found.train.vectors, found.test.vectors]) * found.unit
    assert sorted(everything.sum(axis=1)) == pytest.approx(sorted(VECTORS.sum(axis=1)), abs=8 * found.unit)


def test_bytes_stay_as_they_are_and_a_test_part_is_taken(tmp_path: Path) -> None:
    images = DRAWS.integers(0, 256, (5, 2, 4)).astype(np.uint8)
    answers = LABELS[:5]
    path = archive(tmp_path / "d.npz", x_train=images, y_train=answers, x_test=images[:2], y_test=answers[:2])
    found = read_labelled(path, None, (8, 3), seed=1)
    np.testing.assert_array_equal(found.train.vectors, images.reshape(5, 8))
    np.testing.assert_array_equal(found.test.labels, answers[:2])
    assert (found.input_type, found.unit) == ("uint8", 1 / 255)


@pytest.mark.parametrize(
    ("arrays", "sizes", "message"),
    [
        ({"y": LABELS}, (8, 3), "holds no vectors; in an .npz call them x_train"),
        ({"x": VECTORS}, (8, 3), "holds no labels; .* or give --labels FILE"),
        ({"x": VECTORS, "y": LABELS}, (9, 3), "vectors of 8 values; --layers begins with 9"),
        ({"x": VECTORS, "y": LABELS}, (8, 2), "holds the label 2; labels are 0 to 1"),
        ({"x": VECTORS[:9], "y": LABELS[:9]}, (8, 3), "holds 9 vectors; at least 20"),
        ({"x": VECTORS * np.nan, "y": LABELS}, (8, 3), "not finite"),
    ],
)
def test_what_cannot_be_learnt_from_is_named(arrays, sizes, message: str, tmp_path: Path) -> None:
    with pytest.raises(TritweaveError, match=message):
        read_labelled(archive(tmp_path / "d.npz", **arrays), None, sizes, seed=0)


def test_a_network_of_any_shape_is_trained_on_one_s_own_data(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    np.save(tmp_path / "x.npy", VECTORS)
    np.save(tmp_path / "y.npy", LABELS)
    files = ["--data", tmp_path / "x.npy", "--labels", tmp_path / "y.npy"]
    written = ["-o", tmp_path / "net.safetensors", "--json", tmp_path / "figures.json"]
    arguments = ["train", "mlp", "--layers", "8,16,3", "--epochs", "40", *map(str, (*files, *written))]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["integer_accuracy"] > 0.6
    network = read_checkpoint(tmp_path / "net.safetensors")
    assert (network.inputs, network.input_type) == (8, "int8")
