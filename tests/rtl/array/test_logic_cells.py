"""The adders of logic cells, proved by Yosys for all inputs on the vendor's models of its cells; ours equal theirs."""

from pathlib import Path
from random import Random

import pytest
from amaranth.hdl import Const, Module, Mux, Signal, signed

from rtl.array.logic_cells import ADD, ADD_AND_FLIP, KEEP_OR_ADD, add
from support.proofs import compared, elaborated, equal_for_all_inputs, holds, library


@pytest.mark.parametrize(
    ("table", "carried", "bits", "other", "width"),
    [
        (ADD, False, 9, 9, 10),
        (KEEP_OR_ADD, True, 8, 8, 9),
        (KEEP_OR_ADD, False, 9, 12, 12),
        (ADD_AND_FLIP, True, 9, 8, 10),
    ],
)
def test_a_sum_is_what_its_table_says(
    table: int, carried: bool, bits: int, other: int, width: int, tmp_path: Path
) -> None:
    m = Module()
    a, b, total = Signal(signed(bits), name="a"), Signal(signed(other), name="b"), Signal(width)
    control, carry = Signal(name="control"), Signal(name="carry")
    options = {"control": control} | ({"carry": carry} if carried else {})
    made = add(m, "sum", a, b, width, table=table, **options)
    m.d.comb += total.eq(a + b + (carry if carried else 0))
    expected = {
        ADD: total,
        KEEP_OR_ADD: Mux(control, a, total.as_signed())[:width],
        ADD_AND_FLIP: total ^ control.replicate(width),
    }
    assert equal_for_all_inputs(m, "ice40", [a, b, control, carry], made, expected[table], tmp_path)


def test_a_wrong_sum_is_found(tmp_path: Path) -> None:
    m = Module()
    a, b = Signal(4, name="a"), Signal(4, name="b")
    made = add(m, "sum", a, b, 4, carry=Const(1, 1))
    assert not equal_for_all_inputs(m, "ice40", [a, b], made, (a + b)[:4], tmp_path)


def test_the_models_of_the_cells_are_those_of_the_vendor_library(tmp_path: Path) -> None:
    random = Random(5)
    tables = [ADD, KEEP_OR_ADD, ADD_AND_FLIP, *(1 << bit for bit in range(16)), *random.choices(range(1 << 16), k=8)]
    cells = [
        f"  SB_LUT4 #(.LUT_INIT(16'd{table})) lut_{index} (.I0(a), .I1(b), .I2(c), .I3(d), .O(o[{index}]));\n"
        for index, table in enumerate(tables)
    ]
    cells.append(f"  SB_CARRY carry (.I0(a), .I1(b), .CI(c), .CO(o[{len(tables)}]));\n")
    (tmp_path / "wrapper.v").write_text(
        f"module wrapper(input a, b, c, d, output [{len(tables)}:0] o);\n{''.join(cells)}endmodule\n"
    )
    sources = (library("ice40"), "read_verilog ice40.v")
    scripts = [elaborated("read_verilog wrapper.v", source, top="wrapper") for source in sources]
    assert holds(compared(*scripts), tmp_path)
