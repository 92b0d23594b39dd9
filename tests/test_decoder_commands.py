"""The commands with a small language model in a folder."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from boards import voices
from boards.catalogue import board_named
from boards.language_build import LanguageBuild, LanguageOptions, plan_for_options
from gen.language.models import load_speaker
from gen.plan.plan import Fold
from gen.tools import Tools
from gen.transformer.cycles import DecoderCycles
from gen.transformer.plan import plan_decoder
from gen.verilog import listed_ports
from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from support.icarus import MODES, icarus, run_icarus
from support.language_models import speaking_folder
from tritweave import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(speaking_folder(tmp_path_factory.mktemp("models") / "tiny"))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def figures_of(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """What a command writes, and what it prints."""
    result = invoke(*arguments, "--json", str(tmp_path / "figures.json"))
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads((tmp_path / "figures.json").read_text()), result.output


def test_a_plan_says_what_a_token_takes_and_where_memory_goes(folder: str, tmp_path: Path) -> None:
    figures, text = figures_of(tmp_path, "plan", folder, "--fold", "4x4x2", "--context", "12")
    plan = plan_decoder(load_speaker(folder).model, Fold(4, 4, 2), context=12)
    cycles = DecoderCycles(plan.config)
    for name, position in (("first", 0), ("middle", 6), ("last", 11)):
        assert figures[f"cycles_{name}"] == cycles.token(position).total
        assert f"{figures[f'cycles_{name}']:,} cycles" in text
    total = sum(cycles.token(position).total for position in range(12))
    assert figures["tokens_per_s"] == pytest.approx(1e6 * figures["clock_mhz"] * 12 / total)
    assert figures["memories"]["weights"]["bits"] == len(plan.image["weights"]) * 4 * 8
    assert figures["estimate"]["block_rams"] == sum(use["block_rams"] for use in figures["memories"].values())


def test_a_board_gets_the_fastest_decoder_that_fits(folder: str, tmp_path: Path) -> None:
    board = board_named("ulx3s-25f")
    figures, text = figures_of(tmp_path, "plan", folder, "--board", board.name)
    slower, _ = figures_of(tmp_path, "plan", folder, "--board", board.name, "--fold", "4x4x1")
    assert (figures["array"], figures["clock_mhz"]) == ("exact-ecp5", board.clock_hz / 1e6)
    assert figures["cycles_middle"] < slower["cycles_middle"]
    assert board.device.name in text


TESTBENCH = """
module bench;
  reg clk = 0, rst = 1, token_valid = 0;
  wire token_ready, choice_valid, logits_valid, idle;
  wire [4:0] choice_data;
  wire [{width}:0] logits_data;
  tiny decoder(.clk(clk), .rst(rst), .token_valid(token_valid), .token_ready(token_ready), .idle(idle),
    .choice_valid(choice_valid), .choice_data(choice_data), .logits_valid(logits_valid), .logits_data(logits_data),
    .choice_ready(1'b1), {others});
  always #1 clk = ~clk;
  always @(posedge clk) begin
    if (token_valid & token_ready) token_valid <= 0;
    if (^{{token_ready, choice_valid, logits_valid, idle}} === 1'bx) $display("unknown at %0d", $time);
    if (logits_valid) $display("%b", logits_data);
    if (choice_valid) begin $display("choice %0d", choice_data); $finish; end
  end
  initial begin repeat (3) @(posedge clk); rst <= 0; token_valid <= 1; #20000 $finish; end
endmodule
"""


@icarus
def test_a_decoder_s_verilog_computes_a_token_in_a_four_state_simulator(folder: str, tmp_path: Path) -> None:
    figures, _ = figures_of(tmp_path, "generate", folder, "--fold", "4x4x2", "-o", str(tmp_path), "--name", "tiny")
    assert [Path(file).name for file in figures["files"]] == ["tiny.v", "tiny.vlt"]
    ports = {port.name: port for port in listed_ports((tmp_path / "tiny.v").read_text())}
    tied = {name: 0 for name, port in ports.items() if port.direction == "input" and f".{name}(" not in TESTBENCH}
    tied |= {"token_first": 1, "token_sample": 1}
    others = ", ".join(f".{name}({ports[name].width}'d{value})" for name, value in tied.items())
    bench = TESTBENCH.format(width=ports["logits_data"].width - 1, others=others)
    (tmp_path / "bench.v").write_text(bench)
    model = load_speaker(folder).model
    decoder = Decoder(model)
    expected = decoder.forward(np.array([[0]]), decoder.start()).values.reshape(-1).tolist()
    for mode in MODES:
        *words, choice = run_icarus(tmp_path, ["bench.v", "tiny.v"], ["bench"], mode).splitlines()
        bits = len(words[0]) // 2
        logits = [int(word[at : at + bits], 2) for word in words for at in (bits, 0)]
        assert [value - (value >> bits - 1 << bits) for value in logits] == expected, mode
        assert choice == f"choice {np.argmax(expected)}", mode


def test_a_board_talks_over_its_line_as_the_model_does(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same FPGA before synthesis, which takes minutes.
    monkeypatch.setattr(voices, "synthesised", lambda _, verilog: verilog)
    arguments = ("talk", folder, "--prompt", "ab", "--temperature", "1", "--tokens", "6")
    for seed in ("3", "4"):
        expected, text = figures_of(tmp_path, *arguments, "--seed", seed)
        options = ("--port", "netlist", "--board", "ulx3s-25f", "--fold", "4x4x1")
        found, told = figures_of(tmp_path, *arguments, "--seed", seed, *options)
        assert (found["token_numbers"], found["reason"]) == (expected["token_numbers"], expected["reason"])
        assert told.splitlines()[0] == text.splitlines()[0]
        choices = len(expected["token_numbers"]) + (expected["reason"] == "end token")
        assert found["tokens_equal"] == found["logits_equal"] == choices
        assert found["tokens_per_s"] > 0


def test_a_board_s_verilog_has_the_link_or_tells_stories(folder: str, tmp_path: Path) -> None:
    speaker, board = load_speaker(folder), board_named("ulx3s-25f")
    for demo, ports in (([], {"clk", "rx", "tx"}), (["--demo"], {"clk", "rx", "tx", "display"})):
        files = ["-o", str(tmp_path / "out"), "--fold", "4x4x1", *demo]
        assert invoke("build", board.name, folder, "--verilog", *files).exit_code == 0
        verilog = (tmp_path / "out" / "tritweave.v").read_text()
        assert {port.name for port in listed_ports(verilog)} == ports
        assert 'LOCATE COMP "tx" SITE' in (tmp_path / "out" / "tritweave.lpf").read_text()
    options = LanguageOptions(Fold(4, 4, 1), "2b", 9, demo=True)
    plan = plan_for_options(board, speaker, options)
    assert (plan.config.packing, plan.config.shape.context, plan.config.array) == ("2b", 9, "exact-ecp5")
    placed = {"utilization": {"DP16KD": {"used": 3, "available": 56}}, "fmax": {"clk": {"achieved": 61.5}}}
    (tmp_path / "tritweave.bit").write_bytes(b"bits")
    tools = Tools("yosys", "nextpnr", {"yosys": "0"})
    made = LanguageBuild(board, 4, tools, tmp_path / "tritweave.bit", placed, plan, demo=True)
    made.write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"tritweave.bit", "report.json"}
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["fmax_mhz"], report["timing_met"], report["seed"]) == (61.5, True, 4)
    assert (report["fold"], report["context"], report["demo"]) == ("4x4x1", 9, True)
    assert report["cycles_last"] == plan.cycles.token(8).total
    assert report["tokens_per_s_last"] == board.clock_hz / report["cycles_last"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "MODEL", "--array", "ecp5"), "is a language model; leave out --array"),
        (("plan", "mnist", "--context", "4"), "mnist is no language model; leave out --context"),
        (("generate", "MODEL", "--empty", "--testbench", "-o", "OUT"), "leave out --empty, --testbench"),
        (("plan", "MODEL", "--context", "17"), "the context is 17 tokens; tiny knows 1 to 16"),
        (("plan", "MODEL", "--fold", "4x4x4"), "half a head is 2; it must be a multiple of lanes"),
        (("plan", "MODEL", "--fold", "4x4x1", "--device", "ecp5-25f"), "one of them decides the fold"),
        (("plan", "MODEL", "--board", "ulx3s-25f", "--device", "ecp5-25f"), "decides --device"),
        (("plan", "MODEL", "--board", "ulx3s-25f", "--fold", "64x64x2"), "does not fit ulx3s-25f at 64x64x2"),
        (("build", "ulx3s-25f", "MODEL", "--fold", "64x64x2"), "does not fit ulx3s-25f at 64x64x2"),
        (("build", "ulx3s-25f", "mnist-small", "--context", "4"), "leave out --context"),
        (("plan", "stories", "--board", "ulx3s-12f"), r"block RAMs of 32; .*ulx3s-85f would do"),
    ],
)
def test_what_cannot_be_is_one_clear_error(
    arguments: tuple[str, ...], message: str, folder: str, tmp_path: Path
) -> None:
    places = {"MODEL": folder, "OUT": str(tmp_path)}
    result = invoke(*(places.get(argument, argument) for argument in arguments))
    assert isinstance(result.exception, TritweaveError), result.output
    assert re.search(message, str(result.exception)), result.exception
