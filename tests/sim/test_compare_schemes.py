"""Schemes from float weights to Verilator, on a small network and through the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from boards.catalogue import BOARDS
from boards.planning import plan_for
from gen.plan.plan import Fold, plan_network
from gen.plan.presets import load_network
from golden.errors import TritweaveError
from golden.schemes.network import SegmentedNetwork, integer_network
from golden.schemes.quantisers import quantise
from rtl.link.config import LinkConfig
from sim import schemes
from sim.batch import run_batch
from support.networks import normed_network, random_vectors
from tritweave import app


@pytest.fixture
def source(tmp_path: Path) -> Path:
    draws = np.random.default_rng(2)
    shapes = ((12, 784), (10, 12))
    save_file(
        {f"layers.{index}.weight": draws.normal(size=s).astype(np.float32) for index, s in enumerate(shapes)},
        tmp_path / "floats.safetensors",
    )
    return tmp_path / "floats.safetensors"


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception:
        raise result.exception
    return result.output


def test_every_scheme_is_simulated_and_synthesised(source: Path, tmp_path: Path) -> None:
    json_file, plot = tmp_path / "figures.json", tmp_path / "plot.png"
    options = [
        "--images",
        50,
        "--simulate",
        3,
        "--fold",
        "4x4x2",
        "--packing",
        "2b",
        "--json",
        json_file,
        "--plot",
        plot,
    ]
    trained = tmp_path / "trained.safetensors"
    invoke("quantise", "bitnet", source, "-o", trained)
    output = invoke("compare", source, "--scheme", "atom", "--scheme", "b1.58", "--trained", trained, *options)
    *found, learnt = json.loads(json_file.read_text())["schemes"]
    assert [row["scheme"] for row in found] == ["atom", "b1.58"]
    assert (learnt["scheme"], learnt["trained"], learnt["bits"]) == ("bitnet", True, 2)
    assert "bitnet, trained" in output
    for row in found:
        assert row["simulated"]["logits_equal"] == row["simulated"]["times_equal"] == row["simulated"]["images"] == 3
        assert row["images"] == 50
        assert row["scheme"] in output
    atom, plain = found
    assert (atom["multipliers"] > 0, plain["multipliers"]) == (True, 0)
    assert plain["bits"] == 2
    # Three planes, or six for the outliers, and a scale of 16 bits for each part.
    trits = 12 * (686 * 3 + 98 * 6) + 10 * (11 * 3 + 1 * 6)
    mantissas = 12 * (6 * 3 + 6) + 10 * (3 + 6)
    assert atom["bits"] == pytest.approx((2 * trits + 16 * mantissas) / (12 * 784 + 10 * 12))
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_scheme_file_is_a_model(source: Path, tmp_path: Path) -> None:
    invoke("quantise", "group64", source, "-o", tmp_path / "group.safetensors")
    network, preset = load_network(str(tmp_path / "group.safetensors"))
    assert isinstance(network, SegmentedNetwork)
    assert network.name == "group64"
    assert preset.fold == Fold(16, 16, 8)
    output = invoke("simulate", tmp_path / "group.safetensors", "--images", 2, "--fold", "4x4x2")
    assert "2 of 2 images" in output
    with pytest.raises(TritweaveError, match="boards run networks of one scale a layer, and group64 has more"):
        invoke("build", "ulx3s-25f", tmp_path / "group.safetensors", "--fold", "4x4x2")


def test_an_image_with_norms_can_be_loaded() -> None:
    network = normed_network((13, 9, 5), 4)
    plan = plan_network(network, Fold(4, 4, 2), packing="3t5b")
    vectors = random_vectors(network, 5)
    run = run_batch(plan, vectors, loaded=True)
    np.testing.assert_array_equal(run.logits, network.forward(vectors).logits)
    with pytest.raises(TritweaveError, match="boards run networks without norms, and network-4 has some"):
        plan_for(BOARDS["ulx3s-25f"], network)
    with pytest.raises(TritweaveError, match="link: the engine has norms; a host link serves engines without"):
        LinkConfig(plan.config)


def test_an_image_with_scales_can_be_loaded() -> None:
    draws = np.random.default_rng(7)
    network = integer_network("net", [quantise("atom", draws.normal(size=size)) for size in ((9, 30), (5, 9))])
    plan = plan_network(network, Fold(4, 4, 2), packing="3t5b")
    vectors = plan.network.prepare(draws.integers(0, 256, (4, 30)).astype(np.uint8))
    run = run_batch(plan, vectors, loaded=True)
    np.testing.assert_array_equal(run.logits, plan.network.forward(vectors).logits)


def test_a_simulation_that_differs_is_an_error(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemes.Comparison, "exact", False)
    options = ["--images", 5, "--simulate", 1, "--fold", "2x2x1", "--packing", "2b"]
    with pytest.raises(TritweaveError, match=r"the simulation is not what the model and the plan say with b1\.58"):
        invoke("compare", source, "--scheme", "b1.58", *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheme", "b1"], "scheme 'b1' is not known; the schemes are b1.58"),
        (["--images", 10, "--simulate", 11], "--simulate is 11; at most the 10 of --images can be simulated"),
        (["--images", 10_001], "10001 vectors are asked for; .* holds 10000"),
        (["--layers", "layers.1"], "takes 12; give --vectors FILE"),
        (
            ["--images", 2, "--trained", "mnist-none"],
            "there is no model 'mnist-none'; it is one of mnist, mnist-small, ",
        ),
        (["--images", 2, "--simulate", 1, "--fold", "4x4"], "the fold is '4x4'"),
    ],
)
def test_what_cannot_be_compared_is_refused(options: list[object], message: str, source: Path) -> None:
    with pytest.raises(TritweaveError, match=message):
        invoke("compare", source, *options)
