"""The exact number of cycles that an engine takes, composed of its parts' stated latencies."""

from collections.abc import Sequence
from dataclasses import dataclass

from golden.network import Layer
from rtl.activation_buffer import ActivationBuffer
from rtl.config import EngineConfig
from rtl.drain import Drain
from rtl.engine import Engine
from rtl.sequencer import Sequencer


@dataclass(frozen=True)
class Cycles:
    """Cycles of a network on an engine, with inputs always offered and results always taken.

    Parameters
    ----------
    latency
        From a vector's first input word to its last result word, both included.
    period
        Between the last result words of consecutive vectors; from the second on, between their first input words too.
    array
        Cycles of a vector in which the array works: Σ ceil(O/R)·ceil(I/C).
    useful
        Multiplications of a vector over those that the array could do in `array` cycles.

    """

    latency: int
    period: int
    array: int
    useful: float

    def total(self, vectors: int) -> int:
        """From the first input word of the first vector to the last result word of the last, both included."""
        return self.latency + (vectors - 1) * self.period

    @property
    def busy(self) -> float:
        """Share of cycles in which the array works."""
        return self.array / self.period

    @property
    def utilisation(self) -> float:
        """Multiplications done over those the array could do in all cycles."""
        return self.useful * self.busy


def predict(config: EngineConfig, layers: Sequence[Layer]) -> Cycles:
    """Follow two vectors through the engine tile by tile; all further ones repeat the second."""
    first = _vector(config, layers, start=0, tile=-(1 << 40), free=-(1 << 40))
    start = first.tile + 1 + Sequencer.FETCH
    second = _vector(config, layers, start, first.tile, first.free)
    shape = [(-(-layer.outputs // config.rows), -(-layer.inputs // config.columns)) for layer in layers]
    array = sum(tiles * chunks for tiles, chunks in shape)
    useful = sum(layer.weights.size for layer in layers) / (array * config.rows * config.columns)
    return Cycles(first.end + 1, second.end - first.end, array, useful)


@dataclass(frozen=True)
class _Vector:
    """The cycles in which a vector's last tile started its last chunk, its last result left, and the way was free."""

    tile: int
    end: int

    @property
    def free(self) -> int:
        return self.end + 1


def _vector(config: EngineConfig, layers: Sequence[Layer], start: int, tile: int, free: int) -> _Vector:
    """One vector whose first input word enters at `start`; `tile` and `free` are those of the vector before."""
    to_drain = Engine.LATENCY_MEMORY + config.array_latency - 1 + Drain.LATENCY
    words_a_chunk = config.columns // config.lanes
    entered = start + _ceil(layers[0].inputs, config.lanes) - 1
    for index, layer in enumerate(layers):
        words, chunks = _ceil(layer.inputs, config.lanes), _ceil(layer.inputs, config.columns)
        readable = entered + config.quantizer.latency + ActivationBuffer.FILL
        begun = readable + min(words_a_chunk, words) - 1
        if index == len(layers) - 1:
            begun = max(begun, free)
        tile = max(readable + words - 1, begun + chunks - 1, tile + config.drain.interval)
        tiles = _ceil(layer.outputs, config.rows)
        tile += (tiles - 1) * max(chunks, config.drain.interval)
        last_words = _ceil(layer.outputs - (tiles - 1) * config.rows, config.lanes)
        entered = tile + to_drain + last_words - 1
    return _Vector(tile, entered + Engine.LATENCY_RESULT)


def _ceil(count: int, size: int) -> int:
    return -(-count // size)
