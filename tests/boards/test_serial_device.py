import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("serial")

from boards.serial_device import SerialDevice, SerialLine
from golden.errors import TritweaveError


@pytest.fixture
def ends() -> Iterator[tuple[int, str]]:
    """The host's end of a pseudo terminal as a file, the other end as a port's name."""
    host, port = os.openpty()
    yield host, os.ttyname(port)
    os.close(port)
    os.close(host)


def test_frames_are_read_whole_or_until_the_time_is_over(ends: tuple[int, str]) -> None:
    line = SerialLine(ends[1], 115_200)
    line.open()
    os.write(ends[0], b"ab\0cd\0e")
    assert [line.read_frame(0.1) for _ in range(4)] == [b"ab\0", b"cd\0", b"e", b""]
    line.write(b"\0\1\xff")
    assert os.read(ends[0], 9) == b"\0\1\xff"
    line.close()


def test_what_came_before_is_dropped(ends: tuple[int, str]) -> None:
    os.write(ends[0], b"stale\0")
    line = SerialLine(ends[1], 115_200)
    line.open()
    assert line.read_frame(0.05) == b""
    line.close()


def test_a_busy_port_is_named(ends: tuple[int, str]) -> None:
    first, second = (SerialLine(ends[1], 115_200) for _ in range(2))
    first.open()
    with pytest.raises(TritweaveError, match=f"port {ends[1]} is busy; close the program that has it"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_a_missing_port_is_named() -> None:
    with pytest.raises(TritweaveError, match="port /dev/tty-none does not exist; ports found: "):
        SerialLine("/dev/tty-none", 115_200).open()


def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(TritweaveError, match="does not open: "):
        SerialLine(str(file), 115_200).open()


def test_a_port_that_goes_is_one_error(ends: tuple[int, str]) -> None:
    host, port = os.openpty()
    name = os.ttyname(port)
    line = SerialLine(name, 115_200)
    line.open()
    os.close(port)
    os.close(host)
    with pytest.raises(ConnectionError, match=f"port {name} has gone"):
        line.read_frame(0.1)
    line.close()
    with pytest.raises(ConnectionError, match="is not open"):
        line.write(b"")


def test_a_silent_device_is_one_error(ends: tuple[int, str]) -> None:
    with pytest.raises(TritweaveError, match=f"the device on {ends[1]} does not answer; identify was tried 2 times"):
        SerialDevice(ends[1], 1_000_000, timeout=0.05, attempts=2).open()


def test_without_pyserial_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(TritweaveError, match=r"pip install 'tritweave\[host\]'"):
        SerialLine("/dev/tty", 115_200).open()
