import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from boards.catalogue import board_named
from boards.planning import misfits, plan_for
from gen.plan.plan import Fold
from gen.plan.presets import load_network
from golden.errors import TritweaveError
from golden.files.checkpoint import write_checkpoint
from golden.files.image import MemoryImage
from golden.formats import OFFSET_BINARY
from golden.network import Layer, Network
from tritweave import app, main

BENCHES = ("bench array", "bench decoder", "bench engine", "bench plot")
COMMANDS = (
    *("plan", "generate", "simulate", "train", "import", "inspect", "estimate", "quantise", "compare"),
    *("evaluate", "talk", *BENCHES),
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    random = np.random.default_rng(8)
    layers = tuple(Layer(random.integers(-1, 2, shape).astype(np.int8), 1.0, True) for shape in ((9, 784), (10, 9)))
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    write_checkpoint(path, Network("tiny", layers))
    return str(path)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    *group, name = command.split()
    assert name in invoke(*group, "--help").output
    result = invoke(*group, name, "--help")
    assert result.exit_code == 0
    assert "--json" in result.output


def test_plan_prints_and_writes_its_figures(checkpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    result = invoke("plan", checkpoint, "--fold", "4x8x2", "--json", str(file))
    assert result.exit_code == 0
    figures = json.loads(file.read_text())
    assert figures["fold"] == "4x8x2"
    assert figures["cycles_array"] == 3 * 98 + 3 * 2
    assert f"{figures['cycles_period']:,.10g} in steady state" in result.output


def test_plan_chooses_a_faster_fold_for_a_larger_device(checkpoint: str, tmp_path: Path) -> None:
    periods = []
    for device in ("ice40-hx8k", "ecp5-85f"):
        assert invoke("plan", checkpoint, "--device", device, "--json", str(tmp_path / device)).exit_code == 0
        periods.append(json.loads((tmp_path / device).read_text())["cycles_period"])
    assert periods[0] > periods[1]


def test_the_version_is_printed() -> None:
    assert invoke("--version").output.startswith("tritweave ")


def test_a_board_s_engine_is_planned_as_it_is_built(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    assert invoke("plan", "mnist-small", "--board", "icebreaker", "--json", str(file)).exit_code == 0
    figures, board = json.loads(file.read_text()), board_named("icebreaker")
    assert (figures["fold"], figures["packing"], figures["array"]) == (str(board.fold), board.packing, board.array)


def test_what_fits_a_device_fits_its_board(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    assert invoke("plan", "mnist-small", "--device", "ice40-hx8k", "--json", str(file)).exit_code == 0
    fold, board = Fold.parse(json.loads(file.read_text())["fold"]), board_named("ice40-hx8k")
    assert misfits(board, plan_for(board, load_network("mnist-small")[0], fold)) == []


def test_logits_of_one_s_own_vectors_are_written(tmp_path: Path) -> None:
    draws = np.random.default_rng(11)
    weights = draws.integers(-1, 2, (3, 6)).astype(np.int8)
    network = Network("own", (Layer(weights, 1.0, False),), "int8", 0.5)
    write_checkpoint(tmp_path / "own.safetensors", network)
    vectors, labels = draws.integers(-100, 101, (5, 6)), np.arange(5) % 3
    np.savez(tmp_path / "own.npz", x=vectors / 2, y=labels)
    files = ["--vectors", str(tmp_path / "own.npz"), "-o", str(tmp_path / "logits.npy")]
    result = invoke("simulate", str(tmp_path / "own.safetensors"), "--fold", "2x2x1", *files)
    assert result.exit_code == 0, result.output
    expected = network.forward(vectors.astype(np.int8)).logits
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), expected)
    assert f"{np.mean(expected.argmax(axis=1) == labels):.2%}" in result.output


def test_generate_leaves_verilog_image_and_waivers(checkpoint: str, tmp_path: Path) -> None:
    result = invoke("generate", checkpoint, "--fold", "2x4x2", "-o", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"tritweave.v", "tritweave.image", "tritweave.vlt"}
    image = MemoryImage.from_bytes((tmp_path / "out" / "tritweave.image").read_bytes())
    assert (image.geometry.rows, image.geometry.columns, image.geometry.lanes) == (2, 4, 2)


def test_generate_names_the_modules_and_writes_a_testbench(checkpoint: str, tmp_path: Path) -> None:
    arguments = ["generate", checkpoint, "--fold", "2x4x2", "-o", str(tmp_path), "--empty", "--testbench"]
    assert invoke(*arguments, "--name", "digits").exit_code == 0
    expected = {f"digits{end}" for end in (".v", ".image", ".vlt", "_tb.v")}
    expected |= {f"digits_{words}.hex" for words in ("inputs", "results", "image")}
    assert {path.name for path in tmp_path.iterdir()} >= expected
    assert "module digits(" in (tmp_path / "digits.v").read_text()
    result = invoke(*arguments, "--name", "9x")
    assert isinstance(result.exception, TritweaveError)
    assert str(result.exception).startswith("the module's name is '9x'; it must be a letter")


def test_the_array_is_chosen_by_its_name(checkpoint: str, tmp_path: Path) -> None:
    assert invoke("generate", checkpoint, "--fold", "2x4x2", "--array", "ecp5", "-o", str(tmp_path)).exit_code == 0
    assert "CCU2C" in (tmp_path / "tritweave.v").read_text()
    assert MemoryImage.from_bytes((tmp_path / "tritweave.image").read_bytes()).geometry.correction is OFFSET_BINARY
    result = invoke("plan", checkpoint, "--fold", "2x4x2", "--array", "ecp5", "--json", str(tmp_path / "plan.json"))
    assert result.exit_code == 0
    assert json.loads((tmp_path / "plan.json").read_text())["array"] == "ecp5"


def test_simulate_compares_and_writes_its_figures(checkpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    result = invoke("simulate", checkpoint, "--fold", "4x8x2", "--images", "20", "--json", str(file))
    assert result.exit_code == 0, result.output
    figures = json.loads(file.read_text())
    assert figures["images"] == figures["logits_equal"] == 20
    assert figures["cycles_predicted"] == figures["cycles_simulated"]
    assert 0 <= figures["accuracy"] <= 1
    assert 0 < figures["utilisation"] < 1


def test_imported_layers_can_be_inspected_and_planned(tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    tensors = {f"fc.{index}.weight": random.normal(size=shape) for index, shape in enumerate(((9, 20), (4, 9)))}
    save_file(tensors, tmp_path / "mlp.safetensors")
    network, file = str(tmp_path / "net.safetensors"), str(tmp_path / "figures.json")
    source = str(tmp_path / "mlp.safetensors")
    result = invoke("import", source, "-o", network, "--layers", "fc*", "--input-type", "int8", "--json", file)
    assert result.exit_code == 0, result.output
    figures = json.loads(Path(file).read_text())
    assert (figures["layers"], sum(figures["trits"].values()), figures["obstacle"]) == (2, 216, None)
    result = invoke("inspect", network, "--json", file)
    assert result.exit_code == 0, result.output
    listed = {tensor["name"]: tensor for tensor in json.loads(Path(file).read_text())["tensors"]}
    assert listed["fc.0.trits"]["shape"] == [9, 5]
    assert sum(listed["fc.0.trits"]["shares"].values()) == 180
    assert listed["fc.0.scale"]["shares"] is None
    result = invoke("plan", network, "--fold", "4x8x2", "--json", file)
    assert result.exit_code == 0, result.output
    assert json.loads(Path(file).read_text())["cycles_array"] == 3 * 3 + 1 * 2


def test_estimates_are_printed_and_written_beside_the_paper_s_figures(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    result = invoke("estimate", "bitnet-700m", "--device", "ecp5-25f", "--json", str(file))
    assert result.exit_code == 0, result.output
    figures = json.loads(file.read_text())
    assert [scheme["scheme"] for scheme in figures["schemes"]][:2] == ["fp16", "b1.58"]
    assert figures["published"][0]["published"] == 2.08
    assert (figures["device"], figures["mhz"]) == ("ecp5-25f", 100)
    assert invoke("estimate", "bitnet-700m", "--board", "icebreaker", "--json", str(file)).exit_code == 0
    figures = json.loads(file.read_text())
    assert (figures["device"], figures["mhz"]) == ("ice40-up5k", board_named("icebreaker").clock_hz / 1e6)
    assert invoke("estimate", "bitnet-7b", "--fold", "8x8x2", "--mhz", "50", "--json", str(file)).exit_code == 0
    figures = json.loads(file.read_text())
    assert (figures["published"], figures["fold"], figures["mhz"]) == ([], "8x8x2", 50)


def test_quantised_layers_are_written_and_run(tmp_path: Path) -> None:
    random = np.random.default_rng(10)
    tensors = {f"fc.{index}.weight": random.normal(size=shape) for index, shape in enumerate(((9, 784), (10, 9)))}
    save_file(tensors, tmp_path / "mlp.safetensors")
    source, output, file = (str(tmp_path / name) for name in ("mlp.safetensors", "out.safetensors", "figures.json"))
    result = invoke("quantise", "billm", source, "-o", output, "--images", "20", "--json", file)
    assert result.exit_code == 0, result.output
    figures = json.loads(Path(file).read_text())
    assert [(layer["name"], layer["planes"], layer["segments"]) for layer in figures["layers"]] == [
        ("fc.0", 6, 7),
        ("fc.1", 6, 1),
    ]
    assert figures["accuracy"]["images"] == 20
    assert invoke("quantise", "bwn", source, "-o", output, "--layers", "fc.1", "--json", file).exit_code == 0
    assert [layer["name"] for layer in json.loads(Path(file).read_text())["layers"]] == ["fc.1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "nothing"), "no model 'nothing'"),
        (("plan", "MODEL", "--fold", "4x4"), "ROWSxCOLUMNSxLANES"),
        (("plan", "MODEL", "--fold", "6x4x3"), "columns is 4; it must be a multiple of lanes, which is 3"),
        (("plan", "MODEL", "--fold", "0x4x1"), "rows is 0; it must be an integer from 1 to 1024"),
        (("plan", "MODEL", "--packing", "7b"), "packing is '7b'; it is one of 2b, 3t5b, 5t8b"),
        (("plan", "MODEL", "--device", "ice41"), "device 'ice41' is not known"),
        (("plan", "MODEL", "--device", "ice40-hx8k", "--array", "ecp5"), "ecp5 cells; the device is of family ice40"),
        (("bench", "array", "--family", "ice40", "--array", "ecp5"), "ecp5 cells; the device is of family ice40"),
        (("plan", "MODEL", "--device", "ecp5-85f", "--fold", "4x4x1"), "one of them decides"),
        (
            ("generate", "MODEL", "--fold", "2000x4x1", "-o", "OUT"),
            "rows is 2000; it must be an integer from 1 to 1024",
        ),
        (("plan", "MODEL", "--board", "icebreaker", "--array", "ecp5"), "--board icebreaker decides"),
        (("plan", "mnist", "--device", "ice40-up5k"), "with --spram its weights can lie in SPRAM"),
        (("build", "MODEL", "icebreaker"), "the board comes first: icebreaker"),
        (("build", "ice40-hx8k", "mnist"), "130 block RAMs of 32; no fold and no packing fits"),
        (("build", "icebreaker", "mnist-small", "--fold", "32x32x1"), "--fold .* --packing 5t8b fits"),
        (("quantise", "MODEL", "bwn", "-o", "OUT"), "the scheme comes first: bwn"),
        (("infer", "icebreaker", "OTHER", "--port", "sim"), "takes 20; give --vectors FILE"),
        (("simulate", "MODEL", "--waves", "MODEL/x.vcd"), "cannot write .*x.vcd: Not a directory"),
        (("generate", "MODEL", "--fold", "2x4x2", "-o", "MODEL"), "cannot write .*tritweave.v: Not a directory"),
        (("simulate", "MODEL", "--images", "10001"), "10001 vectors are asked for.*holds 10000"),
        (("simulate", "MODEL", "--vectors", "MODEL"), "starts with 00 00 08"),
        (("train", "cifar", "--data", "."), "cifar"),
        (("train", "mnist", "--data", ".", "--scheme", "atom"), "--scheme atom with mnist cannot be trained; networks"),
        (("train", "mnist", "--data", ".", "--scheme", "bwn", "--float"), "bwn with --float cannot be trained"),
        (("import", "nothing", "-o", "OUT"), "cannot read nothing: No such file"),
        (("import", "MODEL", "-o", "OUT", "--layers", "x*"), "no layer of .* matches"),
        (("import", "MODEL", "-o", "OUT", "--name", "a b"), "the network's name is 'a b'"),
        (("import", "MODEL", "-o", "OUT", "--scale", "add"), "the scale is to 'add'"),
        (("quantise", "int3", "MODEL", "-o", "OUT"), "scheme 'int3' is not known; the schemes are b1.58"),
        (("quantise", "bwn", "nothing", "-o", "OUT"), "cannot read nothing: No such file"),
        (("quantise", "bwn", "MODEL", "-o", "OUT"), "layers.0.weight has type I8; floats are F16, BF16, F32, F64"),
        (("quantise", "bwn", "MODEL", "-o", "OUT", "--layers", "x"), "no layer of .* matches x"),
        (("quantise", "bwn", "MODEL", "-o", "OUT", "--images", "20000"), "20000 vectors are asked for"),
        (("estimate", "bitnet-4b"), "there is no model 'bitnet-4b'"),
        (("estimate", "bitnet-3b", "--device", "ice41"), "device 'ice41' is not known"),
        (("estimate", "bitnet-3b", "--board", "ulx4s"), "board 'ulx4s' is not known"),
        (("estimate", "bitnet-3b", "--board", "ulx3s-12f", "--device", "ecp5-25f"), "one of them says what it runs on"),
        (("estimate", "bitnet-3b", "--fold", "8x8"), "ROWSxCOLUMNSxLANES"),
        (("inspect", "nothing"), "cannot read nothing: No such file"),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_is_written(
    arguments: tuple[str, ...], message: str, checkpoint: str, tmp_path: Path
) -> None:
    other = Path(checkpoint).with_name("other.safetensors")
    write_checkpoint(other, Network("other", (Layer(np.ones((3, 20), np.int8), 1.0, False),)))
    places = {"MODEL": checkpoint, "OTHER": str(other), "OUT": str(tmp_path / "out")}
    replaced = [places.get(word, word.replace("MODEL/", f"{checkpoint}/")) for word in arguments]
    result = invoke(*replaced, "--json", str(tmp_path / "figures.json"))
    assert isinstance(result.exception, TritweaveError)
    with pytest.raises(TritweaveError, match=message):
        raise result.exception
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_one_line_and_status_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tritweave", "plan", "nothing"])
    with pytest.raises(SystemExit, match="1"):
        main()
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
