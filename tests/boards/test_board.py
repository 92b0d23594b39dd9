"""A whole board at its pins: as generated and as synthesised, against the model."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from boards.catalogue import board_named
from boards.infer import infer
from boards.planning import plan_for
from boards.simulated_board import SimulatedBoard
from gen.plan.plan import Fold
from gen.plan.presets import TEST_VECTORS
from golden.errors import TritweaveError
from golden.files.checkpoint import write_checkpoint
from golden.files.idx import read_idx
from golden.link.frames import image_number
from golden.network import Layer, Network
from support.link_plans import link_plan, link_vectors
from tritweave import app

FOLD = Fold(4, 4, 2)


def digits() -> Network:
    """A small network that takes MNIST images."""
    random = np.random.default_rng(5)
    sizes = ((8, 784), (10, 8))
    return Network(
        "digits", tuple(Layer(random.integers(-1, 2, size).astype(np.int8), 1.0, size[0] == 8) for size in sizes)
    )


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-12f"])
@pytest.mark.parametrize("port", ["sim", "netlist"])
def test_a_board_answers_as_the_model(name: str, port: str) -> None:
    board = board_named(name)
    plan = plan_for(board, link_plan().network, FOLD, "2b")
    calls: list[int] = []
    result = infer(board, plan, link_vectors(plan, 5), port, progress=calls.append)
    assert calls == [1] * 5
    assert result.equal.all()
    assert len(np.unique(result.logits, axis=0)) > 1
    assert result.cycles >= plan.cycles.latency


def test_the_network_is_there_after_power_up_where_block_ram_holds_it() -> None:
    for name, loaded in (("icebreaker", 0), ("ulx3s-12f", 1)):
        board = board_named(name)
        plan = plan_for(board, link_plan().network, FOLD, "2b")
        with SimulatedBoard(board, plan) as device:
            identity, state = device.identify()
            assert identity.clock_hz == board.clock_hz
            assert (state.loaded, state.loads) == (loaded, 0)
            # Where the flash is empty, the sum is that of what was read from it.
            assert (state.sum == image_number(plan.image)) == bool(loaded)


def test_the_command_prints_labels_and_answers(tmp_path: Path) -> None:
    network, figures = digits(), tmp_path / "figures.json"
    write_checkpoint(tmp_path / "digits.safetensors", network)
    arguments = ["infer", "ulx3s-12f", str(tmp_path / "digits.safetensors"), "--fold", "8x4x4", "--port", "sim"]
    result = CliRunner().invoke(app, [*arguments, "--images", "2", "--json", str(figures)])
    assert result.exit_code == 0, result.output
    found = json.loads(figures.read_text())
    assert (found["images"], found["logits_equal"]) == (2, 2)
    answers = network.forward(read_idx(TEST_VECTORS)[:2].reshape(2, -1)).logits.argmax(axis=1)
    rows = [line.split("│")[1:-1] for line in result.output.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        [str(index), str(label), str(answer), "equal"]
        for index, (label, answer) in enumerate(zip((7, 2), answers, strict=True))
    ]


def test_other_logits_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = digits()
    write_checkpoint(tmp_path / "digits.safetensors", network)
    monkeypatch.setattr(SimulatedBoard, "run", lambda *_: np.zeros((1, 10), np.int32))
    arguments = ["infer", "ulx3s-12f", str(tmp_path / "digits.safetensors"), "--fold", "8x4x4", "--port", "sim"]
    result = CliRunner().invoke(app, [*arguments, "--images", "2"])
    assert isinstance(result.exception, TritweaveError)
    assert "2 of 2 images have other logits than the model" in str(result.exception)
