import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gen.builds import CONTENTS
from golden.errors import TritweaveError
from sim.builds import build_root, kept_build
from sim.toolchain import environment, run, verilator_root


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def counting(made: list[Path]):
    def make(folder: Path, sources: list[Path]) -> None:
        made.append(folder)
        (folder / "result").write_text("".join(path.read_text() for path in sources))

    return make


def test_a_build_is_made_once_and_found_again() -> None:
    made: list[Path] = []
    first = kept_build("x", {"a": "1", "b": "2"}, ["-O"], counting(made))
    again = kept_build("x", {"a": "1", "b": "2"}, ["-O"], counting(made))
    assert first == again
    assert len(made) == 1
    assert (first / "result").read_text() == "12"


@pytest.mark.parametrize(
    ("sources", "flags"),
    [({"a": "1"}, ["-O2"]), ({"a": "2"}, ["-O"]), ({"c": "1"}, ["-O"]), ({"a": "1", "b": ""}, ["-O"])],
)
def test_any_difference_makes_another_build(sources: dict[str, str], flags: list[str]) -> None:
    made: list[Path] = []
    assert kept_build("x", {"a": "1"}, ["-O"], counting(made)) != kept_build("x", sources, flags, counting(made))


def test_a_failed_build_leaves_nothing() -> None:
    def fail(folder: Path, sources: list[Path]) -> None:
        (folder / "half").write_text("")
        raise TritweaveError("no")

    with pytest.raises(TritweaveError, match="no"):
        kept_build("x", {"a": "1"}, [], fail)
    assert list((build_root() / "sim").iterdir()) == []


def test_a_failed_step_shows_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(TritweaveError, match=r"(?s)sh failed with status 3:.*this is why"):
        run(["sh", "-c", "echo this is why >&2; exit 3"], tmp_path)


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TritweaveError, match=r"g\+\+, make, perl.*apt-get install"):
        environment()


def test_a_damaged_or_empty_build_is_made_again() -> None:
    made: list[Path] = []
    folder = kept_build("x", {"a": "1"}, [], counting(made))
    for damage in (
        lambda: (folder / "result").write_text("0"),
        lambda: (folder / "result").unlink(),
        lambda: (folder / CONTENTS).unlink(),
        lambda: (shutil.rmtree(folder), folder.mkdir()),
        lambda: (shutil.rmtree(folder), folder.touch()),
    ):
        damage()
        assert kept_build("x", {"a": "1"}, [], counting(made)) == folder
        assert (folder / "result").read_text() == "1"
    assert len(made) == 6


def test_what_a_killed_build_left_is_deleted_by_the_next_and_what_is_in_use_is_not() -> None:
    script = (
        "import os; from sim.builds import kept_build\n"
        "kept_build('x', {'a': '1'}, [], lambda folder, paths: os.kill(os.getpid(), 9))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    (left,) = (build_root() / "sim").iterdir()

    def build_another(folder: Path, _: list[Path]) -> None:
        kept_build("y", {}, [], counting([]))
        assert folder.is_dir()

    kept_build("x", {"a": "2"}, [], build_another)
    assert not left.exists()
    assert len(list((build_root() / "sim").iterdir())) == 2


def test_folders_with_spaces_are_kept_from_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build of Verilator's, for whose makefile neither the working directory nor its own folder may have a space."""
    (tmp_path / "a b").mkdir()
    monkeypatch.chdir(tmp_path / "a b")
    environment()  # with what is really there
    (tmp_path / "c d").symlink_to(verilator_root())
    monkeypatch.setattr("sim.toolchain.verilator_root", lambda: tmp_path / "c d")

    def make(folder: Path, sources: list[Path]) -> None:
        assert " " not in str(folder)
        verilator = tmp_path / "c d" / "bin" / "verilator_bin"
        run([verilator, "--cc", "--prefix", "Vtop", "-Mdir", folder, *sources], folder)
        # Verilator's own part of the makefile, and nothing that takes long.
        run(["make", "-n", "-f", "Vtop.mk"], folder)
        assert not (folder / "verilator-root").exists()

    folder = kept_build("x", {"a.v": "module a(input i, output o); assign o = i; endmodule\n"}, [], make)
    assert folder.parent == tmp_path / "a b" / "build" / "sim"
    assert (folder / "Vtop.mk").is_file()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_nothing_is_built_where_the_working_directory_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(TritweaveError, match="the working directory has been deleted"):
        build_root()
    monkeypatch.chdir(tmp_path)
