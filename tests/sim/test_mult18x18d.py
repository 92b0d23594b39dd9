"""The model of ECP5's multiplier with the registers that `gen.netlist` moves into it, held to the generated Verilog."""

import json
import re
from pathlib import Path

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.netlist import cell_library
from gen.tools import PARTS, find_tools
from gen.verilog import generate
from rtl.pipeline import delayed, registered
from rtl.quantiser.multiplying import MultiplyingDivider
from support.block_rams import run


class Products(wiring.Component):
    """A divider of products, and a product with one register behind it, which shares a factor."""

    i: Signal
    enable: Signal
    o: Signal

    def __init__(self) -> None:
        self.divider = MultiplyingDivider(2, 17)
        self.inputs = [self.divider.magnitudes, self.divider.signs, self.divider.divisor]
        width = sum(len(Value.cast(value)) for value in self.inputs)
        super().__init__({"i": In(width), "enable": In(1), "o": Out(16 + 20)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.divider = divider = self.divider
        m.d.comb += [Cat(Value.cast(value) for value in self.inputs).eq(self.i), divider.enable.eq(self.enable)]
        first, second = (registered(m, self.i[at : at + 10], f"factor_{at}", reset_less=True) for at in (0, 20))
        product = delayed(m, first * second, 1, "product", reset_less=True)
        m.d.comb += self.o.eq(Cat(Value.cast(divider.quotients), product))
        return m


COMPARISON = """
module comparison;
    reg clk = 0, enable;
    reg [WIDTH-1:0] i;
    wire [35:0] o, expected;
    integer cycle, state = 7;
    products netlist(.rst(1'b0), .*);
    expected generated(.rst(1'b0), .o(expected), .*);
    initial begin
        for (cycle = 0; cycle < 20000; cycle = cycle + 1) begin
            enable = $random(state);
            i = {$random(state), $random(state), $random(state)};
            #1 clk = 1;
            #1 clk = 0;
            #1 if (o !== expected) $fatal(1, "cycle %0d: %h is not %h", cycle, o, expected);
        end
        $display("equal");
        $finish;
    end
endmodule
"""


def test_multipliers_with_their_registers_are_what_they_were(tmp_path: Path) -> None:
    products = Products()
    tools = find_tools("ecp5")
    netlist = tools.synthesise(PARTS["ecp5-25f"], "products", generate(products, "products", {}))
    module = json.loads((netlist.folder / "netlist.json").read_text())["modules"]["products"]
    stages = [
        sorted(re.findall(r"REG_(\w+?)_CLK", " ".join(cell["parameters"])))
        for cell in module["cells"].values()
        if cell["type"] == "MULT18X18D"
    ]
    assert sorted(stages) == [["INPUTA", "INPUTB", "OUTPUT"], *[["INPUTA", "INPUTB", "OUTPUT", "PIPELINE"]] * 6]
    comparison = COMPARISON.replace("WIDTH", str(len(products.i)))
    parts = [cell_library(tools, "ecp5"), netlist.verilog(), generate(Products(), "expected", {}), comparison]
    assert "equal" in run("\n".join(parts), "comparison", tmp_path)
