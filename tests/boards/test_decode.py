"""Bitstreams decoded back to Verilog: with IceStorm where it is installed, and what is asked of it where it is not."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from boards import decode
from boards.catalogue import board_named
from boards.decode import DECODER, decoded_verilog
from boards.infer import infer
from boards.planning import plan_for
from gen.plan.plan import Fold, Plan
from gen.tools import find_tools
from golden.errors import TritweaveError
from support.link_plans import link_plan, link_vectors

BOARD = board_named("ice40-hx8k")


def small_plan() -> Plan:
    return plan_for(BOARD, link_plan().network, Fold(4, 4, 2), "2b")


@pytest.mark.skipif(shutil.which(DECODER) is None, reason=f"{DECODER} is not on PATH (it comes with IceStorm)")
def test_a_decoded_bitstream_answers_as_the_model() -> None:
    plan = small_plan()
    result = infer(BOARD, plan, link_vectors(plan, 5), "bitstream")
    assert result.equal.all()
    assert len(set(map(tuple, result.logits))) > 1


def test_the_decoder_is_given_the_bitstream_and_its_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bitstream = tmp_path / "placed-1" / "tritweave.bin"
    bitstream.parent.mkdir()
    bitstream.write_bytes(b"bits")
    program = "#!/bin/sh\n"
    for name, text in (
        ("icepack", 'test "$1" = -u && cp $2 $3'),
        (
            DECODER,
            'echo "// $@"; echo "// $(cat pins.pcf unpacked.asc)"; echo "module tritweave (input clk, output tx);"',
        ),
    ):
        (tmp_path / name).write_text(program + text)
        (tmp_path / name).chmod(0o755)
    made = SimpleNamespace(bitstream=bitstream, tools=find_tools("ice40"))
    monkeypatch.setattr(decode, "build_board", lambda *_: made)
    monkeypatch.setattr(decode, "find_packer", lambda *_: str(tmp_path / "icepack"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    decoded = decoded_verilog(BOARD, small_plan()).partition("// -s")[2].splitlines()
    assert decoded == [
        " -d ct256 -n tritweave -p pins.pcf unpacked.asc",
        "// set_io clk J3",
        "set_io rx B10",
        "set_io tx B12",
        "bits",
        "module tritweave (clk, tx);",
        "input clk;",
        "output tx;",
        "",
    ]


def test_no_decoder_is_an_error_that_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        TritweaveError, match="icebox_vlog is not on PATH; it comes with IceStorm, on Debian: apt-get inst"
    ):
        decoded_verilog(BOARD, small_plan())


def test_other_bitstreams_are_not_decoded() -> None:
    with pytest.raises(
        TritweaveError, match="bitstreams of ulx3s-12f cannot be decoded: icebox_vlog is used for ice40-h"
    ):
        decoded_verilog(board_named("ulx3s-12f"), small_plan())
