"""Pictures of benches: one of each kind is drawn; what cannot be drawn is named and nothing is written."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gen.bench.plot import PEERS, plot_benches, read_figures
from golden.errors import TritweaveError
from tritweave import app

ARRAY: dict[str, Any] = {
    "component": "array",
    "device": "ecp5-45f",
    "array": "ecp5",
    "packing": "2b",
    "macs": 256,
    "lut_per_mac": 13.57,
    "fmax_mhz": 240.8,
}
ENGINE = ARRAY | {
    "component": "engine",
    "packing": "3t5b",
    "model": "mnist",
    "fold": "16x16x8",
    "weight_memory_bits": 430,
    "utilisation": 0.8,
}
PNG = b"\x89PNG\r\n\x1a\n"


def plot(folder: Path, *files: str | dict[str, Any]) -> Result:
    paths = []
    for index, content in enumerate(files):
        paths.append(folder / f"{index}.json")
        paths[-1].write_text(content if isinstance(content, str) else json.dumps(content))
    return CliRunner().invoke(app, ["bench", "plot", *map(str, paths), "-o", str(folder / "out")])


@pytest.mark.parametrize(
    ("results", "pictures"),
    [
        ([ARRAY], {"area.png"}),
        ([ENGINE], {"area.png", "roofline.png"}),
        ([ARRAY, ENGINE], {"area.png", "roofline.png"}),
    ],
)
def test_pictures_are_drawn_of_what_is_there(results: list[dict[str, Any]], pictures: set[str], tmp_path: Path) -> None:
    result = plot(tmp_path, *results)
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == pictures
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes().startswith(PNG)
    assert "LUT4 per MAC" in result.output


def test_the_picture_shows_the_figures(tmp_path: Path) -> None:
    drawn = set()
    for index, change in enumerate(({}, {"fmax_mhz": 120.0}, {"lut_per_mac": 30.0}, {"packing": "5t8b"})):
        (area,) = plot_benches([ARRAY | change], tmp_path / str(index))
        drawn.add(area.read_bytes())
    assert len(drawn) == 4


def test_peers_are_ranges() -> None:
    for luts, speeds in PEERS:
        assert luts[0] <= luts[1]
        assert speeds[0] <= speeds[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"1\.json cannot be read as JSON: Expecting property name"),
        ("[1]", r"1\.json does not hold the figures of a bench, but a list"),
        (
            {key: value for key, value in ARRAY.items() if key != "macs"},
            r"1\.json has macs = None where a whole number belongs",
        ),
        (ARRAY | {"fmax_mhz": "fast"}, r"1\.json has fmax_mhz = 'fast' where a number belongs"),
        (ARRAY | {"lut_per_mac": 0}, r"1\.json has lut_per_mac = 0; it must be above 0"),
        (ARRAY | {"fmax_mhz": float("nan")}, r"1\.json has fmax_mhz = nan; it must be above 0"),
        (ARRAY | {"packing": "1b"}, r"1\.json has packing '1b'; it is one of 2b, 3t5b, 5t8b"),
        (ENGINE | {"utilisation": None}, r"1\.json has utilisation = None where a number belongs"),
    ],
)
def test_what_cannot_be_drawn_is_named_and_nothing_is_written(
    content: str | dict[str, Any], message: str, tmp_path: Path
) -> None:
    result = plot(tmp_path, ARRAY, content)
    assert isinstance(result.exception, TritweaveError)
    with pytest.raises(TritweaveError, match=message):
        raise result.exception
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TritweaveError, match=r"none\.json cannot be read"):
        read_figures(tmp_path / "none.json")


def test_missing_matplotlib_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = plot(tmp_path, ARRAY)
    assert isinstance(result.exception, TritweaveError)
    assert str(result.exception).endswith("install it with: pip install 'tritweave[bench]'")
    assert not (tmp_path / "out").exists()
