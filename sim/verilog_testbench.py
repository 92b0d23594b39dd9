"""A testbench in plain Verilog, for those who take the generated Verilog elsewhere: it checks itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from amaranth.lib.data import Field
from numpy.typing import NDArray

from gen.plan.plan import Plan
from golden.files.image import Load
from rtl.layouts import LOAD
from sim.cells import MODEL_FILES, cell_models

BenchFiles = dict[str, tuple[bytes, str]]
"""File name to content, and what it is."""

VECTORS = 4
"""What a testbench runs unless it is told otherwise."""

_BENCH = """\
// {name}_tb: runs {name} on {vectors} vectors and compares every result with the model's; ends in PASS or FAIL.
//
// In this folder, with Icarus (-g2005 or -g2012) or Verilator:
//   $ iverilog -g2012 -s {name}_tb -o {name}_tb.vvp {files} && vvp -N {name}_tb.vvp
//   $ verilator --binary --timing --top-module {name}_tb {name}.vlt {files} && obj_dir/V{name}_tb
// RESET = 0 (-P{name}_tb.RESET=0, -GRESET=0) starts without a reset, PAUSES = 0 without pauses on the streams.

module {name}_tb;
  parameter RESET = 1;
  parameter PAUSES = 1;
  localparam INPUTS = {inputs};  // words of all vectors
  localparam RESULTS = {results};
  localparam TRANSFERS = {transfers};  // of the memory image; 0: it is built in
  localparam PATIENCE = {patience};  // cycles without a word in or out

  reg [{input_high}:0] inputs [0:INPUTS-1];
  reg [{result_high}:0] results [0:RESULTS-1];  // the last word's mark above the data
{image}
  initial begin
    $readmemh("{name}_inputs.hex", inputs);
    $readmemh("{name}_results.hex", results);
{read_image}  end

  reg clk = 1'b0;
  always #5 clk = ~clk;

  reg rst = RESET != 0;
  integer sent = 0, received = 0, loaded = 0, waited = 0, faults = 0;
  reg [15:0] noise = 16'hace1;
  reg pause = 1'b0, done = 1'b0;

  wire load_valid = ~rst & (loaded < TRANSFERS);
  wire load_ready;
  wire i_valid = ~rst & (loaded == TRANSFERS) & (sent < INPUTS) & ~pause;
  wire i_ready;
  wire [{input_high}:0] i_data = i_valid ? inputs[sent] : {{{input_bits}{{1'b0}}}};
  wire o_valid;
  wire o_ready = ~rst & (PAUSES == 0 | noise[0]);
  wire [{data_high}:0] o_data;
  wire o_last;
  wire [{load_high}:0] transfer = {transfer};

  wire unknown = ^{{load_ready, i_ready, o_valid, o_last, o_data}} === 1'bx;
  wire wrong = o_valid & o_ready & ({{o_last, o_data}} !== results[received]);
  wire stuck = waited == PATIENCE;

  {name} dut (
    .clk(clk),
    .rst(rst),
    .i_data(i_data),
    .i_valid(i_valid),
    .i_ready(i_ready),
    .o_data(o_data),
    .o_last(o_last),
    .o_valid(o_valid),
    .o_ready(o_ready),
    .load_memory(transfer[{memory}]),
    .load_last(transfer[{last}]),
    .load_address(transfer[{address}]),
    .load_data(transfer[{data}]),
    .load_valid(load_valid),
    .load_ready(load_ready)
  );

  always @(posedge clk) begin
    rst <= 1'b0;
    noise <= {{noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]}};
    waited <= waited + 1;
    if (load_valid & load_ready) begin
      loaded <= loaded + 1;
      waited <= 0;
    end
    if (i_valid & i_ready) begin
      sent <= sent + 1;
      waited <= 0;
    end
    // An offered word is not taken back.
    if (~i_valid | i_ready) pause <= (PAUSES != 0) & noise[3];
    if (unknown)
      $display("an output is x: load_ready %b i_ready %b o_valid %b o_last %b o_data %h",
        load_ready, i_ready, o_valid, o_last, o_data);
    if (o_valid & o_ready) begin
      received <= received + 1;
      waited <= 0;
    end
    if (wrong) $display("word %0d of the results is %h, expected %h", received, {{o_last, o_data}}, results[received]);
    if (stuck)
      $display("nothing happens any more: %0d of %0d words in, %0d of %0d out", sent, INPUTS, received, RESULTS);
    if (unknown | wrong | stuck) faults <= faults + 1;
    if (stuck | faults > 9 | (faults > 0 & received == RESULTS)) begin
      $display("FAIL: {name}");
      $stop;
    end else if (received == RESULTS & ~done) begin
      done <= 1'b1;
      $display("PASS: {name}, {vectors} vectors, %0d words as expected", RESULTS);
      $finish;
    end
  end
endmodule
"""


def bench_patterns(name: str) -> list[str]:
    """What files of a testbench are called, those of other settings too."""
    return [f"{name}_tb.v", f"{name}_*.hex", *(f"{name}_{file}" for file in MODEL_FILES)]


def bench_files(plan: Plan, name: str, verilog: str, *, loaded: bool, vectors: int = VECTORS) -> BenchFiles:
    """A self-checking testbench of an engine.

    Parameters
    ----------
    plan
        The engine and its network.
    name
        Of the engine's module, which is in the file ``NAME.v``.
    verilog
        The engine's Verilog; the vendor cells in it get models.
    loaded
        Whether the testbench loads the image; the weights of an engine with SPRAM are always loaded.
    vectors
        How many it runs, at least 1, of values over the whole range of the network's input.

    Returns
    -------
    File name to content, and what it is: the testbench, the words that it reads, and the models.

    """
    config, loaded = plan.config, loaded or plan.config.spram
    limits = np.iinfo(plan.network.input_type)
    random = np.random.default_rng(0)
    batch = random.integers(limits.min, limits.max + 1, (vectors, plan.network.layers[0].inputs))
    batch = batch.astype(plan.network.input_type)
    logits = plan.network.forward(batch).logits
    inputs = _words(batch, config.lanes, 8)
    length, bits = -(-logits.shape[1] // config.lanes), config.lanes * config.result_width
    results = [
        word | (index % length == length - 1) << bits
        for index, word in enumerate(_words(logits, config.lanes, config.result_width))
    ]
    transfers = [_transfer(load) for load in plan.image.loads()] if loaded else []
    words = {"inputs": (inputs, 8 * config.lanes), "results": (results, bits + 1)}
    image = read_image = ""
    if loaded:
        words["image"] = (transfers, LOAD.size)
        image = f"  reg [{LOAD.size - 1}:0] image [0:TRANSFERS-1];\n"
        read_image = f'    $readmemh("{name}_image.hex", image);\n'
    models = {f"{name}_{file}": text for file, text in cell_models(verilog).items()}
    bench = _BENCH.format(
        name=name,
        vectors=vectors,
        files=" ".join([f"{name}_tb.v", f"{name}.v", *models]),
        inputs=len(inputs),
        results=len(results),
        transfers=len(transfers),
        patience=10 * plan.cycles.latency + 1000,
        input_bits=8 * config.lanes,
        input_high=8 * config.lanes - 1,
        result_high=bits,
        data_high=bits - 1,
        load_high=LOAD.size - 1,
        image=image,
        read_image=read_image,
        transfer="load_valid ? image[loaded] : 0" if loaded else "0",
        **{field: _bits(LOAD[field]) for field, _ in LOAD},
    )
    files = {f"{name}_tb.v": (bench, "testbench; its first lines say how to run it")}
    files |= {
        f"{name}_{what}.hex": (_hexadecimal(*content), f"{what} of the testbench") for what, content in words.items()
    }
    files |= {file: (text, "models of vendor cells") for file, text in models.items()}
    return {file: (text.encode(), what) for file, (text, what) in files.items()}


def _words(values: NDArray[np.integer[Any]], lanes: int, width: int) -> list[int]:
    """Stream words of vectors, the first value in the lowest bits, lanes beyond a vector's end 0."""
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % lanes))).reshape(-1, lanes).tolist()
    return [sum((value & (1 << width) - 1) << lane * width for lane, value in enumerate(word)) for word in padded]


def _transfer(load: Load) -> int:
    """A transfer as the load port's bits."""
    values = {"data": load.data, "address": load.address, "last": int(load.last), "memory": load.memory}
    return sum(value << LOAD[field].offset for field, value in values.items())


def _bits(field: Field) -> str:
    return f"{field.offset + field.width - 1}:{field.offset}"


def _hexadecimal(words: Sequence[int], bits: int) -> str:
    return "".join(f"{word:0{-(-bits // 4)}x}\n" for word in words)
