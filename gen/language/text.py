"""Text files, and documents in them."""

import gzip
from pathlib import Path
from typing import Final

from golden.errors import TritweaveError
from golden.files.disk import read_bytes

MARK: Final = "<|endoftext|>"
"""What stands between documents; the start token's name."""


def read_text(path: Path) -> str:
    """A UTF-8 text, gzipped or not."""
    content = read_bytes(path, "text")
    try:
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TritweaveError(f"{path} is no {path.suffix} file of UTF-8 text: {error}") from error


def documents(text: str) -> list[str]:
    """What lies between the marks, less one newline behind each; empty ones are dropped."""
    found = (document.removeprefix("\n") for document in text.split(MARK))
    return [document for document in found if document]


def beginning(document: str, size: int) -> str:
    """The first `size` bytes, less a character that they cut, and less the white space that is then at the end."""
    return document.encode()[:size].decode(errors="ignore").rstrip()
