"""The carry chains, proved by Yosys for all inputs on the vendor's models of its cells; our model equals theirs."""

from itertools import product
from pathlib import Path
from random import Random

import pytest
from amaranth.back import verilog
from amaranth.hdl import Const, Module, Mux, Signal, Value, signed

from rtl.array.carry_chain import PASS_CARRY, START, TERNARY_ADD, CarryChains, chain_lengths
from support.proofs import compared, elaborated, equal_for_all_inputs, holds, library

LIBRARY = library("ecp5")
MODEL = "read_verilog ecp5.v"


@pytest.mark.parametrize(("bits", "width"), [(8, 8), (8, 12), (11, 12), (3, 9)])
def test_an_adder_adds_plus_or_minus_or_nothing(bits: int, width: int, tmp_path: Path) -> None:
    m = Module()
    a, b, neg, nz = (Signal(size, name=name) for name, size in (("a", bits), ("b", 8), ("neg", 1), ("nz", 1)))
    chains = CarryChains(m, "chain", 40)
    total = chains.add(a, b, width, neg=neg, nz=nz)
    chains.finish()
    expected = (a + Mux(nz, Mux(neg, 255 - b, b), 0))[:width]
    assert equal_for_all_inputs(m, "ecp5", [a, b, neg, nz], total, expected, tmp_path)


def test_an_accumulator_loads_or_accumulates_and_wraps(tmp_path: Path) -> None:
    m = Module()
    dot, accumulator, accumulate = Signal(9, name="dot"), Signal(12, name="accumulator"), Signal(name="accumulate")
    chains = CarryChains(m, "chain", 12)
    total = chains.add(dot, accumulator, 12, nz=accumulate)
    chains.finish()
    expected = (dot + Mux(accumulate, accumulator, 0))[:12]
    assert equal_for_all_inputs(m, "ecp5", [dot, accumulator, accumulate], total, expected, tmp_path)


@pytest.mark.parametrize("width", [9, 12])
def test_a_signed_adder_adds_or_subtracts_or_does_nothing_behind_any_carry(width: int, tmp_path: Path) -> None:
    m = Module()
    a, b = Signal(signed(8), name="a"), Signal(signed(8), name="b")
    first, second = (Signal(2, name=name) for name in ("first", "second"))
    chains = CarryChains(m, "chain", 40)
    before = chains.add_signed(b, a, 8, neg=first[1], nz=first[0])
    total = chains.add_signed(a, b, width, neg=second[1], nz=second[0])
    chains.finish()

    def operand(value: Value, trit: Value) -> Value:
        return Mux(trit[0], Mux(trit[1], -value, value), 0)

    made = (total == (a + operand(b, second))) & (before.as_unsigned() == (b + operand(a, first))[:8])
    assert equal_for_all_inputs(m, "ecp5", [a, b, first, second], made, Const(1, 1), tmp_path)


@pytest.mark.parametrize(("error", "limit"), [(0, 11), (0, 40), (1, 40)])
def test_adders_that_share_a_chain_do_not_disturb_each_other(error: int, limit: int, tmp_path: Path) -> None:
    m = Module()
    inputs = [Signal(4, name=f"x_{index}") for index in range(3)]
    trits = [Signal(2, name=f"t_{index}") for index in range(3)]
    chains = CarryChains(m, "chain", limit)
    total = chains.add(inputs[0], inputs[1], 5, neg=trits[0][1], nz=trits[0][0])
    other = chains.add(inputs[1], inputs[0], 5, neg=trits[1][1], nz=trits[1][0])
    total = chains.add(total, inputs[2], 6, neg=trits[2][1], nz=trits[2][0])
    chains.finish()

    def operand(index: int, trit: Value) -> Value:
        return Mux(trit[0], Mux(trit[1], 15 - inputs[index], inputs[index]), 0)

    expected = inputs[0] + operand(1, trits[0]) + operand(2, trits[2])
    beside = inputs[1] + operand(0, trits[1])
    made = (total == expected) & (other == beside + error)
    assert equal_for_all_inputs(m, "ecp5", [*inputs, *trits], made, Const(1, 1), tmp_path) == (not error)


def wrapper(*cells: str, ports: str = "") -> str:
    outputs = f"output [{3 * len(cells) - 1}:0] o"
    body = "".join(
        cell.replace(");", f", .S0(o[{3 * index}]), .S1(o[{3 * index + 1}]), .COUT(o[{3 * index + 2}]));\n")
        for index, cell in enumerate(cells)
    )
    return f"module wrapper(input cin, a0, b0, c0, d0, a1, b1, c1, d1, {outputs});\n{body}endmodule\n"


def cell(init0: int, init1: int, carry: str = "cin", a0: str = "a0") -> str:
    settings = f'.INIT0({init0}), .INIT1({init1}), .INJECT1_0("NO"), .INJECT1_1("NO")'
    pins = f".CIN({carry}), .A0({a0}), .B0(b0), .C0(c0), .D0(d0), .A1(a1), .B1(b1), .C1(c1), .D1(d1)"
    return f"  CCU2C #({settings}) cell_{init0}_{init1} ({pins});"


def test_a_chain_starts_with_no_carry_whatever_comes_in(tmp_path: Path) -> None:
    for name, carry in (("gold", "1'b0"), ("gate", "cin")):
        # Sums of the start itself are left open.
        made = wrapper(cell(START, TERNARY_ADD, carry, "1'b0")).replace("o[0]", "")
        (tmp_path / f"{name}.v").write_text(made.replace("output [2:0] o", "output [2:1] o"))
    scripts = [elaborated(f"read_verilog {name}.v", LIBRARY, top="wrapper") for name in ("gold", "gate")]
    assert holds(compared(*scripts), tmp_path)


def test_the_model_of_a_carry_cell_is_that_of_the_vendor_library(tmp_path: Path) -> None:
    random = Random(5)
    used = list(product((START, TERNARY_ADD, PASS_CARRY), (TERNARY_ADD, PASS_CARRY)))
    single = [(1 << bit, 0xFFFF ^ 1 << bit) for bit in range(16)]
    others = [(random.getrandbits(16), random.getrandbits(16)) for _ in range(20)]
    (tmp_path / "wrapper.v").write_text(wrapper(*(cell(*inits) for inits in [*used, *single, *others])))
    scripts = [elaborated("read_verilog wrapper.v", source, top="wrapper") for source in (LIBRARY, MODEL)]
    assert holds(compared(*scripts), tmp_path)


def test_the_model_of_a_register_is_that_of_the_vendor_library(tmp_path: Path) -> None:
    settings = '.GSR("DISABLED"), .CEMUX("1"), .CLKMUX("CLK"), .LSRMUX("LSR"), .REGSET("RESET")'
    register = f"TRELLIS_FF #({settings}) register(.CLK(clk), .LSR(1'b0), .DI(d), .Q(q));"
    (tmp_path / "wrapper.v").write_text(f"module wrapper(input clk, d, output q);\n{register}\nendmodule\n")
    scripts = [elaborated("read_verilog wrapper.v", source, top="wrapper") for source in (LIBRARY, MODEL)]
    assert holds(compared(*(f"{script}; opt" for script in scripts), induction=True), tmp_path)


@pytest.mark.parametrize(
    ("widths", "limit", "lengths"),
    [((), 20, []), ((8, 9), 18, [18]), ((8, 9), 17, [10, 10]), ((8, 9, 10), 19, [18, 12]), ((30,), 8, [32])],
)
def test_the_lengths_of_chains(widths: tuple[int, ...], limit: int, lengths: list[int]) -> None:
    assert list(chain_lengths(widths, limit)) == lengths
    m = Module()
    chains = CarryChains(m, "chain", limit)
    totals = [chains.add(Signal(4), Signal(4), width, nz=Signal()) for width in widths]
    chains.finish()
    text = verilog.convert(m, name="design", ports=[Signal(name="unused"), *(_out(m, total) for total in totals)])
    assert 2 * text.count("CCU2C #") == sum(lengths)


def _out(m: Module, value: Value) -> Signal:
    signal = Signal(len(value), name="out")
    m.d.comb += signal.eq(value)
    return signal
