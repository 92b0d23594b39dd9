"""Tritweave installed beside a project that has an `rtl` and a `gen` of its own."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from hatch_build import FOLDERS, rewritten

ROOT = Path(__file__).parent.parent
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
NETWORK = """
from pathlib import Path

import numpy as np
from tritweave.golden.files.checkpoint import write_checkpoint
from tritweave.golden.network import Layer, Network

random = np.random.default_rng(0)
layers = tuple(Layer(random.integers(-1, 2, shape).astype(np.int8), 1.0, relu=True) for shape in ((4, 784), (2, 4)))
write_checkpoint(Path("tiny.safetensors"), Network("tiny", layers))
"""


def run(*command: str | Path, folder: Path) -> str:
    """What a command prints that knows nothing of this checkout."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made of the source distribution as pip makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, folder=ROOT)
    (source,) = folder.glob("*.tar.gz")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "wheel", *options, "-w", folder, source, folder=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def project(wheel: Path) -> Path:
    """A project with an environment in which the wheel is installed; its dependencies are this environment's."""
    folder = wheel.parent / "project"
    environment = folder / ".venv"
    venv.create(environment)
    python = environment / "bin" / "python"
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, folder=folder)
    # Path files of a folder that is named in a path file are not read: this checkout stays out.
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    for name in ("rtl", "gen"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f'"""The project\'s own {name}."""\n')
    return folder


def test_a_wheel_carries_one_package_with_all_its_files(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"tritweave", "tritweave-0.1.0.dist-info"}
    files = [file.relative_to(ROOT) for folder in FOLDERS for file in (ROOT / folder).rglob("*.*") if file.is_file()]
    assert {f"tritweave/{file}" for file in files if file.suffix != ".pyc"} <= set(names)


@pytest.mark.parametrize(
    ("example", "module", "first"),
    [
        (0, "normaliser", "first word out 15 cycles after the last word in"),
        (1, "products", "// products: "),
        (2, "reader", "1931 cycles from the first word in to the last word out"),
    ],
)
def test_components_stand_in_the_projects_own_modules(project: Path, example: int, module: str, first: str) -> None:
    (project / "rtl" / f"{module}.py").write_text(EXAMPLES[example])
    (project / "gen" / "make.py").write_text(f"import rtl.{module}, tritweave.rtl\nprint(rtl.__doc__)\n")
    printed = run(project / ".venv" / "bin" / "python", "-m", "gen.make", folder=project)
    assert printed.startswith(first)
    assert f"module {module}(" in printed
    assert printed.endswith("The project's own rtl.\n")


def test_the_command_runs_from_there(project: Path) -> None:
    (project / "network.py").write_text(NETWORK)
    command = project / ".venv" / "bin" / "tritweave"
    python = project / ".venv" / "bin" / "python"
    assert "icebreaker" in run(command, "boards", folder=project)
    assert "1,056" in run(python, "-m", "tritweave", "plan", "mnist", folder=project)
    run(python, "network.py", folder=project)
    run(command, "generate", "tiny.safetensors", "-o", "made", "--fold", "2x2x1", folder=project)
    assert {file.name for file in (project / "made").iterdir()} >= {"tritweave.v", "tritweave.image", "tritweave.vlt"}
    printed = run(command, "simulate", "tiny.safetensors", "--images", "2", "--fold", "2x2x1", folder=project)
    assert "2 of 2 images" in printed


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from rtl.limits import a  # rtl.limits\n", "from tritweave.rtl.limits import a  # rtl.limits\n"),
        ("def f():\n    'é'; from gen import plan\n", "def f():\n    'é'; from tritweave.gen import plan\n"),
        ("import golden\nimport json\n", "from tritweave import golden\nimport json\n"),
        ("run('tb.bench_array', 'tb.bench')\n", "run('tritweave.tb.bench_array', 'tb.bench')\n"),
        ("from .rtl import a\nfrom rtlx import b\nrtl.c = 'rtl'\n", None),
    ],
)
def test_imports_and_names_of_modules_are_rewritten(source: str, expected: str | None) -> None:
    assert rewritten(source, ROOT, "a.py") == (expected or source)


@pytest.mark.parametrize(
    "source", ["import rtl.limits\n", "import json, gen\n", "import rtl as r\n", "f('''tb.bits''')\n"]
)
def test_what_cannot_be_rewritten_is_named(source: str) -> None:
    with pytest.raises(ValueError, match=r"^a.py:1: "):
        rewritten(source, ROOT, "a.py")
