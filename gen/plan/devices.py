"""The FPGAs that plans are made for, and what they offer."""

from typing import NamedTuple

from golden.errors import TritweaveError
from rtl.engine.config import ARRAYS


class Device(NamedTuple):
    """An FPGA."""

    name: str
    family: str
    """Family, one of `FAMILIES`."""
    lut4: int
    """Four-input look-up tables."""
    block_rams: int
    """Block RAMs of the family's size."""
    multipliers: int = 0
    """Of 18 x 18 bits, on iCE40 of 16 x 16."""
    sprams: int = 0
    """SPRAM cells, 16 bits x 16,384 words each."""


class BlockRam(NamedTuple):
    """A family's block RAM."""

    shapes: tuple[tuple[int, int, int], ...]
    """As (words, bits a word, bits that are written together)."""
    logic: int
    """Bits a block up to which a memory becomes logic instead."""

    def needed(self, words: int, bits: int, part: int = 0) -> int:
        """Block RAMs for a memory, in the shape that needs fewest; none if it becomes logic.

        Parameters
        ----------
        words, bits
            Its depth and width.
        part
            Bits that it can write without the others of a word; 0: all.

        """
        blocks = min(-(-words // shape[0]) * self._side_by_side(bits, part, *shape[1:]) for shape in self.shapes)
        # Memories made of logic are four bits wide, wherever they can be written.
        wide = bits // part * (part + -part % 4) if part else bits
        return blocks if words * wide > self.logic * blocks else 0

    @staticmethod
    def _side_by_side(bits: int, part: int, width: int, together: int) -> int:
        if part in (0, bits):
            return -(-bits // width)
        places = bits // part * -(-part // together)
        return -(-places // (width // together))


FAMILIES = {
    "ecp5": BlockRam(((512, 36, 9), (1024, 18, 9), (2048, 9, 9), (4096, 4, 4), (8192, 2, 2), (16384, 1, 1)), 1200),
    "ice40": BlockRam(((256, 16, 1), (512, 8, 8), (1024, 4, 4), (2048, 2, 2)), 64),
}
"""Block RAMs by family. Source: ECP5 family data sheet (DP16KD), iCE40 LP/HX data sheet (RAM4K). Where Yosys prefers
logic was found from engines as placed: iCE40, unlike ECP5, has no memories in its logic."""

DEVICES = {
    device.name: device
    for device in (
        Device("ice40-up5k", "ice40", 5280, 30, 8, 4),
        Device("ice40-hx8k", "ice40", 7680, 32),
        Device("ecp5-12f", "ecp5", 12144, 32, 28),
        Device("ecp5-25f", "ecp5", 24288, 56, 28),
        Device("ecp5-45f", "ecp5", 43848, 108, 72),
        Device("ecp5-85f", "ecp5", 83640, 208, 156),
    )
}
"""Devices by name."""


def device_named(name: str) -> Device:
    """The device of that name, or an error that lists the known ones."""
    if name not in DEVICES:
        raise TritweaveError(f"device {name!r} is not known; the devices are {', '.join(DEVICES)}")
    return DEVICES[name]


def check_array(array: str, family: str) -> None:
    """Raise if an implementation of the array is made of another family's cells."""
    needed = ARRAYS[array].family if array in ARRAYS else None
    if needed not in (None, family):
        raise TritweaveError(f"array {array} is made of {needed} cells; the device is of family {family}")
