"""Small whole engines, built; exact relations between the figures, and nothing of the engine optimised away."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gen.bench.engine import FlatEngine, bench_engine
from gen.bench.measure import steps
from gen.plan.devices import DEVICES, FAMILIES
from gen.plan.plan import Fold, Plan, plan_network
from gen.tools import PARTS
from gen.verilog import generate
from golden.errors import TritweaveError
from golden.files.checkpoint import write_checkpoint
from golden.formats import LOAD_WIDTH
from golden.network import Layer, Network
from tritweave import app


def network() -> Network:
    random = np.random.default_rng(3)
    shapes = ((40, 96), (10, 40))
    return Network("tiny", tuple(Layer(random.integers(-1, 2, shape).astype(np.int8), 1.0, True) for shape in shapes))


def plan(part: str, *, array: str = "portable", writable: bool = False) -> Plan:
    chosen = plan_network(network(), Fold(4, 4, 2), packing="5t8b", array=array, writable=writable)
    return replace(chosen, family=PARTS[part].family)


@pytest.mark.parametrize(
    ("part", "array", "load"),
    [("ecp5-25f", "ecp5", False), ("ice40-hx8k", "portable", False), ("ice40-up5k", "portable", True)],
)
def test_a_whole_engine_is_built_and_its_figures_agree(part: str, array: str, load: bool) -> None:
    chosen = plan(part, array=array, writable=load)
    calls: list[int] = []
    result = bench_engine(PARTS[part], chosen, mhz=20, seeds=2, progress=calls.append)
    assert calls == [1] * steps(2)
    figures = json.loads(json.dumps(result.figures()))
    assert (figures["component"], figures["device"], figures["array"]) == ("engine", part, array)
    assert figures["macs"] == 16
    assert figures["lut_per_mac"] == figures["luts"] / 16
    assert figures["weight_memory_bits"] == 4 * 8
    assert figures["load_port"] == load
    assert figures["multipliers"] == 0
    # Nothing is optimised away: the weights are in block RAM, and the logic is about what the plan says.
    weights = FAMILIES[chosen.family].needed(chosen.config.weight_words, 4 * 8)
    assert weights <= figures["block_rams"] <= 3 * weights
    assert figures["luts"] == pytest.approx(chosen.area.lut4, rel=0.25)
    assert figures["fmax_mhz"] == median(figures["fmax_mhz_seeds"])
    assert figures["slowest_path"].startswith("core.core.engine.")
    assert float(figures["slowest_path"].split()[-2]) == pytest.approx(1000 / figures["fmax_mhz_seeds"][0], abs=0.06)
    assert figures["gmac_per_s"] == pytest.approx(16 * figures["fmax_mhz"] / 1000)
    assert figures["gmac_per_s_per_klut"] == pytest.approx(figures["gmac_per_s"] / figures["luts"] * 1000)
    assert (figures["target_mhz"], figures["timing_met"]) == (20, True)
    assert figures["utilisation"] == chosen.cycles.utilisation
    assert figures["images_per_s"] == pytest.approx(figures["fmax_mhz"] * 1e6 / chosen.cycles.period)
    assert 0 < figures["lut_share"] < 1
    assert 0 < figures["block_ram_share"] < 1


def test_the_clock_aimed_at_reaches_the_placer_and_can_be_missed() -> None:
    result = bench_engine(PARTS["ice40-hx8k"], plan("ice40-hx8k"), mhz=1000, seeds=1)
    assert not result.timing_met


@pytest.mark.parametrize(("room", "what"), [({"block_rams": 3}, "block RAMs"), ({"lut4": 300}, "LUT4")])
def test_a_device_that_is_too_small_is_named(room: dict[str, int], what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEVICES, "ice40-hx8k", DEVICES["ice40-hx8k"]._replace(**room))
    needs = rf"takes [\d,]+ {what} and ice40-hx8k has 3\d*; choose a smaller fold, a denser packing or a larger device"
    with pytest.raises(TritweaveError, match=needs):
        bench_engine(PARTS["ice40-hx8k"], plan("ice40-hx8k"), mhz=20, seeds=1)


@pytest.mark.parametrize("writable", [False, True])
def test_the_streams_and_the_load_port_are_all_there(writable: bool) -> None:
    chosen = plan("ice40-hx8k", writable=writable)
    lanes, load = chosen.config.lanes, (1 + LOAD_WIDTH + 24 + 1 + 2) * writable
    flat = FlatEngine(chosen.engine())
    assert len(flat.i) == 1 + lanes * 8 + 1 + load
    assert len(flat.o) == 1 + 1 + lanes * chosen.config.accumulator_width + 1 + writable
    assert f" [{len(flat.i) - 1}:0] i;" in generate(flat, "flat", {})


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", "engine", *arguments])


def test_the_command_prints_its_rule_and_writes_its_figures(tmp_path: Path) -> None:
    checkpoint, file = tmp_path / "tiny.safetensors", tmp_path / "figures.json"
    write_checkpoint(checkpoint, network())
    options = ("--family", "ice40", "--fold", "4x4x2", "--packing", "5t8b", "--mhz", "20", "--json", str(file))
    result = invoke(str(checkpoint), *options)
    assert result.exit_code == 0, result.output
    figures = json.loads(file.read_text())
    printed = " ".join(result.output.split())
    assert figures["rule"] in printed
    assert "20 MHz, met by the median" in printed
    assert f"{figures['images_per_s']:,.0f} at the median fmax" in printed
    assert (figures["device"], figures["load_port"]) == ("ice40-hx8k", False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnist", "--mhz", "0"), "mhz is 0; it must be an integer from 1 to 1000"),
        (("mnist", "--seeds", "0"), "seeds is 0; it must be an integer from 1 to 64"),
        (("nothing",), "there is no model 'nothing'"),
        (("mnist", "--family", "ice40", "--array", "ecp5"), "ecp5 cells; the device is of family ice40"),
    ],
)
def test_what_cannot_be_built_is_named(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        raise invoke(*arguments).exception or AssertionError("no error")
