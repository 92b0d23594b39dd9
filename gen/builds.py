"""Builds kept under a hash of everything that goes into them."""

import hashlib
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from golden.errors import TritweaveError
from golden.files.disk import make_folder, write_bytes

CONTENTS = "contents.json"
"""The file in a build's folder that lists the others with their sizes and CRC-32, written last."""

_PREFIX = ".tritweave-build-"
_AWKWARD = re.compile(r"[^\w./+@,=-]")
"""What GNU make, or the makefiles that programs write for it, cannot have in a path."""


def build_root() -> Path:
    """Where everything that is made goes: `build` in the working directory."""
    try:
        return Path.cwd() / "build"
    except FileNotFoundError as error:
        raise TritweaveError("the working directory has been deleted; change to one that is there") from error


def kept_build(
    kind: str,
    name: str,
    sources: Mapping[str, str],
    depends: Sequence[str],
    make: Callable[[Path, list[Path]], None],
) -> Path:
    """A folder with the build of these sources, made if there is none yet or if it is damaged.

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
        Builds in the folder that it is given, from the sources' paths; these hold no space.

    Returns
    -------
    The folder, complete: a build that fails or is broken off leaves none, and what one that was killed left is
    deleted by the next.

    """
    digest = hashlib.sha256(repr((sorted(sources.items()), list(depends))).encode()).hexdigest()[:16]
    folder = build_root() / kind / f"{name}-{digest}"
    if _is_whole(folder):
        return folder
    make_folder(folder.parent)
    with _workshop(_plain(folder.parent)) as workshop:
        paths = [workshop / file for file in sources]
        for path, content in zip(paths, sources.values(), strict=True):
            write_bytes(path, content.encode())
        make(workshop, paths)
        write_bytes(workshop / CONTENTS, json.dumps(_contents(workshop)).encode())
        if workshop.parent == folder.parent:
            _publish(workshop, folder)
        else:
            with _workshop(folder.parent) as copy:
                shutil.copytree(workshop, copy, dirs_exist_ok=True)
                _publish(copy, folder)
    return folder


def keep_only(folder: Path, *patterns: str) -> None:
    """Delete the files of a build that nobody needs any more."""
    for path in folder.iterdir():
        if not any(path.match(pattern) for pattern in patterns):
            path.unlink()


def is_awkward(path: Path) -> bool:
    """Whether GNU make would stumble over the path."""
    return bool(_AWKWARD.search(str(path)))


def _plain(folder: Path) -> Path:
    """The folder, or one for temporary files if make would stumble over this one."""
    if not is_awkward(folder):
        return folder
    places = (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))
    for place in places:
        if place.is_dir() and not is_awkward(place):
            return place
    raise TritweaveError(f"make cannot build in {folder}, nor in {places[0]}; set TMPDIR to a folder without spaces")


def _contents(folder: Path) -> dict[str, list[int]]:
    """Size and CRC-32 of a folder's files."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != CONTENTS)
    return {str(path.relative_to(folder)): _fingerprint(path) for path in files}


def _fingerprint(path: Path) -> list[int]:
    content = path.read_bytes()
    return [len(content), zlib.crc32(content)]


def _is_whole(folder: Path) -> bool:
    try:
        listed = json.loads((folder / CONTENTS).read_bytes())
        return all(_fingerprint(folder / name) == fingerprint for name, fingerprint in listed.items())
    except (OSError, ValueError, AttributeError):
        return False


def _publish(workshop: Path, folder: Path) -> None:
    """Give a finished build its name, unless another process was first; a damaged one makes way."""
    with _locked(folder.parent):
        if _is_whole(folder):
            return
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)
        workshop.rename(folder)


@contextmanager
def _workshop(parent: Path) -> Iterator[Path]:
    """A new folder for a build, locked as long as it is in use; those that nobody uses any more are deleted."""
    with _locked(parent):
        for found in parent.glob(f"{_PREFIX}*"):
            if found.is_dir() and found.stat().st_uid == os.getuid() and not _is_locked(found):
                shutil.rmtree(found, ignore_errors=True)
        workshop = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX))
        lock = _lock(workshop)
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
        os.close(lock)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = _lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _is_locked(folder: Path) -> bool:
    try:
        os.close(_lock(folder, wait=False))
    except BlockingIOError:
        return True
    return False


def _lock(folder: Path, *, wait: bool = True) -> int:
    """A lock on a folder, which ends with its file descriptor, and so at the latest with the process."""
    import fcntl  # not on Windows, where nothing is built

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
