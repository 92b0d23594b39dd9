"""What `tritweave generate` leaves behind: Verilog, memory image, lint waivers."""

from collections.abc import Iterable
from pathlib import Path

from gen.plan.plan import MODULE, Plan
from gen.transformer.plan import DecoderPlan
from golden.files.disk import write_folder

WAIVERS = Path(__file__).with_name("lint.vlt")
"""Waivers for ``verilator --lint-only -Wall``, each with its reason."""


def engine_files(plan: Plan, *, initialised: bool = True, name: str = MODULE) -> dict[str, tuple[bytes, str]]:
    """A plan's files: name to content, and what it is.

    Parameters
    ----------
    plan
        What to build.
    initialised
        Whether the Verilog holds the image as its memories' initial contents.
    name
        Of the top module, and of the files.

    """
    return {
        f"{name}.v": (plan.verilog(initialised=initialised, name=name).encode(), "Verilog, top module first"),
        f"{name}.image": (plan.image.to_bytes(), "memory image, for the load port"),
        f"{name}.vlt": (WAIVERS.read_bytes(), "waivers for verilator --lint-only -Wall"),
    }


def decoder_files(plan: DecoderPlan, *, name: str = MODULE) -> dict[str, tuple[bytes, str]]:
    """Files of a language model's decoder, its memories filled, as in `engine_files`."""
    return {
        f"{name}.v": (plan.verilog(name=name).encode(), "Verilog, top module first"),
        f"{name}.vlt": (WAIVERS.read_bytes(), "waivers for verilator --lint-only -Wall"),
    }


def write_files(folder: Path, files: dict[str, tuple[bytes, str]], stale: Iterable[str] = ()) -> dict[Path, str]:
    """Write files into a folder, which is made if it is not there, each whole; the files, each with what it is.

    Files that match one of the patterns `stale` and are not written now are deleted.
    """
    write_folder(folder, {name: content for name, (content, _) in files.items()}, stale)
    return {folder / name: what for name, (_, what) in files.items()}


def write_output(plan: Plan, folder: Path, *, initialised: bool = True, name: str = MODULE) -> dict[Path, str]:
    """Write a plan's files into a folder, see `engine_files` and `write_files`."""
    return write_files(folder, engine_files(plan, initialised=initialised, name=name))
