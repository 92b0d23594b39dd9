"""The exact number of cycles that a network takes on an engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from gen.plan.timeline import Times, follow
from golden.errors import TritweaveError
from golden.network import Layer
from golden.schemes.integer import IntegerLayer
from rtl.engine.config import EngineConfig
from rtl.engine.sequencer import Sequencer
from rtl.memory.activation_buffer import ActivationBuffer

_STEADY = (24, 96, 384, 1536)
"""After how many vectors an engine is looked at for a rhythm, in as many again."""


@dataclass(frozen=True, eq=False)
class Cycles:
    """Cycles of a network on an engine, with results always taken.

    Parameters
    ----------
    config
        The engine.
    layers
        The network's layers.

    """

    config: EngineConfig
    layers: Sequence[Layer | IntegerLayer]

    @cached_property
    def latency(self) -> int:
        """Of a vector alone: from its first input word to its last result word, both included."""
        (alone,) = follow(self.config, self.layers, 1)
        return alone.left + 1

    @property
    def compute(self) -> int:
        """Of a vector alone: from its first chunk at the array to its last result word, fill and drain included."""
        words = -(-self.layers[0].inputs // self.config.lanes)
        first_chunk = min(self.config.columns // self.config.lanes, words)
        norm = self.config.norm
        normed = norm.sum_latency + norm.output_latency + words - 1 if norm else 0
        before = words - 1 + normed + self.config.quantizer.latency
        return self.latency - (before + first_chunk - 1 + ActivationBuffer.FILL + Sequencer.CHOICE + 1)

    @cached_property
    def array(self) -> int:
        """Cycles of a vector in which the array works: Σ ceil(O/R)·ceil(I/C), I a pass's inputs."""
        rows, columns = self.config.rows, self.config.columns
        return sum(
            -(-layer.outputs // rows) * -(-(end - start) // columns)
            for layer in self.layers
            for start, end in layer.passes
        )

    @cached_property
    def period(self) -> float:
        """Between the results of consecutive vectors, inputs always offered: the mean, once it repeats itself.

        It does for all networks that were ever looked at, within eight vectors; an error says so of one that does not.
        """
        for steady in _STEADY:
            left = [times.left for times in self.times(2 * steady)][steady // 2 : -steady // 2]
            apart = [after - before for before, after in pairwise(left)]
            for count in range(1, len(apart) // 2):
                if apart[count:] == apart[:-count]:
                    return sum(apart[:count]) / count
        raise TritweaveError(f"results come in no rhythm within {2 * _STEADY[-1]} vectors; choose another fold")

    def times(self, vectors: int) -> list[Times]:
        """When each of so many vectors enters and leaves, inputs always offered; the first enters in cycle 0."""
        return follow(self.config, self.layers, vectors)

    def alone(self, vectors: int) -> list[Times]:
        """The same, each vector offered once the one before has left."""
        return [Times(index * self.latency, (index + 1) * self.latency - 1) for index in range(vectors)]

    def total(self, vectors: int) -> int:
        """From the first input word of the first of so many vectors to the last result word of the last."""
        return self.times(vectors)[-1].left + 1

    @property
    def busy(self) -> float:
        """Share of cycles in which the array works."""
        return self.array / self.period

    @property
    def utilisation(self) -> float:
        """Multiplications done over those the array could do in all cycles."""
        return self.useful * self.busy

    @property
    def useful(self) -> float:
        """Multiplications of a vector over those that the array could do in `array` cycles."""
        done = sum(layer.outputs * (end - start) for layer in self.layers for start, end in layer.passes)
        return done / (self.array * self.config.rows * self.config.columns)
