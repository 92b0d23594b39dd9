"""The boards' FPGAs, as the tools call them."""

from typing import Any, NamedTuple

from gen.plan.devices import Device, device_named
from gen.tools import PARTS, Part


class Chip(NamedTuple):
    """An FPGA as Amaranth's platforms call it."""

    device: str
    """Its name in `gen.plan.devices` and `gen.tools`."""
    option: str
    """nextpnr's option for it."""


_CHIPS = {
    "iCE40UP5K": Chip("ice40-up5k", "--up5k"),
    "iCE40HX8K": Chip("ice40-hx8k", "--hx8k"),
    "LFE5U-12F": Chip("ecp5-12f", "--12k"),
    "LFE5U-25F": Chip("ecp5-25f", "--25k"),
    "LFE5U-45F": Chip("ecp5-45f", "--45k"),
    "LFE5U-85F": Chip("ecp5-85f", "--85k"),
    "LFE5UM5G-45F": Chip("ecp5-45f", "--um5g-45k"),
}
_PACKAGES = {"BG256": "CABGA256", "BG381": "CABGA381", "BG554": "CABGA554", "MG285": "CSFBGA285"}
"""ECP5 packages as nextpnr calls them."""


def device_of(platform: Any) -> Device:
    """What a platform's FPGA offers."""
    return device_named(_CHIPS[platform.device].device)


def part_of(platform: Any, clock_hz: int) -> Part:
    """A platform's FPGA in its package, as the tools name it, for a clock."""
    chip = _CHIPS[platform.device]
    part = PARTS[chip.device]
    if part.family == "ice40":
        options = (chip.option, "--package", platform.package.lower())
    else:
        options = (chip.option, "--package", _PACKAGES[platform.package], "--speed", platform.speed)
    return part._replace(placement=options, mhz=clock_hz // 1_000_000)
