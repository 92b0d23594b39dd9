"""The model of ECP5's block RAM, held to memories that Yosys maps onto it and to what its vendor documents."""

import re
from pathlib import Path

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from boards.netlist import cell_library
from gen.tools import PARTS, find_tools
from gen.verilog import generate
from support.block_rams import LOWER, UPPER, WHOLE, Script, run

# Width of a word, and how many of its bits are written together.
SHAPES = ((9, 9), (18, 9), (36, 9))


class Memories(wiring.Component):
    """Block RAMs of several widths, which share their inputs."""

    address: Signal
    write_address: Signal
    enable: Signal
    write: Signal
    data: Signal
    o: Signal

    def __init__(self) -> None:
        inputs = {"address": In(11), "write_address": In(11), "enable": In(1), "write": In(4), "data": In(36)}
        super().__init__({**inputs, "o": Out(sum(width for width, _ in SHAPES))})

    def elaborate(self, platform) -> Module:
        m = Module()
        random = np.random.default_rng(4)
        place = 0
        for width, together in SHAPES:
            depth = 18432 // width
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


# Half of the addresses lie close together, so that reads see what was written. What a read gives of a word that is
# being written is undefined as we synthesise, so none is read: the smallest memory has nine bits of address.
COMPARISON = """
module comparison;
    reg clk = 0, enable, read = 0;
    reg [10:0] address, write_address;
    reg [3:0] write;
    reg [35:0] data;
    wire [62:0] o, expected;
    integer cycle, state = 5;
    memories netlist(.rst(1'b0), .*);
    expected generated(.rst(1'b0), .o(expected), .*);
    initial begin
        for (cycle = 0; cycle < 100000; cycle = cycle + 1) begin
            {address, write_address} = $random(state);
            data = {$random(state), $random(state)};
            {write, enable} = $random(state);
            if (cycle[0]) {address, write_address} = {address & 11'h403, write_address & 11'h403};
            if (address[8:0] == write_address[8:0]) enable = 0;
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


def test_memories_mapped_by_yosys_are_what_they_were(tmp_path: Path) -> None:
    tools = find_tools("ecp5")
    netlist = tools.synthesise(PARTS["ecp5-25f"], "memories", generate(Memories(), "memories", {}))
    assert netlist.cells["DP16KD"] == len(SHAPES)
    verilog = netlist.verilog()
    widths = {int(width) for width in re.findall(r"\.DATA_WIDTH_[AB]\(32'd(\d+)\)", verilog)}
    assert widths == {width for width, _ in SHAPES}
    parts = [cell_library(tools, "ecp5"), verilog, generate(Memories(), "expected", {}), COMPARISON]
    assert "equal" in run("\n".join(parts), "comparison", tmp_path)


# What port A is given, and what the blocks put out after the next edge: NORMAL, WRITETHROUGH, READBEFOREWRITE, NORMAL
# behind an output register, NORMAL with the asynchronous reset. Bytes 0 and 1 hold 0aa and 155 at first.
MODES = (
    ({"ce_a": 1, "address_a": 0 << 3}, (0x0AA, 0x0AA, 0x0AA, 0x000, 0x0AA)),
    ({"address_a": 1 << 3}, (0x155, 0x155, 0x155, 0x0AA, 0x155)),
    ({"address_a": 0 << 3, "we_a": 1, "data_a": 0x123}, (0x155, 0x123, 0x0AA, 0x155, 0x155)),
    ({"we_a": 0}, (0x123, 0x123, 0x123, 0x155, 0x123)),
    # Neither a port whose clock is not enabled nor one that is not selected does anything.
    ({"ce_a": 0, "we_a": 1, "address_a": 1 << 3, "data_a": 0}, (0x123, 0x123, 0x123, 0x123, 0x123)),
    ({"ce_a": 1, "select": 1}, (0x123, 0x123, 0x123, 0x123, 0x123)),
    ({"select": 0, "we_a": 0, "oce": 0}, (0x155, 0x155, 0x155, 0x123, 0x155)),
    ({}, (0x155, 0x155, 0x155, 0x123, 0x155)),
    ({"oce": 1}, (0x155, 0x155, 0x155, 0x155, 0x155)),
    # A reset needs no enable, and leaves the memory.
    ({"ce_a": 0, "rst": 1}, (0, 0, 0, 0, 0)),
    ({"ce_a": 1, "rst": 0}, (0x155, 0x155, 0x155, 0x000, 0x155)),
)


def modes(script: Script) -> None:
    """Modes, enables and resets."""
    common = {"DATA_WIDTH_A": 9, "INITVAL_00": 0x155 << 9 | 0x0AA}
    settings: dict[str, dict[str, str]] = {
        "normal": {"WRITEMODE_A": "NORMAL"},
        "new_word": {"WRITEMODE_A": "WRITETHROUGH"},
        "old_word": {"WRITEMODE_A": "READBEFOREWRITE"},
        "registered": {"REGMODE_A": "OUTREG"},
        "asynchronous": {"RESETMODE": "ASYNC"},
    }
    for name, setting in settings.items():
        script.add(name, **common, **setting)
    script.add("inverted", **common, CLKAMUX="INV", CSDECODE_A="0b001")
    for inputs, outputs in MODES:
        script.set(**inputs)
        if inputs.get("rst"):
            script.expect("normal", 0x155)
            script.expect("asynchronous", 0)
        script.tick()
        for name, value in zip(settings, outputs, strict=True):
            script.expect(name, value)
    # A synchronous reset keeps the port from writing.
    script.set(rst=1, we_a=1, address_a=0, data_a=0)
    script.tick()
    script.set(rst=0, we_a=0)
    script.tick()
    script.expect("normal", 0x123)
    script.set(select=1, clk=1)
    script.expect("inverted", 0)
    script.set(clk=0)
    script.expect("inverted", 0x0AA)
    script.set(select=0, ce_a=0)


WIDTHS = (1, 2, 4, 9, 18, 36)


def words(content: int, width: int) -> list[int]:
    """A row of 36 bits, of bytes of nine, in words; those narrower than nine bits leave the ninth out."""
    if width >= 9:
        return [content >> place & (1 << width) - 1 for place in range(0, 36, width)]
    eights = [content >> place & 0xFF for place in range(0, 36, 9)]
    return [eight >> place & (1 << width) - 1 for eight in eights for place in range(0, 8, width)]


def address(row: int, index: int, width: int) -> int:
    """Where a row's word is."""
    return row << 5 | index * (width // 9 * 8 if width >= 9 else width)


def widths(script: Script) -> None:
    """All widths see the same bits: as initialised, written whole, and written in part."""
    content, first, second = (int(word) for word in np.random.default_rng(3).integers(0, 1 << 36, 3))
    initial = (content >> 18) << 20 * 7 | (content & LOWER) << 20 * 6
    for a, b in [(36, b) for b in WIDTHS] + [(a, 18) for a in WIDTHS[:-1]]:
        script.add(f"from_{a}_to_{b}", DATA_WIDTH_A=a, DATA_WIDTH_B=b, INITVAL_00=initial)

    def write(place: int, value: int) -> None:
        script.set(ce_a=1, ce_b=0, we_a=1, address_a=place, data_a=value & LOWER, data_b=value >> 18)
        script.tick()
        script.set(ce_a=0, we_a=0)

    def read(a: int, b: int, row: int, expected: int) -> None:
        for index, word in enumerate(words(expected, b)):
            script.set(ce_b=1, address_b=address(row, index, b))
            script.tick()
            script.expect(f"from_{a}_to_{b}", word << (0 if b == 36 else 18), WHOLE if b == 36 else UPPER)

    for b in WIDTHS:
        read(36, b, 3, content)
    inner = 0x3FFFF << 9
    for enabled, value, seen in ((0b1111, first, first), (0b0110, second, second & inner | first & ~inner)):
        write(3 << 5 | enabled, value)
        for b in WIDTHS:
            read(36, b, 3, seen)
    for a in WIDTHS[:-1]:
        for index, word in enumerate(words(first, a)):
            write(address(5, index, a) | (0b11 if a == 18 else 0), word)
        ninth_bits = 0o400400400400
        read(a, 18, 5, first if a >= 9 else first & ~ninth_bits)


def test_it_behaves_as_documented(tmp_path: Path) -> None:
    script = Script()
    modes(script)
    widths(script)
    script.run(tmp_path)
