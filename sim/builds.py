"""Builds of simulations, which depend on the simulator and the compiler."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gen import builds
from gen.builds import build_root
from sim.toolchain import versions

__all__ = ["build_root", "kept_build"]


def kept_build(
    name: str, sources: Mapping[str, str], flags: Sequence[str], make: Callable[[Path, list[Path]], None]
) -> Path:
    """A folder below `build/sim` with the build of these sources, see `gen.builds.kept_build`."""
    return builds.kept_build("sim", name, sources, [*flags, versions()], make)
