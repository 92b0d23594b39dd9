"""The error every layer raises for input it will not take."""


class TritiumError(ValueError):
    """Input that cannot be used; the message names the value, the limit and, where there is one, the next step."""
