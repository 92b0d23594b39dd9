"""A link in conversation: a host on one side, a stand-in for an engine on the other."""

from itertools import count
from random import Random
from typing import Any

import numpy as np

from gen.output.hosted import identify
from golden.files.image import Geometry, LayerProgram, MemoryImage
from golden.formats import PACKINGS
from golden.link.frames import Frame, State
from golden.link.payloads import requests_left
from rtl.crc32 import Crc32
from rtl.engine.config import EngineConfig
from rtl.link.config import LinkConfig
from rtl.link.link import Link
from sim.pysim import Bench, Driver, Pauses, never
from support.link_model import Compute, DeviceModel, Load

CLOCK_HZ = 12_000_000

CONFIG = EngineConfig(
    rows=4, columns=6, lanes=2, max_inputs=12, max_hidden=8, max_outputs=4, layers=2, correction_words=3,
    weight_words=5, packing="3t5b",
)  # fmt: skip


def image_of(config: EngineConfig, seed: int, last_input: int | None = None) -> MemoryImage:
    """An image that fills the engine's memories."""
    random = np.random.default_rng(seed)
    last = int(random.integers(0, config.input_words)) if last_input is None else last_input
    program = [LayerProgram(last, 0, 0, 0, True, index == config.layers - 1) for index in range(config.layers)]
    geometry = Geometry(config.rows, config.columns, config.lanes, PACKINGS[config.packing])
    corrections = random.integers(-99, 99, (config.correction_words, config.lanes)).astype(np.int32)
    weights = random.integers(-1, 2, (config.weight_words, config.rows * config.columns)).astype(np.int8)
    return MemoryImage(geometry, tuple(program), corrections, weights)


def compute_on(config: EngineConfig) -> Compute:
    """What the stand-in for an engine computes: sums of the vector that differ in every place."""

    def compute(vector: bytes) -> list[int]:
        half = 1 << config.accumulator_width - 1
        total = sum(place * value for place, value in enumerate(vector, 1))
        places = config.result_words * config.lanes
        return [(total * (place + 1) - 57 * place + half) % (2 * half) - half for place in range(places)]

    return compute


class Conversation:
    """One talk with a new link.

    Parameters
    ----------
    config
        The engine that the stand-in plays.
    pauses
        Cycles in which it neither takes nor gives.
    results
        Words it gives of each vector's results before it gets stuck; without a number, all.
    reset
        Cycle of a reset, if any.
    initial
        ``last_input`` and ``image`` of a built-in image.

    """

    def __init__(
        self, config: EngineConfig = CONFIG, *, pauses: Pauses = never, results: int | None = None, reset: int = -1,
        **initial: Any,
    ):  # fmt: skip
        self.identity = identify(config, CLOCK_HZ)
        self.link = Link(LinkConfig(config), self.identity.to_bytes(), **initial)
        self.config, self.pauses = config, pauses
        self.bench = Bench(self.link, limit=2_000_000, reset=reset)
        self.model = DeviceModel(config, self.identity, compute_on(config), loaded=bool(initial), **initial)
        self.loads: list[Load] = []
        self.vectors: list[bytes] = []
        self.resets: list[int] = []
        self.replies: list[bytes] = []
        self.ended = False
        self.results = config.result_words if results is None else results

    def talk(self, chunks: list[list[tuple[int, int]]], patience: int = 3000) -> list[bytes]:
        """Send each chunk after the reply to the one before, or without one after so many cycles; the replies."""
        self.bench.play(self._host(chunks, patience), "o.valid", "o.payload")
        self.bench.play(
            self._engine(), "vectors.valid", "vectors.payload", "load.valid", "load.payload", "results.ready", "reset"
        )
        self.bench.run()
        return self.replies

    def ask(self, *frames: Frame, patience: int = 3000) -> list[Frame]:
        """Send frames; the replies to them."""
        replies = self.talk([[(byte, 0) for byte in frame.to_bytes()] for frame in frames], patience)
        return [Frame.from_bytes(reply) for reply in replies]

    def _host(self, chunks: list[list[tuple[int, int]]], patience: int) -> Driver:
        random = Random(len(chunks))
        for chunk in chunks:
            reply, waited, at, gap = bytearray(), 0, 0, 0
            while waited < patience:
                sends = at < len(chunk) and gap == 0
                inputs: dict[str, Any] = {"i.valid": sends, "o.ready": random.random() < 0.5}
                if sends:
                    byte, error = chunk[at]
                    inputs["i.payload"] = {"data": byte, "error": error}
                    at, gap = at + 1, Crc32.LATENCY + random.randrange(3)
                seen = yield inputs
                gap, waited = max(gap - 1, 0), waited + (at == len(chunk))
                if seen["o.valid"] and inputs["o.ready"]:
                    waited = 0
                    if seen["o.payload"] == 0:
                        break
                    reply.append(seen["o.payload"])
            self.replies.append(bytes(reply))
        self.ended = True
        yield {"i.valid": 0}

    def _engine(self) -> Driver:
        """Takes transfers and vectors with pauses, and gives results."""
        vector, results, last_input = bytearray(), [], 0
        offered = False
        if self.model.loaded:
            last_input = self.model.last_input
        for cycle in count():
            if self.ended:
                return
            ready = not self.pauses(cycle)
            offered = bool(results) and (offered or ready)
            inputs: dict[str, Any] = {"vectors.ready": ready, "load.ready": ready, "results.valid": offered}
            if offered:
                inputs["results.payload"] = results[0]
            seen = yield inputs
            if seen["load.valid"] and ready:
                assert not vector
                assert not results
                load = Load(**seen["load.payload"])
                self.loads.append(load._replace(last=bool(load.last)))
                if (load.memory, load.address, load.last) == (0, 0, 0):
                    last_input = load.data & 0xFFFF
            if seen["vectors.valid"] and ready:
                vector += bytes(value & 255 for value in seen["vectors.payload"])
            if len(vector) == (last_input + 1) * self.config.lanes:
                self.vectors.append(bytes(vector))
                values = np.reshape(self.model.compute(bytes(vector)), (-1, self.config.lanes)).tolist()
                results = [{"data": word, "last": at == len(values)} for at, word in enumerate(values, 1)][
                    : self.results
                ]
                vector.clear()
            if offered and seen["results.ready"]:
                results.pop(0)
                offered = False
            if seen["reset"]:
                self.resets.append(cycle)
                vector.clear()
                results.clear()
                offered = False


NOTHING = State(0, 0, 0)
"""Of a device that was switched on without an image."""


def loading(image: MemoryImage, limit: int = 44, sequence: int = 1, state: State = NOTHING) -> list[Frame]:
    """The requests that load an image on a device of that state."""
    return [Frame(sequence, command, payload) for command, payload in requests_left(image, state, limit)]
