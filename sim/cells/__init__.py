"""Simulation models of the vendor cells that generated Verilog may contain."""

import re
from pathlib import Path

_MODELS = {
    "CCU2C": "ecp5.v",
    "TRELLIS_FF": "ecp5.v",
    "DP16KD": "dp16kd.v",
    "MULT18X18D": "mult18x18d.v",
    "SB_LUT4": "ice40.v",
    "SB_CARRY": "ice40.v",
    "SB_SPRAM256KA": "ice40.v",
    "SB_PLL40_PAD": "pll.v",
    "SB_PLL40_CORE": "pll.v",
    "EHXPLLL": "pll.v",
}
"""The file with the model of each cell."""

MODEL_FILES = sorted(set(_MODELS.values()))


def cell_models(verilog: str) -> dict[str, str]:
    """The models, file name to content, of the vendor cells that this Verilog instantiates without defining them."""
    files = {
        file
        for cell, file in _MODELS.items()
        if re.search(rf"^\s*{cell} ", verilog, re.MULTILINE)
        and not re.search(rf"^\s*module {cell}\b", verilog, re.MULTILINE)
    }
    return {file: Path(__file__).with_name(file).read_text() for file in sorted(files)}
