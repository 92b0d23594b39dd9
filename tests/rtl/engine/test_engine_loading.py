# amaranth: UnusedElaboratable=no
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.plan.plan import Fold, Plan, plan_network
from golden.network import Network
from rtl.engine.config import EngineConfig
from sim.pysim import Bench, Driver, Pauses, seeded, steps, trace
from support.networks import PACKING_NAMES, PAUSES, as_results, as_words, folds, random_network, random_vectors

LIMITS = ("max_inputs", "max_hidden", "max_outputs", "layers", "weight_words", "correction_words")


def on_one_engine(first: Plan, second: Plan) -> tuple[Plan, Plan]:
    """Both networks on the smallest engine that runs either."""
    config: EngineConfig = replace(
        first.config, **{name: max(getattr(plan.config, name) for plan in (first, second)) for name in LIMITS}
    )
    return Plan(first.network, config), Plan(second.network, config)


def transfers(plan: Plan) -> list[dict[str, Any]]:
    """The image as payloads of the load port."""
    return [load._asdict() for load in plan.image.loads()]


sizes = st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple)


@settings(max_examples=20, deadline=None)
@given(shape=sizes, fold=folds(3, 2), packing=PACKING_NAMES, pausing=PAUSES, seed=st.integers(0, 2**16))
def test_a_loaded_image_runs_like_a_built_in_one(
    shape: tuple[int, ...], fold: Fold, packing: str, pausing: Pauses, seed: int
) -> None:
    plan = plan_network(random_network(shape, seed), fold, packing=packing)
    engine = plan.engine(initialised=False)
    bench = Bench(engine, limit=10_000)
    image, vectors = transfers(plan), random_vectors(plan.network, 3, seed)
    loaded = bench.send(engine.load, image, pausing)
    sent = bench.send(engine.i, as_words(vectors, fold.lanes), lambda cycle: len(loaded) < len(image))
    received = bench.collect(engine.o, 3 * -(-shape[-1] // fold.lanes))
    bench.run()
    logits, left = as_results(received, shape[-1], fold.lanes)
    assert logits == plan.network.forward(vectors).logits.tolist()
    assert left[-1] - sent[0].cycle + 1 == plan.cycles.total(3)


@settings(max_examples=12, deadline=None)
@given(shapes=st.tuples(sizes, sizes), fold=folds(3, 2), packing=PACKING_NAMES, seed=st.integers(0, 2**16))
def test_a_second_network_replaces_the_first(
    shapes: tuple[tuple[int, ...], tuple[int, ...]], fold: Fold, packing: str, seed: int
) -> None:
    networks = [random_network(shape, seed + index) for index, shape in enumerate(shapes)]
    first, second = on_one_engine(*(plan_network(network, fold, packing=packing) for network in networks))
    engine = first.engine()
    bench = Bench(engine, limit=10_000)
    batches = [random_vectors(network, 2, seed) for network in networks]
    words = [as_words(batch, fold.lanes) for batch in batches]
    lengths = [2 * -(-shape[-1] // fold.lanes) for shape in shapes]
    # In any order, and the first layer's program last: the vector that follows at once must not meet the old one.
    image = sorted(transfers(second), key=lambda transfer: (-transfer["memory"], -transfer["address"]))
    # The image is offered as soon as the first network's vectors are in; the engine takes it when they have left.
    loaded = bench.send(engine.load, image, lambda cycle: len(sent) < len(words[0]))
    sent = bench.send(
        engine.i, words[0] + words[1], lambda cycle: len(sent) >= len(words[0]) and len(loaded) < len(image)
    )
    received = bench.collect(engine.o, sum(lengths))
    bench.run()
    results = received[: lengths[0]], received[lengths[0] :]
    for network, batch, words_out in zip(networks, batches, results, strict=True):
        expected = network.forward(batch).logits.tolist()
        assert as_results(words_out, network.layers[-1].outputs, fold.lanes).logits == expected
    assert loaded[0].cycle > results[0][-1].cycle


@settings(max_examples=12, deadline=None)
@given(shape=sizes, fold=folds(3, 2), seed=st.integers(0, 2**16), taking=PAUSES)
def test_nothing_is_loaded_while_a_vector_is_inside(
    shape: tuple[int, ...], fold: Fold, seed: int, taking: Pauses
) -> None:
    plan = plan_network(random_network(shape, seed), fold)
    engine = plan.engine()
    bench = Bench(engine, limit=10_000)
    vectors = random_vectors(plan.network, 4, seed)
    words = as_words(vectors, fold.lanes)
    ready: list[int] = []
    # The same image again and again; inputs have a chance only between two transfers.
    image = transfers(plan)

    def reload() -> Driver:
        loaded = 0
        while len(received) < len(vectors) * -(-shape[-1] // fold.lanes):
            payload = image[loaded % len(image)]
            seen = yield {"load.valid": 1, "load.payload": payload}
            ready.append(seen["load.ready"])
            loaded += seen["load.ready"]
            for _ in range(8 if ready[-1] else 0):
                seen = yield {"load.valid": 0}
                ready.append(seen["load.ready"])

    bench.play(reload(), "load.ready")
    sent = bench.send(engine.i, words, seeded(seed, 0.9))
    received = bench.collect(engine.o, len(vectors) * -(-shape[-1] // fold.lanes), taking)
    bench.run()
    logits, left = as_results(received, shape[-1], fold.lanes)
    assert logits == plan.network.forward(vectors).logits.tolist()
    entered = [word.cycle for word in sent[:: len(words) // 4]]
    for begin, end in zip(entered, left, strict=True):
        # The engine is idle until the first word is in.
        assert not any(ready[begin + 1 : end + 1])
    assert any(ready)


@pytest.mark.parametrize("writable", [True, False])
def test_only_a_writable_engine_takes_an_image(writable: bool) -> None:
    network: Network = random_network((3, 2), 0)
    plan = plan_network(network, Fold(2, 2, 1), writable=writable)
    driver = steps({"load.valid": 1, "load.payload": transfers(plan)[0]} for _ in range(30))
    ready = [cycle["load.ready"] for cycle in trace(plan.engine(), driver, "load.ready")]
    assert any(ready) == writable
