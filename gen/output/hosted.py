"""A plan's engine behind a serial line: what it says it is, the hardware, and its Verilog."""

from gen.plan.plan import MODULE, Plan
from gen.verilog import generate
from golden.errors import TritweaveError
from golden.formats import MEMORIES
from golden.link.frames import Identity, image_number
from golden.trits import packing_named
from rtl.engine.config import EngineConfig
from rtl.link.config import LinkConfig
from rtl.link.hosted import HostedEngine
from rtl.link.uart import UartConfig
from rtl.memory.flash_loader import FlashLoader


def identify(config: EngineConfig, clock_hz: int) -> Identity:
    """What a device with this engine says it is."""
    return Identity(
        rows=config.rows,
        columns=config.columns,
        lanes=config.lanes,
        packing=packing_named(config.packing).trits,
        correction=config.correction.code,
        input_signed=int(config.input_signed),
        writable=int(config.writable),
        width=config.accumulator_width,
        layers=config.layers,
        correction_words=config.correction_words,
        weight_words=config.weight_words,
        max_inputs=config.max_inputs,
        max_hidden=config.max_hidden,
        max_outputs=config.max_outputs,
        payload=LinkConfig(config).request,
        clock_hz=clock_hz,
    )


WAKE_SECONDS = 30e-6
"""What SPI flash gets to leave power-down; data sheets of the boards' flash say 3 to 30 µs."""


def hosted_engine(plan: Plan, uart: UartConfig, *, initialised: bool = True, offset: int | None = None) -> HostedEngine:
    """The hardware, with the plan's image as its memories' initial contents or with empty memories.

    Parameters
    ----------
    plan
        The engine and its network.
    uart
        The clock and the line's rate.
    initialised
        Whether the network is built in; otherwise a host has to load one.
    offset
        Where the plan's image is in SPI flash, from which it is then loaded at power-up instead of being built in.

    """
    identity = identify(plan.config, uart.clock_hz).to_bytes()
    last_input, image = plan.image.program[0].last_input, image_number(plan.image)
    if offset is not None:
        loader = flash_loader(plan, uart.clock_hz, offset)
        return HostedEngine(plan.config, uart, identity, last_input=last_input, image=image, loader=loader)
    if not initialised:
        return HostedEngine(plan.config, uart, identity)
    if plan.config.spram:
        raise TritweaveError("weights in SPRAM cannot be built in; build with initialised=False and load the image")
    return HostedEngine(
        plan.config,
        uart,
        identity,
        {name: plan.image.integers(name) for name in MEMORIES},
        last_input=last_input,
        image=image,
    )


def flash_loader(plan: Plan, clock_hz: int, offset: int) -> FlashLoader:
    """What brings a plan's image out of SPI flash, where it begins at byte `offset`."""
    wake = int(WAKE_SECONDS * clock_hz) + 1
    return FlashLoader(plan.config.memories, image=image_number(plan.image), offset=offset, wake=wake)


def hosted_verilog(plan: Plan, uart: UartConfig, *, initialised: bool = True) -> str:
    """The Verilog of `hosted_engine`: module `gen.plan.plan.MODULE` with the ports ``clk``, ``rst``, ``rx`` and
    ``tx``.
    """
    parameters = {
        "network": plan.network.name if initialised else "none, loaded at run time",
        "fold": plan.fold,
        "config": f"{identify(plan.config, uart.clock_hz).config:08x}",
        "clock": f"{uart.clock_hz} Hz",
        "line": f"{uart.baud} baud, 8 data bits, no parity, 1 stop bit",
    }
    return generate(hosted_engine(plan, uart, initialised=initialised), MODULE, parameters)
