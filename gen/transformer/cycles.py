"""Cycles of a token, from the declared timing of the units that follow the program."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from gen.transformer.program import Program, ProgramStep
from golden.errors import TritweaveError
from rtl.transformer.array_unit import ArrayUnit
from rtl.transformer.config import DecoderConfig
from rtl.transformer.element_lanes import ElementLanes
from rtl.transformer.embedding_reader import EmbeddingReader
from rtl.transformer.kinds import Result, Unit, Wait
from rtl.transformer.quantiser_lanes import QuantiserLanes
from rtl.transformer.result_lanes import ResultLanes
from rtl.transformer.sampler import Sampler
from rtl.transformer.scalar_unit import ScalarUnit
from rtl.transformer.sequencer import Sequencer
from rtl.transformer.timing import Timing


@dataclass(frozen=True)
class TokenCycles:
    """What a token takes.

    Parameters
    ----------
    total
        Cycles from the one in which the token is taken to that in which the next one can be, if a choice is taken at
        once.
    choice
        Cycles to the one in which the choice is offered; None without one.
    array
        Those in which the array multiplies.

    """

    total: int
    choice: int | None
    array: int


@dataclass(frozen=True, eq=False)
class DecoderCycles:
    """Predicted cycles of a decoder; simulation agrees exactly.

    Parameters
    ----------
    config
        The decoder.

    """

    config: DecoderConfig
    _known: dict[tuple[int, int, bool], TokenCycles] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def program(self) -> Program:
        """What the units do."""
        return Program.of(self.config)

    def token(self, position: int, *, sample: bool = True) -> TokenCycles:
        """Of the token at a position, whose choice is asked for or not."""
        if not 0 <= position < (context := self.config.shape.context):
            raise TritweaveError(f"the position is {position}; the context of this decoder has 0 to {context - 1}")
        place = position // self.config.rows, position // self.config.columns, sample
        if place not in self._known:
            self._known[place] = self._token(*place)
        return self._known[place]

    def _token(self, tile: int, chunk: int, sample: bool) -> TokenCycles:
        program, blocks = self.program, self.config.shape.blocks
        offered = max(Sequencer.FETCH, EmbeddingReader.timing(self.config).done)
        free, idle = dict.fromkeys(Unit, 0), dict.fromkeys(Wait, 0)
        array, given = 0, 0
        for step in chain(*[program.block] * blocks, program.head if sample else ()):
            timing, multiplying = self._timing(step, tile, chunk)
            given = max(offered, free[step.unit], *(idle[wait] for wait in step.waits))
            free[step.unit] = given + timing.walk
            if step.unit is Unit.ARRAY:
                idle[Wait.ARRAY_BUT_TWO] = idle[Wait.ARRAY_BUT_ONE]
                idle[Wait.ARRAY_BUT_ONE] = idle[Wait.ARRAY]
            wait = Wait(step.unit)
            idle[wait] = max(idle[wait], given + timing.done)
            offered = given + Sequencer.FETCH
            array += multiplying
        choice, rest = None, max(given + 1, *idle.values())
        if sample:
            words = idle[Wait.ARRAY] - ResultLanes.finish_latency(self.config) - 1
            choice = words + ResultLanes.LATENCY + Sampler.latency(self.config)
            rest = max(rest, choice + 1)
        return TokenCycles(rest + Sequencer.REST, choice, array)

    def _timing(self, step: ProgramStep, tile: int, chunk: int) -> tuple[Timing, int]:
        """What a step takes, and for how many cycles the array multiplies."""
        fields = step.fields
        if step.unit is Unit.ELEMENTS:
            return ElementLanes.timing(self.config, fields, chunk), 0
        if step.unit is Unit.QUANTISER:
            return QuantiserLanes.timing(self.config, fields, chunk), 0
        if step.unit is Unit.SCALARS:
            return ScalarUnit.timing(self.config, fields["operation"]), 0
        tiles = tile + 1 if fields.get("by_tiles") else fields["tiles"] + 1
        chunks = chunk + 1 if fields.get("by_chunks") else fields["chunks"] + 1
        planes = fields.get("planes", 0) + 1
        words = fields["words"] + 1 if "words" in fields else tiles * (self.config.rows // self.config.lanes)
        answer = ResultLanes.finish_latency(self.config)
        result: Result = fields["result"]
        timing = ArrayUnit.timing(
            self.config, result, tiles=tiles, chunks=chunks, planes=planes, words=words, answer=answer
        )
        return timing, tiles * chunks * planes
