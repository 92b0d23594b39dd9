"""ECP5's block RAM on a testbench: many of them with the same inputs, step by step."""

import subprocess
from pathlib import Path

from sim.cells import cell_models
from sim.toolchain import environment, verilator_root

# Inputs of every block and their bits; the last is the lowest of a step.
INPUTS = {
    "clk": 1, "rst": 1, "oce": 1, "ce_a": 1, "ce_b": 1, "we_a": 1, "select": 3,
    "address_a": 14, "address_b": 14, "data_a": 18, "data_b": 18,
}  # fmt: skip
LOWER, UPPER, WHOLE = 0x3FFFF, 0x3FFFF << 18, (1 << 36) - 1


def run(verilog: str, top: str, folder: Path) -> str:
    """What a testbench prints."""
    (folder / f"{top}.v").write_text(verilog)
    for file, model in cell_models(verilog).items():
        (folder / file).write_text(model)
    sources = sorted(folder.glob("*.v"))
    command = [verilator_root() / "bin" / "verilator_bin", "--binary", "--top-module", top, "-Wno-fatal", "-Wno-lint"]
    command += ["-MAKEFLAGS", "OPT_FAST=-O0 OPT_GLOBAL=-O0"]
    subprocess.run([*command, *sources], cwd=folder, env=environment(), check=True, capture_output=True)
    done = subprocess.run([folder / "obj_dir" / f"V{top}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


class Script:
    """Blocks that share their inputs, and what is done to them step by step.

    A block's output is one number, port B's above port A's.
    """

    def __init__(self) -> None:
        self.blocks: dict[str, str] = {}
        self.steps: list[str] = []
        self.inputs = dict.fromkeys(INPUTS, 0) | {"oce": 1}

    def add(self, name: str, **parameters: str | int) -> None:
        values = ", ".join(
            f'.{key}("{value}")' if isinstance(value, str) else f".{key}(320'd{value})"
            for key, value in parameters.items()
        )
        connections = ["WEA(we_a)", "WEB(1'b0)"]
        for port, shift in (("A", 0), ("B", 18)):
            end = port.lower()
            vectors = {"AD": (14, f"address_{end}"), "DI": (18, f"data_{end}"), "CS": (3, "select")}
            bits = {f"{pin}{port}{bit}": f"{of}[{bit}]" for pin, (size, of) in vectors.items() for bit in range(size)}
            bits |= {f"DO{port}{bit}": f"outputs[{len(self.blocks)}][{shift + bit}]" for bit in range(18)}
            bits |= {f"CLK{port}": "clk", f"RST{port}": "rst", f"OCE{port}": "oce", f"CE{port}": f"ce_{end}"}
            connections += [f"{pin}({signal})" for pin, signal in bits.items()]
        self.blocks[name] = f"DP16KD #({values}) {name}(.{', .'.join(connections)});"

    def set(self, **inputs: int) -> None:
        self.inputs |= inputs

    def expect(self, name: str, value: int, mask: int = LOWER) -> None:
        self._step(list(self.blocks).index(name), mask, value)

    def tick(self) -> None:
        for level in (1, 0):
            self.set(clk=level)
            self._step(0, 0, 0)

    def _step(self, block: int, mask: int, value: int) -> None:
        packed = block << 72 | mask << 36 | value
        for name, bits in INPUTS.items():
            packed = packed << bits | self.inputs[name]
        self.steps.append(f"{packed:x}")

    def run(self, folder: Path) -> None:
        (folder / "steps.hex").write_text("\n".join(self.steps))
        registers = "\n".join(f"    reg [{bits - 1}:0] {name};" for name, bits in INPUTS.items())
        verilog = f"""
module bench;
{registers}
    wire [35:0] outputs [0:{len(self.blocks) - 1}];
    reg [159:0] steps [0:{len(self.steps) - 1}];
    reg [7:0] block;
    reg [35:0] mask, value;
    integer step;
    {" ".join(self.blocks.values())}
    initial begin
        $readmemh("{folder / "steps.hex"}", steps);
        for (step = 0; step < {len(self.steps)}; step = step + 1) begin
            {{block, mask, value, {", ".join(INPUTS)}}} = steps[step];
            #1 if ((outputs[block] & mask) !== value)
                $fatal(1, "step %0d: block %0d: %h is not %h", step, block, outputs[block] & mask, value);
        end
        $display("%0d steps", step);
        $finish;
    end
endmodule
"""
        assert f"{len(self.steps)} steps" in run(verilog, "bench", folder)
