"""Verilog and constraints of a board, as files for others to build from."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from boards.pins import port_bits
from gen.verilog import listed_ports
from golden.files.checkpoint import write_checkpoint
from golden.network import Network
from support.link_plans import FOLD, link_plan
from tritweave import app

PLACED = {"pcf": r"^set_io .*?(\S+) \S+$", "lpf": r'^LOCATE COMP "(\S+)"'}


@pytest.mark.parametrize(("board", "suffix"), [("icebreaker", "pcf"), ("ulx3s-12f", "lpf")])
def test_a_boards_sources_are_written_and_every_port_has_its_pin(board: str, suffix: str, tmp_path: Path) -> None:
    network = link_plan().network
    assert isinstance(network, Network)
    write_checkpoint(tmp_path / "net.safetensors", network)
    out = tmp_path / "out"
    arguments = ["build", board, str(tmp_path / "net.safetensors"), "--fold", str(FOLD), "--verilog", "-o", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert {file.name for file in out.iterdir()} == {"tritweave.v", f"tritweave.{suffix}", "tritweave.image"}
    verilog, constraints = ((out / f"tritweave.{kind}").read_text() for kind in ("v", suffix))
    ports = [bit for port in listed_ports(verilog) for bit in port_bits(port.name, port.width)]
    assert re.findall(PLACED[suffix], constraints, re.MULTILINE) == ports
    assert {"clk", "rx", "tx"} <= set(ports)
    yosys, nextpnr = constraints.splitlines()[:2]
    assert yosys.startswith("# yosys -p 'read_verilog tritweave.v; synth_")
    assert nextpnr.endswith(
        f"--{suffix} tritweave.{suffix} {'--asc' if suffix == 'pcf' else '--textcfg'} tritweave.config"
    )
