from pathlib import Path

import pytest

from golden.errors import TritweaveError
from sim.builds import build_root, kept_build
from sim.toolchain import environment, run


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
