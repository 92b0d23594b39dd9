"""Tables of names and figures, and of files, on a terminal."""

from pathlib import Path

from rich.table import Column, Table


def figures_table(title: str) -> Table:
    """An empty table of names and figures."""
    table = Table(title=title, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    return table


def files_table(files: dict[Path, str]) -> Table:
    """Files that were written, each with its size and what it is."""
    table = Table(Column("file", overflow="fold"), "bytes", "what")
    for file, what in files.items():
        table.add_row(str(file), f"{file.stat().st_size:,}", what)
    return table
