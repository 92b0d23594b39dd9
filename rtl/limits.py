"""One way to refuse a parameter: the message names it, its value and its limits."""

from golden.errors import TritweaveError


def check_range(owner: str, name: str, value: int, low: int, high: int) -> None:
    """Raise unless `value` is an integer in [low, high]."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise TritweaveError(f"{owner}: {name} is {value!r}; it must be an integer from {low} to {high}")


def check_multiple(owner: str, name: str, value: int, divisor_name: str, divisor: int) -> None:
    """Raise unless `value` is a multiple of `divisor`."""
    if value % divisor:
        raise TritweaveError(f"{owner}: {name} is {value}; it must be a multiple of {divisor_name}, which is {divisor}")
