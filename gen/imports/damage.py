"""What reading damaged files with other people's packages raises, and how to tell it."""

import zipfile
import zlib
from typing import Final

ZIP_ERRORS: Final = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError),
    *(ValueError, KeyError, IndexError, OverflowError),
)
"""What `zipfile` and numpy raise for archives that are not whole."""


def one_line(error: Exception) -> str:
    """The message of an error in a line that is not too long."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in str(error)).split())
    return text[:160] or type(error).__name__
