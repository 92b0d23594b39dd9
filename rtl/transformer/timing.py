"""How long a unit of the decoder takes for a step: known before it is built, whatever the numbers are."""

from typing import NamedTuple


class Timing(NamedTuple):
    """Cycles from the one in which a step is accepted."""

    walk: int
    """To the first in which the unit's next step can be accepted."""
    done: int
    """To the first in which the unit is not busy, if it has accepted nothing else: every effect can be seen."""
