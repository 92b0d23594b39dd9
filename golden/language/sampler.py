"""The sampler: the largest logit, or with a temperature the largest of logit plus noise, in one pass."""

from typing import Final

import numpy as np

from golden.errors import TritweaveError
from golden.language.embedding import Logits
from golden.language.format import LOGIT_BITS, NOISE_FRACTION, NOISE_INDEX, SEED_FACTOR
from golden.language.scalars import Integers, Scalars

TEMPERATURES: Final = (1 / 64, 64)
"""The lowest above 0, and the highest."""

_SHIFTS: Final = (13, 17, 5)


def noise_table() -> Integers:
    """Gumbel noise in log2, ``-log2(-ln u)``, at the middles of equal steps of u, in `NOISE_FRACTION` bits."""
    places = (np.arange(1 << NOISE_INDEX) + 0.5) / (1 << NOISE_INDEX)
    return np.rint(-np.log2(-np.log(places)) * (1 << NOISE_FRACTION)).astype(np.int64)


def state_of(seed: int) -> int:
    """The shift register's first state: an odd multiple of the seed plus 1, so that no seed gives 0 or another's."""
    if not 0 <= seed < 0xFFFFFFFF:
        raise TritweaveError(f"the seed is {seed}; it is a whole number from 0 to {0xFFFFFFFF - 1}")
    return SEED_FACTOR * (seed + 1) & 0xFFFFFFFF


class Sampler:
    """Chooses tokens; of equal ones the first.

    The noise comes from a shift register of 32 bits that steps once for each logit (``x ^= x << 13; x ^= x >> 17;
    x ^= x << 5``), whose highest `NOISE_INDEX` bits choose an entry of the noise table. It does not step where the
    temperature is 0.

    Parameters
    ----------
    temperature
        0, or within `TEMPERATURES`.
    seed
        0 to 2**32 - 2.

    """

    def __init__(self, temperature: float = 0.0, seed: int = 0):
        if temperature != 0 and not TEMPERATURES[0] <= temperature <= TEMPERATURES[1]:
            raise TritweaveError(
                f"the temperature is {temperature}; it is 0, or from {TEMPERATURES[0]} to {TEMPERATURES[1]}"
            )
        self.temperature = temperature
        self.state = state_of(seed)
        self._table = noise_table()

    def choose(self, logits: Logits, bits: int) -> int:
        """The next token from the logits of one, mantissas of `bits` bits."""
        values = logits.values.reshape(-1)
        if self.temperature == 0:
            return int(values.argmax())
        unit = logits.unit.times(Scalars.constant(1 / self.temperature, bits), bits)
        return int((at_sampler(values, unit) + self._table[self.draw(len(values))]).argmax())

    def draw(self, count: int) -> list[int]:
        """Entries of the noise table for so many logits."""
        found, state, (left, right, last) = [], self.state, _SHIFTS
        for _ in range(count):
            state ^= state << left & 0xFFFFFFFF
            state ^= state >> right
            state ^= state << last & 0xFFFFFFFF
            found.append(state >> 32 - NOISE_INDEX)
        self.state = state
        return found


def at_sampler(values: Integers, unit: Scalars) -> Integers:
    """Logits in units of ``2**-NOISE_FRACTION``, rounded down, saturated to `LOGIT_BITS`; one product a logit."""
    right = np.clip(-(unit.exponent.reshape(-1) + NOISE_FRACTION), 0, 62)
    limit = (1 << LOGIT_BITS - 1) - 1
    return np.clip(values * unit.mantissa.reshape(-1) >> right, -limit, limit)
