"""Cycles of a token, from the declared timing of the units that follow the program."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gen.transformer.program import Program, ProgramStep
from rtl.transformer.array_unit import ArrayUnit
from rtl.transformer.config import DecoderConfig
from rtl.transformer.decoder import Decoder
from rtl.transformer.element_lanes import ElementLanes
from rtl.transformer.embedding_reader import EmbeddingReader
from rtl.transformer.quantiser_lanes import QuantiserLanes
from rtl.transformer.scalar_unit import ScalarUnit
from rtl.transformer.sequencer import Sequencer
from rtl.transformer.steps import Unit
from rtl.transformer.timing import Timing


@dataclass(frozen=True)
class TokenCycles:
    """What a token takes.

    Parameters
    ----------
    total
        Cycles from the token's being taken until the next one can be, its choice being taken at once.
    array
        Those of them in which the array multiplies.

    """

    total: int
    array: int


@dataclass(frozen=True)
class DecoderCycles:
    """Predicted cycles of a decoder; simulation agrees exactly.

    Parameters
    ----------
    config
        The decoder.

    """

    config: DecoderConfig
