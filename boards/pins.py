"""Where the ports of a board's top lie: pins of its platform, as nextpnr is told."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from amaranth.build import Platform, Resource, ResourceError

from golden.errors import TritweaveError


class Pin(NamedTuple):
    """A pin of the FPGA."""

    site: str
    attributes: Mapping[str, Any]
    """Of its buffer."""
    inverted: bool
    """Whether low means 1."""


class Pins(NamedTuple):
    """The pins that a board's tops may use."""

    clock_hz: int
    """Of the board's oscillator, which is on port ``clk``."""
    ports: Mapping[str, Pin]
    """Port to pin."""

    @property
    def inverted(self) -> set[str]:
        """The ports for which low means 1."""
        return {port for port, pin in self.ports.items() if pin.inverted}

    def constraints(self, family: str, ports: Collection[str]) -> str:
        """The file that tells nextpnr where these ports are: PCF for iCE40, LPF for ECP5."""
        lines = []
        for port in ports:
            pin = self.ports[port]
            if family == "ice40":
                pull = " -pullup yes" if pin.attributes.get("PULLUP") else ""
                lines.append(f"set_io{pull} {port} {pin.site}")
            else:
                kept = " ".join(f"{name}={value}" for name, value in pin.attributes.items())
                lines += [f'LOCATE COMP "{port}" SITE "{pin.site}";', f'IOBUF PORT "{port}" {kept};']
        mhz = self.clock_hz / 1_000_000
        lines.append(f"set_frequency clk {mhz}" if family == "ice40" else f'FREQUENCY PORT "clk" {mhz} MHZ;')
        return "\n".join(lines) + "\n"


def port_bits(name: str, width: int) -> list[str]:
    """What nextpnr calls the bits of a top's port."""
    return [name] if width == 1 else [f"{name}[{bit}]" for bit in range(width)]


def find_pins(platform: type[Platform], resources: Sequence[Resource], clock: str, ports: Mapping[str, str]) -> Pins:
    """Look up pins.

    Parameters
    ----------
    platform
        The board.
    resources
        What it lacks.
    clock
        Its clock, the default one if empty.
    ports
        Port to resource: name, number and, where it has parts, part, e.g. ``uart 0 rx``.

    """

    def fresh() -> Any:
        made = platform()
        made.add_resources(resources)
        return made

    def pin(port: str, place: str) -> Pin:
        # Of a platform of its own: parts that nobody wants may share pins with another resource.
        name, number, *parts = place.split()
        try:
            found = fresh().request(name, int(number), dir="-")
            for part in parts:
                found = getattr(found, part)
        except (ResourceError, AttributeError) as error:
            raise TritweaveError(f"port {port}: {platform.__name__} has no {place!r} ({error})") from error
        metadata = found.io.metadata[0]
        return Pin(metadata.name, dict(metadata.attrs), found.invert[0])

    board = fresh()
    name = clock or board.default_clk
    found = {port: pin(port, place) for port, place in {"clk": f"{name} 0", **ports}.items()}
    return Pins(int(board.lookup(name).clock.frequency), found)
