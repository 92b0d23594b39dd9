"""When each vector enters and leaves an engine, followed from event to event."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from golden.network import Layer
from golden.schemes.integer import IntegerLayer
from rtl.engine.config import EngineConfig
from rtl.engine.engine import Engine
from rtl.engine.sequencer import Sequencer
from rtl.engine.walk import Walk
from rtl.memory.activation_buffer import ActivationBuffer
from rtl.quantiser.config import QuantizerConfig

_NEVER = 1 << 62
_SEEN = ActivationBuffer.FILL + Sequencer.CHOICE
"""Cycles from the last word of a layer's first chunk to the soonest in which it can be given to the array."""


class Times(NamedTuple):
    """The cycles in which a vector's first input word entered and its last result word left."""

    entered: int
    left: int


class _Size(NamedTuple):
    """A layer on an engine: words of its input, passes of a tile, tiles, and words of the last tile's results."""

    words: int
    passes: tuple[tuple[int, int], ...]
    """Of each, its first chunk and the one behind its last."""
    tiles: int
    last_words: int


class _Arrival(NamedTuple):
    """A vector on its way into the activation buffer: the cycle of its first word, and how many words it has."""

    first: int = _NEVER
    words: int = 0


class _Waiting(NamedTuple):
    """A vector that has entered the quantiser, all of it: the cycle of its last word, its channel, its words."""

    last_word: int
    channel: int
    words: int


def follow(config: EngineConfig, layers: Sequence[Layer | IntegerLayer], count: int) -> list[Times]:
    """The times of the first `count` vectors, all offered at once, results taken at once; the first enters in cycle 0.

    Each thing happens as soon as it may, in the order of their cycles: words of inputs enter, a vector is normed, one
    leaves the quantiser, the array is given a layer. The rules are those of `Intake`, `Norm`, `Quantizer` and
    `Sequencer`.
    """
    return _Timeline(config, layers, count).times()


class _Timeline:
    def __init__(self, config: EngineConfig, layers: Sequence[Layer | IntegerLayer], count: int):
        self._config, self._count, self._vectors = config, count, config.vectors
        self._sizes = [
            _Size(
                _ceil(layer.inputs, config.lanes),
                tuple((start // config.columns, _ceil(end, config.columns)) for start, end in layer.passes),
                _ceil(layer.outputs, config.rows),
                _ceil((layer.outputs - 1) % config.rows + 1, config.lanes),
            )
            for layer in layers
        ]
        self._entered: list[int] = []
        self._left: list[int] = []
        # Inputs: words of the one that enters, the soonest cycle of the next word, and, by vector, of its next input.
        self._words, self._next_word, self._free = 0, 0, [0] * self._vectors
        # Cycles in which results of layers enter the quantiser, first and last; vectors that wait in the quantiser.
        self._results: deque[tuple[int, int]] = deque()
        self._waiting: list[_Waiting] = []
        # Vectors in front of the norms; since when one can be taken on there, and since when an input.
        self._unnormed: list[_Waiting] = []
        self._norm_free, self._input_free = 0, 0
        # The last handover out of the quantiser, since when its dividers are free, and how many inputs have left it.
        self._handed, self._dividers, self._inputs_quantised = -_NEVER, 0, 0
        # By vector: its next layer, since when that one's entry of the program is read, and what arrives for its first
        # and its further layers.
        self._layer, self._program_read = [0] * self._vectors, [0] * self._vectors
        self._inputs, self._hidden = [_Arrival()] * self._vectors, [_Arrival()] * self._vectors
        # The cycle of the last tile's last chunk, and of the last start of a final layer.
        self._tile, self._turn = -_NEVER, -_NEVER

    def times(self) -> list[Times]:
        """Follow all vectors."""
        now, vector = 0, self._vectors - 1
        while len(self._left) < self._count:
            ready = [self._ready(index) for index in range(self._vectors)]
            soonest = max(now, min(ready))
            word = self._next_input()
            handover, leaving = self._next_leaving()
            normed = self._next_normed()
            if min(word, handover, normed) < soonest:
                if normed <= min(word, handover):
                    self._norm(normed)
                elif leaving is None or word < handover:
                    self._enter(word, min(soonest, normed))
                else:
                    self._leave(handover, leaving)
                continue
            other = (vector + 1) % self._vectors
            vector = other if ready[other] <= soonest else vector
            now = self._run(vector, soonest)
        return [Times(*pair) for pair in zip(self._entered, self._left, strict=True)]

    def _next_input(self) -> int:
        """The cycle in which the next input word can enter."""
        number = len(self._entered) - (self._words > 0)
        if number == self._count:
            return _NEVER
        cycle = max(self._next_word, self._free[number % self._vectors])
        while cycle < _NEVER and self._results and self._results[0][0] <= cycle:
            self._next_word = cycle = max(cycle, self._results.popleft()[1] + 1)
        return cycle

    def _enter(self, cycle: int, until: int) -> None:
        """Input words from a cycle on, as many as can enter one after another before another cycle."""
        if self._words == 0:
            self._entered.append(cycle)
        size = self._sizes[0].words
        end = min(cycle + size - self._words, until, self._results[0][0] if self._results else _NEVER)
        self._words += end - cycle
        self._next_word = end
        if self._words == size:
            self._words, self._next_word = 0, _NEVER
            self._free[(len(self._entered) - 1) % self._vectors] = _NEVER
            self._arrive(_Waiting(end - 1, self._vectors, size))

    def _arrive(self, vector: _Waiting) -> None:
        """A vector has come, or will, to the norms, or where there are none to the quantiser."""
        (self._unnormed if self._config.norm else self._waiting).append(vector)

    def _next_normed(self) -> int:
        """The cycle in which the next vector is taken on by the norms: that whose last word came, or comes, first."""
        if not self._unnormed or self._config.norm is None:
            return _NEVER
        vector = min(self._unnormed, key=lambda vector: vector.last_word)
        room = self._input_free if vector.channel == self._vectors else 0
        return max(vector.last_word + self._config.norm.sum_latency, self._norm_free, room)

    def _norm(self, cycle: int) -> None:
        """A vector is normed and goes on to the quantiser."""
        vector, norm = min(self._unnormed, key=lambda vector: vector.last_word), self._config.norm
        assert norm is not None
        self._unnormed.remove(vector)
        self._norm_free = cycle + norm.output_latency + vector.words
        self._waiting.append(vector._replace(last_word=self._norm_free - 1))
        if vector.channel == self._vectors:
            self._next_word, self._input_free = cycle + norm.reopening + vector.words, _NEVER

    def _next_leaving(self) -> tuple[int, _Waiting | None]:
        """The cycle in which the next vector is handed to the dividers, and that vector.

        It is chosen as soon as any can be, once the first word of the one before has been read: of those that can be
        chosen, the lowest channel's. Those whose last word is still to come cannot come before.
        """
        if not self._waiting:
            return _NEVER, None
        quantizer = self._config.quantizer
        measured = min(vector.last_word for vector in self._waiting) + quantizer.choice_latency
        chosen = max(measured, self._handed + 1)
        can_be = [vector for vector in self._waiting if vector.last_word + quantizer.choice_latency <= chosen]
        handover = max(chosen + 1 + quantizer.preparation_latency, self._dividers)
        return handover, min(can_be, key=lambda vector: vector.channel)

    def _leave(self, cycle: int, vector: _Waiting) -> None:
        """A vector leaves the quantiser for the activation buffer."""
        self._waiting.remove(vector)
        self._handed, self._dividers = cycle, cycle + vector.words
        arrival = _Arrival(cycle + self._config.quantizer.output_latency, vector.words)
        if vector.channel < self._vectors:
            self._hidden[vector.channel] = arrival
        else:
            self._inputs[self._inputs_quantised % self._vectors] = arrival
            self._inputs_quantised += 1
            if self._config.norm:
                self._input_free = cycle + QuantizerConfig.REOPENING
            else:
                self._next_word = cycle + QuantizerConfig.REOPENING

    def _ready(self, vector: int) -> int:
        """The soonest cycle in which a vector's next layer can be given to the array, as far as is known."""
        layer = self._layer[vector]
        arrival = self._hidden[vector] if layer else self._inputs[vector]
        ready = max(
            self._program_read[vector],
            arrival.first + min(self._config.columns // self._config.lanes, arrival.words) - 1 + _SEEN,
        )
        if layer < len(self._sizes) - 1:
            return ready
        if vector != len(self._left) % self._vectors:
            return _NEVER
        left = self._left[-self._vectors] if len(self._left) >= self._vectors else -_NEVER
        return max(ready, max(self._turn, left) + 1 + Sequencer.CHOICE)

    def _run(self, vector: int, cycle: int) -> int:
        """Give the array a vector's next layer; the cycle of its last chunk."""
        config, layer = self._config, self._layer[vector]
        size, final = self._sizes[layer], layer == len(self._sizes) - 1
        arrival = self._hidden[vector] if layer else self._inputs[vector]
        interval, chunk_words = config.drain.interval, config.columns // config.lanes
        # The first tile may have to wait for its chunks, the others find all of them.
        end = cycle
        for start, behind in size.passes:
            readable = arrival.first + min(behind * chunk_words, arrival.words) - 1 + ActivationBuffer.FILL + Walk.LOOK
            end = self._tile = max(end + behind - start, readable, self._tile + interval)
        apart = sum(max(behind - start, interval) for start, behind in size.passes)
        first, self._tile = end, end + (size.tiles - 1) * apart
        last_word = self._tile + config.tile_latency + size.last_words - 1
        if final:
            self._turn = cycle
            self._left.append(last_word + Engine.QUEUE_LATENCY)
        else:
            for tile in range(first, self._tile, apart):
                results = tile + config.tile_latency
                self._results.append((results, results + interval - 1))
            self._results.append((self._tile + config.tile_latency, last_word))
            words = (size.tiles - 1) * interval + size.last_words
            self._arrive(_Waiting(last_word, vector, words))
        if layer == 0:
            self._free[vector] = self._tile + 1
            self._inputs[vector] = _Arrival()
        else:
            self._hidden[vector] = _Arrival()
        self._program_read[vector] = cycle + Sequencer.FETCH + Sequencer.CHOICE
        self._layer[vector] = 0 if final else layer + 1
        return self._tile


def _ceil(count: int, size: int) -> int:
    return -(-count // size)
