"""What a long command is doing: the steps of builds say so, and whoever shows progress listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def announce(phase: str) -> None:
    """Say that a phase begins, e.g. ``placing``."""
    if listener := _listener.get():
        listener(phase)


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """Let a function hear what is announced in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
