"""Reading and writing files so that nothing is lost: whole reads, writes by rename, errors with path and reason."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from golden.errors import TritweaveError


def read_bytes(path: Path, what: str) -> bytes:
    """The whole file, or an error that says what could not be read and why."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TritweaveError(f"cannot read {what} {path}: {error.strerror}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path whose content becomes that of `path` when the block ends well, and vanishes when it does not.

    Links are followed, and a file that was there gives its mode and owner to the new one. What is no regular file,
    such as a pipe or a device, and whatever a process has open (``/dev/stdout``), is written to, not replaced.
    """
    try:
        before = _status(path)
        if before and stat.S_ISDIR(before.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if before and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if (before and not stat.S_ISREG(before.st_mode)) or _is_open_file(path):
            with _temporary(None) as temporary:
                yield temporary
                with temporary.open("rb") as source, path.open("ab") as target:
                    shutil.copyfileobj(source, target)
            return
        target = Path(os.path.realpath(path))
        make_folder(target.parent)
        with _temporary(target.parent) as temporary:
            yield temporary
            temporary.chmod(stat.S_IMODE(before.st_mode) if before else 0o666 & ~_umask())
            if before:
                with suppress(OSError):  # only root may give files away
                    os.chown(temporary, before.st_uid, before.st_gid)
            temporary.replace(target)
    except OSError as error:
        raise TritweaveError(f"cannot write {path}: {error.strerror or error}") from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are not there yet; an `OSError` says what is in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_folder(folder: Path, contents: Mapping[str, bytes], stale: Iterable[str]) -> None:
    """Write files into a folder, and delete those that match `stale` and are not among them: all are of one run."""
    for name, content in contents.items():
        write_bytes(folder / name, content)
    for pattern in stale:
        for path in folder.glob(pattern):
            if path.name not in contents:
                path.unlink()


def check_writable(path: Path) -> None:
    """Raise if it is plain now that `path` cannot be written; minutes later would be too late. Leaves no trace."""
    try:
        before = _status(path)
        place, reason = path, errno.EISDIR if before and stat.S_ISDIR(before.st_mode) else errno.EACCES
        while before is None:
            place, reason = place.parent, errno.EACCES
            before = _status(place)
            if before and not stat.S_ISDIR(before.st_mode):
                reason = errno.ENOTDIR
            if place == place.parent:
                break
        if reason in (errno.EISDIR, errno.ENOTDIR) or not os.access(place, os.W_OK):
            raise OSError(reason, os.strerror(reason))
    except OSError as error:
        raise TritweaveError(f"cannot write {path}: {error.strerror}") from error


def _status(path: Path) -> os.stat_result | None:
    """What is at the end of a path's links, if anything is."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None


def _is_open_file(path: Path) -> bool:
    """Whether the path, or a link on its way, is one of those by which a system names open files."""
    step = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the links
    for _ in range(40):
        if step.is_relative_to("/dev/fd") or step.is_relative_to("/proc"):
            return True
        if not step.is_symlink():
            return False
        step = step.parent / step.readlink()
    return False


@contextmanager
def _temporary(folder: Path | None) -> Iterator[Path]:
    """A private file whose name is short, for the final one may be as long as names get."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".tritweave-")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
