"""Builds kept under a hash of everything that goes into them."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from golden.files.disk import write_bytes


def build_root() -> Path:
    """Where everything that is made goes: `build` in the working directory."""
    return Path.cwd() / "build"


def kept_build(
    kind: str,
    name: str,
    sources: Mapping[str, str],
    depends: Sequence[str],
    make: Callable[[Path, list[Path]], None],
) -> Path:
    """A folder with the build of these sources, made if there is none yet.

    Parameters
    ----------
    kind
        The folder's folder below `build_root`.
    name
        What the folder's name starts with.
    sources
        File name to content; written into the folder before `make` is called.
    depends
        Whatever else the result depends on, flags and the tools' versions; it enters the hash beside the sources.
    make
        Builds in the folder that it is given, from the sources' paths.

    Returns
    -------
    The folder, complete: a build that fails or is broken off leaves none.

    """
    digest = hashlib.sha256(repr((sorted(sources.items()), list(depends))).encode()).hexdigest()[:16]
    folder = build_root() / kind / f"{name}-{digest}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        paths = [temporary / file for file in sources]
        for path, content in zip(paths, sources.values(), strict=True):
            write_bytes(path, content.encode())
        make(temporary, paths)
        try:
            temporary.rename(folder)
        except OSError:
            # Another process finished the same build first; its result is the same.
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder
