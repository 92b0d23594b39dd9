"""The boards: a platform of amaranth-boards each, and what it does not say."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from amaranth.build import Attrs, Platform, Resource
from amaranth_boards.ecpix5 import ECPIX545Platform
from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.icesugar import ICESugarPlatform
from amaranth_boards.icesugar_pro import ICESugarProPlatform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform, OrangeCrabR0_2_85FPlatform
from amaranth_boards.resources import UARTResource
from amaranth_boards.ulx3s import ULX3S_12F_Platform, ULX3S_25F_Platform, ULX3S_45F_Platform, ULX3S_85F_Platform
from amaranth_boards.upduino_v3 import UpduinoV3Platform

from gen.devices import Device, device_named
from gen.plan import Fold
from gen.tools import PARTS, Part
from golden.errors import TritiumError
from rtl.uart import UartConfig


class Chip(NamedTuple):
    """An FPGA as Amaranth's platforms call it."""

    device: str
    """Its name in `gen.devices`."""
    part: str
    """The part in `gen.tools` whose synthesis and cells it shares."""
    option: str
    """nextpnr's option for it."""


CHIPS = {
    "iCE40UP5K": Chip("ice40-up5k", "up5k", "--up5k"),
    "iCE40HX8K": Chip("ice40-hx8k", "hx8k", "--hx8k"),
    "LFE5U-12F": Chip("ecp5-12f", "25k", "--12k"),
    "LFE5U-25F": Chip("ecp5-25f", "25k", "--25k"),
    "LFE5U-45F": Chip("ecp5-45f", "45k", "--45k"),
    "LFE5U-85F": Chip("ecp5-85f", "85k", "--85k"),
    "LFE5UM5G-45F": Chip("ecp5-45f", "45k", "--um5g-45k"),
}
PACKAGES = {"BG256": "CABGA256", "BG381": "CABGA381", "BG554": "CABGA554", "MG285": "CSFBGA285"}
"""ECP5 packages as nextpnr calls them."""


class Board(NamedTuple):
    """A board, and the engine that is put on it by default."""

    name: str
    title: str
    platform: type[Platform]
    clock_hz: int
    """Of the engine."""
    baud: int
    link: str
    """Where a host is connected."""
    fold: Fold
    packing: str
    array: str
    vectors: int = 2
    """In flight; with one, fewer block RAMs."""
    ram: tuple[str, ...] = ()
    """The program that loads a bitstream until power is off, and its arguments in front of the file."""
    flash: tuple[str, ...] = ()
    """The same for good."""
    clock: str = ""
    """The platform's clock, if not its default one."""
    pll_pad: bool = False
    """Whether the clock is on the PLL's own pin (iCE40)."""
    resources: tuple[Resource, ...] = ()
    """What the platform lacks."""

    @property
    def chip(self) -> Chip:
        """The FPGA."""
        return CHIPS[self._platform.device]

    @property
    def _platform(self) -> Any:
        return self.platform

    @property
    def device(self) -> Device:
        """What the FPGA offers."""
        return device_named(self.chip.device)

    @property
    def part(self) -> Part:
        """The FPGA in its package, as the tools name it."""
        platform, part = self._platform, PARTS[self.chip.part]
        if part.family == "ice40":
            options = (self.chip.option, "--package", platform.package.lower())
        else:
            options = (self.chip.option, "--package", PACKAGES[platform.package], "--speed", platform.speed)
        return part._replace(device=self.chip.device, placement=options, mhz=self.clock_hz // 1_000_000)

    @property
    def spram(self) -> bool:
        """Whether weights lie in SPRAM."""
        return self.device.sprams > 0

    @property
    def uart(self) -> UartConfig:
        """The line's rate."""
        return UartConfig(self.clock_hz, self.baud)

    def pins(self) -> "Pins":
        """The pins of the clock and of the line, from the platform's resources."""
        platform = self._platform()
        platform.add_resources(self.resources)
        name = self.clock or platform.default_clk
        clock, line = platform.request(name, dir="-"), platform.request("uart", dir="-")
        ports = {"clk": clock, "rx": line.rx, "tx": line.tx}
        found = {port: (pin.io.metadata[0].name, dict(pin.io.metadata[0].attrs)) for port, pin in ports.items()}
        return Pins(int(platform.lookup(name).clock.frequency), found)


class Pins(NamedTuple):
    """Where the ports of a board's top lie."""

    clock_hz: int
    """Of the board's oscillator."""
    ports: Mapping[str, tuple[str, Mapping[str, Any]]]
    """Port to pin and its attributes."""

    def constraints(self, family: str) -> str:
        """The file that tells nextpnr: PCF for iCE40, LPF for ECP5."""
        lines = []
        for port, (pin, attributes) in self.ports.items():
            if family == "ice40":
                pull = " -pullup yes" if attributes.get("PULLUP") else ""
                lines.append(f"set_io{pull} {port} {pin}")
            else:
                kept = " ".join(f"{name}={value}" for name, value in attributes.items())
                lines += [f'LOCATE COMP "{port}" SITE "{pin}";', f'IOBUF PORT "{port}" {kept};']
        mhz = self.clock_hz / 1_000_000
        lines.append(f"set_frequency clk {mhz}" if family == "ice40" else f'FREQUENCY PORT "clk" {mhz} MHZ;')
        return "\n".join(lines) + "\n"


_UP5K = {"clock_hz": 18_000_000, "fold": Fold(8, 5, 1), "packing": "5t8b", "array": "ice40"}
_ECP5 = {"fold": Fold(8, 5, 1), "packing": "5t8b", "array": "ecp5"}
_ULX3S = {
    **_ECP5,
    "clock_hz": 50_000_000,
    "baud": 1_000_000,
    "link": "its USB port (FT231X)",
    "ram": ("openFPGALoader", "-b", "ulx3s", "-m"),
    "flash": ("openFPGALoader", "-b", "ulx3s", "-f"),
}
_ORANGECRAB = {
    **_ECP5,
    "clock_hz": 48_000_000,
    "baud": 1_000_000,
    "link": "header pins 0 (from the host) and 1 (to the host)",
    "flash": ("openFPGALoader", "-b", "orangeCrab"),
    "resources": (UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33")),),
}

BOARDS = {
    board.name: board
    for board in (
        Board(
            "icebreaker",
            "1BitSquared iCEBreaker",
            ICEBreakerPlatform,
            baud=1_000_000,
            link="its USB port (FT2232H, second channel)",
            flash=("openFPGALoader", "-b", "ice40_generic", "-f"),
            pll_pad=True,
            **_UP5K,
        ),
        Board(
            "icesugar",
            "Muse Lab iCESugar",
            ICESugarPlatform,
            baud=115_200,
            link="its USB port (iCELink)",
            flash=("icesprog",),
            pll_pad=True,
            **_UP5K,
        ),
        Board(
            "upduino-v3",
            "tinyVision.ai UPduino v3 (its OSC jumper closed)",
            UpduinoV3Platform,
            baud=1_000_000,
            link="header pins 9 (from the host) and 6 (to the host)",
            flash=("iceprog",),
            clock="clk12",
            resources=(UARTResource(0, rx="11", tx="12", conn=("j", 1), attrs=Attrs(IO_STANDARD="SB_LVCMOS")),),
            **_UP5K,
        ),
        Board(
            "ice40-hx8k",
            "Lattice iCE40-HX8K breakout board",
            ICE40HX8KBEVNPlatform,
            clock_hz=48_000_000,
            baud=1_000_000,
            link="its USB port (FT2232H, second channel)",
            fold=Fold(8, 5, 1),
            packing="5t8b",
            array="ice40",
            vectors=1,
            ram=("iceprog", "-S"),
            flash=("openFPGALoader", "-b", "ice40_generic", "-f"),
        ),
        Board("ulx3s-12f", "Radiona ULX3S 12F", ULX3S_12F_Platform, **_ULX3S),
        Board("ulx3s-25f", "Radiona ULX3S 25F", ULX3S_25F_Platform, **_ULX3S),
        Board("ulx3s-45f", "Radiona ULX3S 45F", ULX3S_45F_Platform, **_ULX3S),
        Board("ulx3s-85f", "Radiona ULX3S 85F", ULX3S_85F_Platform, **_ULX3S),
        Board("orangecrab-25f", "OrangeCrab r0.2 25F", OrangeCrabR0_2_25FPlatform, **_ORANGECRAB),
        Board("orangecrab-85f", "OrangeCrab r0.2 85F", OrangeCrabR0_2_85FPlatform, **_ORANGECRAB),
        Board(
            "icesugar-pro",
            "Muse Lab iCESugar-Pro",
            ICESugarProPlatform,
            clock_hz=50_000_000,
            baud=115_200,
            link="its USB port (iCELink)",
            ram=("openFPGALoader", "-c", "cmsisdap", "-m"),
            flash=("icesprog",),
            **_ECP5,
        ),
        Board(
            "ecpix5-45f",
            "LambdaConcept ECPIX-5 45F",
            ECPIX545Platform,
            clock_hz=50_000_000,
            baud=1_000_000,
            link="its debug USB port (FT2232H, second channel)",
            ram=("openFPGALoader", "-b", "ecpix5", "-m"),
            flash=("openFPGALoader", "-b", "ecpix5", "-f"),
            **_ECP5,
        ),
    )
}
"""Boards by name."""


def board_named(name: str) -> Board:
    """The board of that name, or an error that lists the known ones."""
    if name not in BOARDS:
        raise TritiumError(f"board {name!r} is not known; the boards are {', '.join(BOARDS)}")
    return BOARDS[name]
