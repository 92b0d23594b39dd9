import os

import pytest

from golden.errors import TritweaveError
from golden.files.disk import read_bytes, replacing, write_bytes


def test_bytes_come_back_as_written(tmp_path):
    path = tmp_path / "new" / "folder" / "file.bin"
    write_bytes(path, b"\0first\xff")
    assert read_bytes(path, "file") == b"\0first\xff"
    write_bytes(path, b"second")
    assert read_bytes(path, "file") == b"second"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path):
    with pytest.raises(TritweaveError, match=f"cannot read model {tmp_path / 'none'}: No such file or directory"):
        read_bytes(tmp_path / "none", "model")
    with pytest.raises(TritweaveError, match=f"cannot read model {tmp_path}: Is a directory"):
        read_bytes(tmp_path, "model")


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path, old, error):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half a f")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({} if old is None else {"file": old})


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.parent == tmp_path
    assert path.read_bytes() == b"new"
    assert not temporary.exists()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_permissions_of_any_other(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "file", b"")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TritweaveError, match=f"cannot write {tmp_path / 'file' / 'below'}: "):
        write_bytes(tmp_path / "file" / "below", b"new")


def test_a_folder_in_the_place_of_the_file_is_refused_and_nothing_left(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(TritweaveError, match=f"cannot write {path}: Is a directory"):
        write_bytes(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    assert list(path.iterdir()) == []
