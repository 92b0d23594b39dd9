"""The boards: a platform of amaranth-boards each, and what it does not say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.build import Attrs, PinsN, Platform, Resource, Subsignal
from amaranth.build import Pins as PinsOf
from amaranth_boards.ecpix5 import ECPIX545Platform
from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.icesugar import ICESugarPlatform
from amaranth_boards.icesugar_pro import ICESugarProPlatform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform, OrangeCrabR0_2_85FPlatform
from amaranth_boards.resources import UARTResource
from amaranth_boards.ulx3s import ULX3S_12F_Platform, ULX3S_25F_Platform, ULX3S_45F_Platform, ULX3S_85F_Platform
from amaranth_boards.upduino_v3 import UpduinoV3Platform

from boards.chip import device_of, part_of
from boards.pins import Pins, find_pins
from gen.plan.devices import Device
from gen.plan.plan import Fold
from gen.tools import Part
from golden.errors import TritweaveError
from rtl.demo.displays import Display, Leds, Pulses, SevenSegments
from rtl.link.uart import UartConfig


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, and the engine that is put on it by default.

    What belongs to the board itself has no default, and no board is made from another one: what a board has not said
    must not come from its neighbour.
    """

    name: str
    title: str
    platform: type[Platform]
    baud: int
    link: str
    """Where a host is connected."""
    ram: tuple[tuple[str, ...], ...]
    """The programs that load a bitstream until power is off, each with its arguments in front of the file."""
    flash: tuple[tuple[str, ...], ...]
    """The same for good."""
    ports: Mapping[str, str]
    """Where the ports of its tops lie beside the clock and the line, see `boards.pins.find_pins`."""
    display: type[Display]
    """What shows the demonstration's answers, on port ``display``."""
    clock_hz: int
    """Of the engine."""
    fold: Fold
    packing: str
    array: str
    image_offset: int | None
    """With weights in SPRAM, where the memory image lies in the flash, in bytes: behind the bitstream."""
    vectors: int = 2
    """In flight; with one, fewer block RAMs."""
    clock: str = ""
    """The platform's clock, if not its default one."""
    pll_pad: bool = False
    """Whether the clock is on the PLL's own pin (iCE40)."""
    resources: tuple[Resource, ...] = ()
    """What the platform lacks."""

    def __post_init__(self) -> None:
        if not self.ram and not self.flash:
            raise TritweaveError(f"{self.name}: neither ram nor flash names a program that configures it")
        if self.spram != (self.image_offset is not None):
            needs = "has SPRAM; say where in its flash the image lies" if self.spram else "has no SPRAM; it takes None"
            raise TritweaveError(f"{self.name}: image_offset is {self.image_offset}; {self.device.name} {needs}")
        wanted = {f"display[{bit}]" for bit in range(self.display.WIDTH)}
        wanted |= {*_FLASH, "light"} if self.spram else set()
        if wanted != set(self.ports):
            raise TritweaveError(
                f"{self.name}: its ports are {', '.join(sorted(self.ports))}; its tops have {', '.join(sorted(wanted))}"
            )

    @property
    def device(self) -> Device:
        """What the FPGA offers."""
        return device_of(self.platform)

    @property
    def part(self) -> Part:
        """The FPGA in its package, as the tools name it."""
        return part_of(self.platform, self.clock_hz)

    @property
    def spram(self) -> bool:
        """Whether weights lie in SPRAM."""
        return self.device.sprams > 0

    @property
    def uart(self) -> UartConfig:
        """The line's rate."""
        return UartConfig(self.clock_hz, self.baud)

    def pins(self) -> Pins:
        """The pins of the clock, of the line and of `ports`, from the platform's resources."""
        line = {"rx": "uart 0 rx", "tx": "uart 0 tx"}
        return find_pins(self.platform, self.resources, self.clock, line | dict(self.ports))


_FLASH = {
    "flash_select": "spi_flash_1x 0 cs",
    "flash_clock": "spi_flash_1x 0 clk",
    "flash_mosi": "spi_flash_1x 0 copi",
    "flash_miso": "spi_flash_1x 0 cipo",
}

_LEDS = {f"display[{number}]": f"led {number}" for number in range(Leds.WIDTH)}
_GREEN_AND_RED = {"display[0]": "rgb_led 0 g", "display[1]": "rgb_led 0 r"}
_SEVEN_SEGMENTS = Resource(
    "seven_segments",
    0,
    *(
        Subsignal(name, PinsN(pin, dir="o", conn=("pmod", 0)))
        for name, pin in zip("abcdefg", ("1", "2", "3", "4", "7", "8", "9"), strict=True)
    ),
    Subsignal("right", PinsOf("10", dir="o", conn=("pmod", 0))),
    Attrs(IO_STANDARD="SB_LVCMOS"),
)
"""1BitSquared's seven-segment PMOD on PMOD1A: segments low active, the last pin chooses one of its two digits."""

_UP5K: dict[str, Any] = {
    "clock_hz": 24_000_000,
    "fold": Fold(8, 5, 1),
    "packing": "5t8b",
    "array": "ice40",
    "image_offset": 1 << 17,
}
"""The engine on an iCE40 UP5K, whose bitstream has 104,090 bytes."""
_ECP5: dict[str, Any] = {
    "clock_hz": 50_000_000,
    "fold": Fold(16, 16, 8),
    "packing": "3t5b",
    "array": "ecp5",
    "image_offset": None,
}
"""The engine on an ECP5."""


def _ulx3s(size: str, platform: type[Platform]) -> Board:
    """One printed circuit board, four FPGAs."""
    return Board(
        name=f"ulx3s-{size.lower()}",
        title=f"Radiona ULX3S {size}",
        platform=platform,
        baud=1_000_000,
        link="its USB port (FT231X)",
        ram=(("openFPGALoader", "-b", "ulx3s", "-m"),),
        flash=(("openFPGALoader", "-b", "ulx3s", "-f"),),
        ports=_LEDS,
        display=Leds,
        **_ECP5,
    )


def _orangecrab(size: str, platform: type[Platform]) -> Board:
    """One printed circuit board, two FPGAs."""
    return Board(
        name=f"orangecrab-{size.lower()}",
        title=f"OrangeCrab r0.2 {size}",
        platform=platform,
        baud=1_000_000,
        link="header pins 0 (from the host) and 1 (to the host)",
        ram=(),
        # Both through its boot loader, which is there while its button is held at power-up.
        flash=(("dfu-util", "-d", "1209:5af0", "-a", "0", "-D"), ("openFPGALoader", "-b", "orangeCrab")),
        resources=(UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33")),),
        ports=_GREEN_AND_RED,
        display=Pulses,
        **{**_ECP5, "clock_hz": 48_000_000},
    )


BOARDS = {
    board.name: board
    for board in (
        Board(
            name="icebreaker",
            title="1BitSquared iCEBreaker",
            platform=ICEBreakerPlatform,
            baud=1_000_000,
            link="its USB port (FT2232H, second channel)",
            ram=(),
            flash=(("openFPGALoader", "-b", "ice40_generic", "-f"), ("iceprog",)),
            pll_pad=True,
            resources=(_SEVEN_SEGMENTS,),
            ports={
                **_FLASH,
                "light": "led_g 0",
                **{f"display[{place}]": f"seven_segments 0 {part}" for place, part in enumerate((*"abcdefg", "right"))},
            },
            display=SevenSegments,
            **_UP5K,
        ),
        Board(
            name="icesugar",
            title="Muse Lab iCESugar",
            platform=ICESugarPlatform,
            baud=115_200,
            link="its USB port (iCELink)",
            ram=(),
            flash=(("icesprog",),),
            pll_pad=True,
            ports={**_FLASH, "light": "led_g 0", "display[0]": "led_g 0", "display[1]": "led_r 0"},
            display=Pulses,
            **_UP5K,
        ),
        Board(
            name="upduino-v3",
            title="tinyVision.ai UPduino v3 (its OSC jumper closed)",
            platform=UpduinoV3Platform,
            baud=1_000_000,
            link="header pins 9 (from the host) and 6 (to the host)",
            ram=(),
            flash=(("iceprog",),),
            clock="clk12",
            resources=(UARTResource(0, rx="11", tx="12", conn=("j", 1), attrs=Attrs(IO_STANDARD="SB_LVCMOS")),),
            ports={**_FLASH, "light": "rgb_led 0 g", **_GREEN_AND_RED},
            display=Pulses,
            **_UP5K,
        ),
        Board(
            name="ice40-hx8k",
            title="Lattice iCE40-HX8K breakout board",
            platform=ICE40HX8KBEVNPlatform,
            baud=1_000_000,
            link="its USB port (FT2232H, second channel)",
            ram=(("iceprog", "-S"),),
            flash=(("openFPGALoader", "-b", "ice40_generic", "-f"), ("iceprog",)),
            ports=_LEDS,
            display=Leds,
            clock_hz=48_000_000,
            fold=Fold(8, 5, 1),
            packing="5t8b",
            array="ice40",
            image_offset=None,
            vectors=1,
        ),
        _ulx3s("12F", ULX3S_12F_Platform),
        _ulx3s("25F", ULX3S_25F_Platform),
        _ulx3s("45F", ULX3S_45F_Platform),
        _ulx3s("85F", ULX3S_85F_Platform),
        _orangecrab("25F", OrangeCrabR0_2_25FPlatform),
        _orangecrab("85F", OrangeCrabR0_2_85FPlatform),
        Board(
            name="icesugar-pro",
            title="Muse Lab iCESugar-Pro",
            platform=ICESugarProPlatform,
            baud=115_200,
            link="its USB port (iCELink)",
            ram=(("openFPGALoader", "-c", "cmsisdap", "--vid", "0x1d50", "--pid", "0x602b", "-m"),),
            flash=(("icesprog",),),
            ports=_GREEN_AND_RED,
            display=Pulses,
            **_ECP5,
        ),
        Board(
            name="ecpix5-45f",
            title="LambdaConcept ECPIX-5 45F",
            platform=ECPIX545Platform,
            baud=1_000_000,
            link="its debug USB port (FT2232H, second channel)",
            ram=(("openFPGALoader", "-b", "ecpix5", "-m"),),
            flash=(("openFPGALoader", "-b", "ecpix5", "-f"),),
            ports={f"display[{number}]": f"rgb_led {number} g" for number in range(Leds.WIDTH)},
            display=Leds,
            **_ECP5,
        ),
    )
}
"""Boards by name."""


def board_named(name: str) -> Board:
    """The board of that name, or an error that lists the known ones."""
    if name not in BOARDS:
        raise TritweaveError(f"board {name!r} is not known; the boards are {', '.join(BOARDS)}")
    return BOARDS[name]
