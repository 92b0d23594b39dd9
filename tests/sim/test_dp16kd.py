"""The model of ECP5's block RAM, held to memories that Yosys maps onto it and to what its vendor documents."""

import re
import subprocess
from pathlib import Path

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from boards.netlist import cell_library
from gen.tools import PARTS, find_tools
from gen.verilog import generate
from sim.cells import cell_models
from sim.toolchain import environment, verilator_root

# Width of a word, bits that are written together; each is mapped to ports of that width.
SHAPES = ((4, 4), (9, 9), (18, 9), (36, 9))


class Memories(wiring.Component):
    """Block RAMs of several widths, which share their inputs."""

    address: Signal
    write_address: Signal
    enable: Signal
    write: Signal
    data: Signal
    o: Signal

    def __init__(self) -> None:
        inputs = {"address": In(12), "write_address": In(12), "enable": In(1), "write": In(4), "data": In(36)}
        super().__init__({**inputs, "o": Out(sum(width for width, _ in SHAPES))})

    def elaborate(self, platform) -> Module:
        m = Module()
        random = np.random.default_rng(4)
        place = 0
        for width, together in SHAPES:
            depth = (16384 if width < 9 else 18432) // width
            init = [int(word) for word in random.integers(0, 1 << width, depth)]
            m.submodules[f"memory_{width}"] = memory = Memory(shape=width, depth=depth, init=init)
            read, write = memory.read_port(), memory.write_port(granularity=together)
            m.d.comb += [
                read.addr.eq(self.address),
                read.en.eq(self.enable),
                self.o[place : place + width].eq(read.data),
                write.addr.eq(self.write_address),
                write.data.eq(self.data),
                write.en.eq(self.write),
            ]
            place += width
        return m


# Half of the addresses lie close together, so that reads see what was written, and meet writes.
COMPARISON = """
module comparison;
    reg clk = 0, enable, read = 0;
    reg [11:0] address, write_address;
    reg [3:0] write;
    reg [35:0] data;
    wire [66:0] o, expected;
    integer cycle, state = 5;
    memories netlist(.rst(1'b0), .*);
    expected generated(.rst(1'b0), .o(expected), .*);
    initial begin
        for (cycle = 0; cycle < 100000; cycle = cycle + 1) begin
            {address, write_address} = $random(state);
            data = {$random(state), $random(state)};
            {write, enable} = $random(state);
            if (cycle[0]) {address, write_address} = {address & 12'h803, write_address & 12'h803};
            #1 clk = 1;
            #1 clk = 0;
            // Before the first read the output is undefined.
            read = read | enable;
            if (read && o !== expected) $fatal(1, "cycle %0d: %h is not %h", cycle, o, expected);
        end
        $display("equal");
        $finish;
    end
endmodule
"""


def run(verilog: str, top: str, folder: Path) -> str:
    """What a testbench prints."""
    (folder / f"{top}.v").write_text(verilog)
    for file, model in cell_models(verilog).items():
        (folder / file).write_text(model)
    sources = sorted(folder.glob("*.v"))
    command = [verilator_root() / "bin" / "verilator_bin", "--binary", "--top-module", top, "-Wno-fatal", "-Wno-lint"]
    subprocess.run([*command, *sources], cwd=folder, env=environment(), check=True, capture_output=True)
    done = subprocess.run([folder / "obj_dir" / f"V{top}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_memories_mapped_by_yosys_are_what_they_were(tmp_path: Path) -> None:
    tools = find_tools("ecp5")
    netlist = tools.synthesise(PARTS["25k"], "memories", generate(Memories(), "memories", {}))
    assert netlist.cells["DP16KD"] == len(SHAPES)
    verilog = netlist.verilog()
    widths = {int(width) for width in re.findall(r"\.DATA_WIDTH_[AB]\(32'd(\d+)\)", verilog)}
    assert widths == {width for width, _ in SHAPES}
    parts = [cell_library(tools, "ecp5"), verilog, generate(Memories(), "expected", {}), COMPARISON]
    assert "equal" in run("\n".join(parts), "comparison", tmp_path)
