import gzip
from pathlib import Path

import numpy as np
import pytest

from gen.plan.examples import Interface, read_examples, write_logits
from golden.errors import TritweaveError

TAKES = Interface("net", 6, "uint8", 0.5, 3)
VECTORS = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
LABELS = np.array([2, 0, 1, 1], np.uint8)


def idx(path: Path, array: np.ndarray) -> None:
    header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.mark.parametrize("kind", ["gz", "npy", "npz"])
def test_vectors_and_labels_come_from_every_kind_of_file(kind: str, tmp_path: Path) -> None:
    vectors, labels = tmp_path / f"x.{kind}", tmp_path / f"y.{kind}"
    if kind == "npz":
        np.savez(vectors, X=VECTORS, y=LABELS)
        labels = None
    else:
        for path, array in ((vectors, VECTORS), (labels, LABELS)):
            idx(path, array) if kind == "gz" else np.save(path, array)
    found, answers = read_examples(TAKES, None, vectors, labels, default=3)
    assert answers is not None
    np.testing.assert_array_equal(found, VECTORS.reshape(4, 6)[:3])
    np.testing.assert_array_equal(answers, LABELS[:3])
    assert found.dtype == np.uint8
    assert len(read_examples(TAKES, None, vectors, labels, default=9)[0]) == 4


def test_reals_are_counted_in_units_of_the_input(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((2, 6), 60.2, np.float32))
    found, answers = read_examples(TAKES, 1, tmp_path / "x.npy", None, default=1)
    assert (found.tolist(), answers) == ([[120] * 6], None)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 5)), "holds vectors of 5 values; net takes 6"),
        (np.zeros(6), r"shape \(6,\); vectors are numbers of shape \(n, values\)"),
        (np.full((1, 6), -3), "holds -3, which is -3 units of the input; the network takes uint8, 0 to 255"),
        (np.full((1, 6), 200.0), "holds 200, which is 400 units"),
        (np.full((1, 6), np.nan), "holds nan"),
        (np.full((1, 6), None), "is no .npy file of numbers"),
    ],
)
def test_vectors_that_the_network_does_not_take_are_named(array: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(TritweaveError, match=message):
        read_examples(TAKES, None, tmp_path / "x.npy", None, default=1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 1, 2], "one whole number for each of 4"), ([0, 1, 2, 3], "holds the label 3; labels are 0 to 2")],
)
def test_labels_that_do_not_go_with_the_vectors_are_named(labels: list[int], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", vectors=VECTORS, labels=labels)
    with pytest.raises(TritweaveError, match=message):
        read_examples(TAKES, None, tmp_path / "x.npz", None, default=1)


def test_without_vectors_the_error_says_what_to_give() -> None:
    with pytest.raises(TritweaveError, match=r"net takes 6; give --vectors FILE .* of 6 values each"):
        read_examples(TAKES, None, None, None, default=1)


def test_reals_need_a_unit(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((1, 6), 0.5))
    with pytest.raises(TritweaveError, match="does not say what a unit of its input is worth"):
        read_examples(TAKES._replace(unit=1.0), None, tmp_path / "x.npy", None, default=1)


def test_an_archive_without_vectors_says_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", pixels=VECTORS)
    with pytest.raises(TritweaveError, match="holds pixels; one of vectors, images, x_test, x is needed"):
        read_examples(TAKES, None, tmp_path / "x.npz", None, default=1)


def test_logits_are_written_as_they_are(tmp_path: Path) -> None:
    logits = np.array([[1, -2]], np.int32)
    write_logits(tmp_path / "logits", logits)
    np.testing.assert_array_equal(np.load(tmp_path / "logits"), logits)
