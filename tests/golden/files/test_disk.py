import os
import stat
import threading
from pathlib import Path

import pytest

from golden.errors import TritweaveError
from golden.files.disk import check_writable, replacing, write_bytes, write_folder


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to("there/file")
    for content in (b"first", b"second"):
        write_bytes(link, content)
        assert link.is_symlink()
        assert (tmp_path / "there" / "file").read_bytes() == content


def test_a_file_s_mode_stays_and_a_new_one_has_the_usual(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_bytes(file, b"1")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask
    file.chmod(0o600)
    write_bytes(file, b"2")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_pipe_and_an_open_file_get_the_content_and_are_not_replaced(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"through")
    reader.join()
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with (tmp_path / "file").open("wb") as file:
        file.write(b"before, ")
        file.flush()
        write_bytes(Path(f"/proc/self/fd/{file.fileno()}"), b"behind")
        assert os.fstat(file.fileno()).st_nlink == 1
    assert (tmp_path / "file").read_bytes() == b"before, behind"


def test_names_may_be_as_long_as_the_system_takes(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("x" * 255), b"1")
    with pytest.raises(TritweaveError, match="File name too long"):
        write_bytes(tmp_path / ("x" * 256), b"1")


def test_what_goes_wrong_leaves_the_old_file_alone(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"old")

    def fail() -> None:
        with replacing(tmp_path / "file") as temporary:
            temporary.write_bytes(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("folder", "Is a directory"), ("file/x", "Not a directory"), ("/dev/full", "No space left on device")],
)
def test_errors_name_path_and_reason(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(TritweaveError, match=f"cannot write .*{name}: {reason}"):
        write_bytes(tmp_path / name, b"x")
    if name != "/dev/full":
        with pytest.raises(TritweaveError, match=f"cannot write .*{name}: {reason}"):
            check_writable(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_and_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o400)
    tmp_path.chmod(0o500)
    for path in (tmp_path / "file", tmp_path / "new", tmp_path / "new" / "new"):
        for write in (check_writable, lambda path: write_bytes(path, b"")):
            with pytest.raises(TritweaveError, match="Permission denied"):
                write(path)
    tmp_path.chmod(0o700)


def test_what_can_be_written_passes_without_a_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "file")
    check_writable(Path("/dev/null"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_s_files_are_of_one_run(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    write_folder(tmp_path, {"a": b"1", "b": b"1"}, ("a", "b"))
    write_folder(tmp_path, {"a": b"2"}, ("a", "b"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "mine"]
