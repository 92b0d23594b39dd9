# amaranth: UnusedElaboratable=no
from dataclasses import asdict

import pytest

from rtl.array import EXACT_ARRAYS
from rtl.array.interface import ArrayConfig
from rtl.array.trit_decoder import TritDecoder
from rtl.engine.config import ARRAYS, EngineConfig
from rtl.engine.engine import Engine
from rtl.memory.loadable import LoadableMemory
from rtl.memory.spram import SpramMemory
from rtl.quantiser.config import QuantizerConfig
from rtl.quantiser.quantiser import Quantizer
from sim.testbench import BenchFailure, run_testbench


@pytest.mark.parametrize(("packing", "trits"), [("2b", 3), ("3t5b", 8), ("5t8b", 13)])
def test_decoder(packing, trits):
    settings = {"packing": packing, "trits": trits}
    run_testbench(TritDecoder(packing, trits), "decoder", settings, module="tb.bench_decoder", settings=settings)


@pytest.mark.parametrize(
    ("memory", "transfers", "depth"),
    [
        (LoadableMemory, (32, 8), 300),
        (SpramMemory, (32, 32), 16384),
        (SpramMemory, (16, 5), 20000),
        (SpramMemory, (3,), 65536),
    ],
    ids=["loadable", "one bank", "two banks", "four banks"],
)
def test_memory(memory, transfers, depth):
    settings = {"transfers": transfers, "depth": depth, "latency": memory.LATENCY}
    run_testbench(memory(transfers, depth, []), "memory", settings, module="tb.bench_memory", settings=settings)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize(
    "config", [ArrayConfig(3, 5, 23), ArrayConfig(1, 1, 2), ArrayConfig(5, 11, 25)], ids=["3x5", "1x1", "5x11"]
)
def test_array(array, config):
    settings = {"array": array, "config": asdict(config)}
    made = EXACT_ARRAYS[array](config, digits=True) if array in EXACT_ARRAYS else ARRAYS[array](config)
    run_testbench(made, "array", asdict(config), module="tb.bench_array", settings=settings)


def run_quantizer(config, testcase):
    run_testbench(
        Quantizer(config),
        "quantizer",
        asdict(config),
        module="tb.bench_quantizer",
        testcase=testcase,
        settings={"config": asdict(config)},
    )


@pytest.mark.parametrize(
    "config",
    [QuantizerConfig(3, 13, (5,)), QuantizerConfig(1, 5, (1,)), QuantizerConfig(2, 9, (4, 1, 6))],
    ids=["3x5", "1x1", "three channels"],
)
def test_quantizer(config):
    run_quantizer(config, "random_vectors")


@pytest.mark.parametrize("config", [QuantizerConfig(3, 13, (5,)), QuantizerConfig(1, 5, (1,))], ids=["3x5", "1x1"])
def test_timing_of_the_quantizer(config):
    run_quantizer(config, "timing")


def test_quantizer_with_every_pair():
    run_quantizer(QuantizerConfig(lanes=8, width=11, depths=(256,)), "every_pair")


def engine_config(rows, columns, lanes, *, inputs, outputs, layers, **options):
    """An engine with memories for any network within its limits."""
    tiles, chunks = -(-inputs // rows), -(-inputs // columns)
    return EngineConfig(
        rows=rows,
        columns=columns,
        lanes=lanes,
        max_inputs=inputs,
        max_hidden=inputs,
        max_outputs=outputs,
        layers=layers,
        weight_words=((layers - 1) * tiles + -(-outputs // rows)) * chunks,
        correction_words=(layers - 1) * -(-inputs // lanes) + -(-outputs // lanes),
        **options,
    )


USUAL = engine_config(6, 4, 2, inputs=40, outputs=20, layers=4, packing="5t8b")
# The drain takes longer than the next vector's input, whose last layer therefore waits.
SLOW_DRAIN = engine_config(32, 2, 1, inputs=9, outputs=33, layers=2, packing="2b")
ALL_LANES = engine_config(4, 4, 4, inputs=24, outputs=10, layers=3, packing="3t5b", input_signed=True)
ONE_IN_FLIGHT = engine_config(4, 6, 2, inputs=20, outputs=12, layers=3, packing="2b", vectors=1)
SMALLEST = engine_config(1, 1, 1, inputs=3, outputs=2, layers=1, packing="3t5b")


@pytest.mark.parametrize(
    ("config", "networks"),
    [(USUAL, 25), (SLOW_DRAIN, 12), (ALL_LANES, 12), (ONE_IN_FLIGHT, 12), (SMALLEST, 12)],
    ids=["usual", "slow drain", "all lanes", "one in flight", "smallest"],
)
def test_engine(config, networks):
    settings = {"config": asdict(config), "networks": networks}
    run_testbench(Engine(config), "engine", asdict(config), module="tb.bench_engine", settings=settings)


def test_an_image_of_another_packing_is_found():
    config = asdict(USUAL)
    settings = {"config": config | {"packing": "3t5b"}, "networks": 3}
    with pytest.raises(BenchFailure, match=r"stalled: AssertionError: engine: output \d+ is .* the model gives"):
        run_testbench(Engine(USUAL), "engine", config, module="tb.bench_engine", testcase="stalled", settings=settings)
