"""Arithmetic energy: what papers say that an operation takes. Moving data takes more, and is not in it."""

from typing import Final, NamedTuple


class Energies(NamedTuple):
    """Picojoules of an operation in a process."""

    float_add: float
    """FP16."""
    float_multiply: float
    """FP16."""
    small_add: float
    """INT8."""
    small_multiply: float | None = None
    """INT8; None: not stated."""

    @property
    def ratio(self) -> float:
        """An FP16 multiply-accumulate over an INT8 addition."""
        return (self.float_add + self.float_multiply) / self.small_add


PROCESSES: Final = {
    # M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, figure 1.1.9.
    "45 nm": Energies(0.4, 1.1, 0.03, 0.2),
    # The table of energies in BitNet (2310.11453), after Jouppi et al., Ten lessons from three generations, ISCA 2021.
    "7 nm": Energies(0.16, 0.34, 0.007),
}
"""By name."""

WIDE_ADD: Final = 0.1
"""INT32 in 45 nm, picojoules; from Horowitz, as above."""

WIDE_MULTIPLY: Final = 3.1
"""Likewise."""
