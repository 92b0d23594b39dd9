"""What `tritweave generate` leaves behind: Verilog, memory image, lint waivers."""

import contextlib
from pathlib import Path

from gen.plan.plan import MODULE, Plan
from golden.files.disk import write_bytes

WAIVERS = Path(__file__).with_name("lint.vlt")
"""Waivers for ``verilator --lint-only -Wall``, each with its reason."""


def write_output(plan: Plan, folder: Path, *, initialised: bool = True) -> dict[Path, str]:
    """Write a plan's files into a folder; each is replaced whole, and all are made before the first is written.

    Parameters
    ----------
    plan
        What to build.
    folder
        Made if it is not there.
    initialised
        Whether the Verilog holds the image as its memories' initial contents.

    Returns
    -------
    The files, each with what it is.

    """
    contents = {
        f"{MODULE}.v": (plan.verilog(initialised=initialised).encode(), "Verilog, top module first"),
        f"{MODULE}.image": (plan.image.to_bytes(), "memory image, for the load port"),
        f"{MODULE}.vlt": (WAIVERS.read_bytes(), "waivers for verilator --lint-only -Wall"),
    }
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
    for name, (content, _) in contents.items():
        write_bytes(folder / name, content)
    return {folder / name: what for name, (_, what) in contents.items()}
