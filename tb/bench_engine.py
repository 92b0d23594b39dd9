"""Bench of `rtl.engine.engine.Engine`: random networks through the load port, against `golden.network` and
`gen.plan.cycles`.

Settings: ``config``, the fields of its `EngineConfig`, writable, with memories for any network within its limits;
``networks``, how many are tried.
"""

from itertools import pairwise
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from numpy.typing import NDArray

from gen.plan.plan import Plan
from golden.network import Layer, Network
from golden.schemes.network import AnyNetwork
from rtl.engine.config import EngineConfig
from sim.testbench import settings
from tb.bits import from_words, to_words
from tb.scoreboard import Scoreboard, Vectors
from tb.streams import PERIOD, StreamDriver, StreamMonitor, StreamSink, Word, now, start

_TIMEOUT = 500_000 * PERIOD
_LOAD = ("data", "address", "last", "memory")
_VECTORS = 7


class EngineBench:
    """The design between drivers and a sink, watched by monitors and a scoreboard; one network at a time.

    Attributes
    ----------
    plan
        The network that is loaded.

    """

    plan: Plan

    def __init__(self, dut: Any, rng: np.random.Generator):
        self.config = EngineConfig(**settings()["config"])
        self.scoreboard = Scoreboard("engine", Vectors(lambda words: len(words) == self.input_words, self._model))
        self.load = StreamDriver(dut, "load", _LOAD, rng)
        self.driver = StreamDriver(dut, "i", ("data",), rng)
        self.sink = StreamSink(dut, "o", rng)
        StreamMonitor(dut, "load", _LOAD)
        self.inputs = StreamMonitor(dut, "i", ("data",), self.scoreboard.take)
        self.outputs = StreamMonitor(dut, "o", ("data", "last"), self.scoreboard.give)
        self._due = 0
        self._dut = dut
        cocotb.start_soon(self._watch_load())

    @property
    def input_words(self) -> int:
        """Stream words of an input vector."""
        return -(-self.plan.network.layers[0].inputs // self.config.lanes)

    @property
    def output_words(self) -> int:
        """Stream words of a result."""
        return -(-self.plan.network.layers[-1].outputs // self.config.lanes)

    async def program(self, network: Network) -> None:
        """Load a network; its first transfer is offered at once, whatever the engine is at."""
        plan = Plan(network, self.config)
        self.load.send((load.data, load.address, int(load.last), load.memory) for load in plan.image.loads())
        await self.load.sent()
        self.plan = plan

    def send(self, vectors: NDArray[np.integer[Any]]) -> None:
        """Offer vectors, shape (n, inputs)."""
        padded = np.pad(vectors, ((0, 0), (0, -vectors.shape[1] % self.config.lanes)))
        self.driver.send((word,) for word in to_words(padded.reshape(-1, self.config.lanes), 8))
        self._due += len(vectors) * self.output_words

    async def finish(self) -> None:
        """Wait for all results and see that none is missing."""
        await self.outputs.transferred(self._due)
        self.scoreboard.finish()

    def _model(self, words: list[Word]) -> list[Word]:
        network = self.plan.network
        dtype = np.dtype(network.input_type)
        values = from_words([data for (data,) in words], 8, self.config.lanes, signed=dtype.kind == "i").reshape(-1)
        logits = network.forward(values[None, : network.layers[0].inputs].astype(dtype)).logits
        padded = np.pad(logits[0], (0, -logits.shape[1] % self.config.lanes)).reshape(-1, self.config.lanes)
        data = to_words(padded, self.config.result_width)
        return [(word, int(index == len(data) - 1)) for index, word in enumerate(data)]

    async def _watch_load(self) -> None:
        """The load port must not be ready from a vector's second cycle in the engine to its last."""
        dut, entered, inside = self._dut, 0, 0
        while True:
            await RisingEdge(dut.clk)
            assert not (inside and dut.load_ready.value), f"load is ready in cycle {now()} with a vector in the engine"
            if dut.i_valid.value and dut.i_ready.value:
                inside += entered == 0
                entered = (entered + 1) % self.input_words
            if dut.o_valid.value and dut.o_ready.value and dut.o_last.value:
                inside -= 1


def random_network(rng: np.random.Generator, config: EngineConfig, *, largest: bool = False) -> Network:
    """A network within the engine's limits, or one that reaches all of them."""
    count = config.layers if largest else int(rng.integers(1, config.layers + 1))
    limits = [config.max_inputs] * count + [config.max_outputs]
    sizes = limits if largest else [int(rng.integers(1, limit + 1)) for limit in limits]
    layers = []
    for inputs, outputs in pairwise(sizes):
        zeros, negative = rng.uniform(0, 0.6), rng.uniform(0.2, 0.8)
        chances = [(1 - zeros) * negative, zeros, (1 - zeros) * (1 - negative)]
        weights = rng.choice(np.array([-1, 0, 1], np.int8), (outputs, inputs), p=chances)
        layers.append(Layer(weights, 1.0, bool(rng.integers(2))))
    return Network("random", tuple(layers), "int8" if config.input_signed else "uint8")


def random_vectors(rng: np.random.Generator, network: AnyNetwork) -> NDArray[np.integer[Any]]:
    """Input vectors: one of zeros, one of extremes, the others from faint to full range."""
    info = np.iinfo(network.input_type)
    shape = (_VECTORS, network.layers[0].inputs)
    shifts = rng.integers(0, 8, (_VECTORS, 1))
    vectors = rng.integers(info.min, info.max + 1, shape) >> shifts
    zeros, extremes = rng.choice(_VECTORS, 2, replace=False)
    vectors[zeros] = 0
    vectors[extremes] = rng.choice([info.min, info.max], shape[1])
    return vectors.astype(network.input_type)


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def stalled(dut: Any) -> None:
    """Random stalls on all streams; each network's load is offered while vectors of the one before are inside."""
    rng = await start(dut)
    bench = EngineBench(dut, rng)
    for index in range(settings()["networks"]):
        bench.load.stall, bench.driver.stall, bench.sink.stall = rng.choice([0.0, 0.3, 0.8], 3)
        await bench.program(random_network(rng, bench.config, largest=index == 0))
        bench.send(random_vectors(rng, bench.plan.network))
        await bench.driver.sent()
    await bench.finish()


@cocotb.test(timeout_time=_TIMEOUT, timeout_unit="step")
async def timing(dut: Any) -> None:
    """Without stalls, every vector enters and leaves in the predicted cycle."""
    rng = await start(dut)
    bench = EngineBench(dut, rng)
    for index in range(settings()["networks"]):
        await bench.program(random_network(rng, bench.config, largest=index == 0))
        vectors, done = len(bench.inputs.times), len(bench.outputs.times)
        bench.send(random_vectors(rng, bench.plan.network))
        await bench.finish()
        entered = bench.inputs.times[vectors :: bench.input_words]
        left = bench.outputs.times[done:][bench.output_words - 1 :: bench.output_words]
        times = [(enters - entered[0], leaves - entered[0]) for enters, leaves in zip(entered, left, strict=True)]
        assert times == bench.plan.cycles.times(_VECTORS)
