"""Makes what a wheel carries: the folders of this repository as one package `tritweave`, imports rewritten.

In a checkout the folders are packages of their own, and editable installs point at them. Installed beside another
project's `rtl` or `sim` they would be in its way, or it in theirs.
"""

import ast
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "tritweave"
FOLDERS = ("boards", "gen", "golden", "rtl", "sim", "tb")

_ROOT = f'''\
"""Ternary networks to Verilog; see {PACKAGE}.rtl for the components and {PACKAGE}.gen for what is made of them."""


def main() -> None:
    """Run the command."""
    from {PACKAGE}.__main__ import main

    main()
'''
# A string that is nothing but the name of a module: what cocotb or `python -m` is told to import.
_MODULE = re.compile(rf"({'|'.join(FOLDERS)})(\.\w+)+")


class BuildHook(BuildHookInterface):
    """Hatchling's hook; a wheel for an editable install stays as it is."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the package where hatchling takes it from."""
        if version == "editable":
            return
        self.made = Path(tempfile.mkdtemp(prefix=f"{PACKAGE}-wheel-"))
        make_package(Path(self.root), self.made)
        build_data["force_include"][str(self.made)] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        if version != "editable":
            shutil.rmtree(self.made)


def make_package(root: Path, made: Path) -> None:
    """Copy the folders and the command of the repository at `root` into the folder of the package."""
    for folder in FOLDERS:
        shutil.copytree(root / folder, made / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(root / f"{PACKAGE}.py", made / "__main__.py")
    (made / "__init__.py").write_text(_ROOT)
    for file in made.rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        if source != _ROOT:
            file.write_text(rewritten(source, root, str(file.relative_to(made))), encoding="utf-8")


def rewritten(source: str, root: Path, name: str) -> str:
    """The source with every module of the repository below `root` imported from the package."""
    lines = source.encode().splitlines(keepends=True)
    # Last place first, so that the others keep theirs; columns count bytes.
    for line, column, old, new in sorted(_changes(ast.parse(source), root, name), reverse=True):
        text = lines[line - 1]
        if not text[column:].startswith(old.encode()):
            raise ValueError(f"{name}:{line}: expected {old!r} in column {column}; write it on one line")
        lines[line - 1] = text[:column] + new.encode() + text[column + len(old.encode()) :]
    return b"".join(lines).decode()


def _changes(tree: ast.Module, root: Path, name: str) -> Iterator[tuple[int, int, str, str]]:
    """What to replace: line, column, old text and new text."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), level=0) if _ours(module):
                yield node.lineno, node.col_offset, f"from {module}", f"from {PACKAGE}.{module}"
            case ast.Import(names=[ast.alias(name=module, asname=None)]) if module in FOLDERS:
                yield node.lineno, node.col_offset, f"import {module}", f"from {PACKAGE} import {module}"
            case ast.Import(names=names) if any(_ours(module.name) for module in names):
                raise ValueError(f"{name}:{node.lineno}: write it as `from … import …`, which can be rewritten")
            case ast.Constant(value=str(text)) if _MODULE.fullmatch(text) and _is_module(root, text):
                yield node.lineno, node.col_offset + 1, text, f"{PACKAGE}.{text}"


def _ours(module: str) -> bool:
    return module.partition(".")[0] in FOLDERS


def _is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()
