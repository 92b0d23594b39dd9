"""The error every layer raises for input it will not take."""


class TritweaveError(ValueError):
    """Input that cannot be used; the message names the value, the limit and, where there is one, the next step."""
