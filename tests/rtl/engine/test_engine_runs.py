# amaranth: UnusedElaboratable=no
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gen.plan.plan import Fold, Plan, plan_network
from golden.network import InputType, Layer, Network
from golden.schemes.network import SegmentedNetwork, integer_network
from golden.schemes.quantisers import quantise
from rtl.quantiser.config import DIVIDERS
from sim.pysim import Bench, Pauses, never
from support.networks import (
    PACKING_NAMES,
    PAUSES,
    as_results,
    as_words,
    folds,
    networks,
    normed_network,
    normed_networks,
    random_network,
    random_vectors,
    segmented_networks,
)


class Run:
    """Vectors through a plan's engine with the image built in."""

    def __init__(
        self,
        plan: Plan,
        vectors: NDArray[np.uint8 | np.int8],
        offering: Pauses = never,
        taking: Pauses = never,
        reset: int = -1,
    ):
        lanes, outputs, count = plan.config.lanes, plan.network.layers[-1].outputs, len(vectors)
        words = as_words(vectors, lanes)
        engine = plan.engine()
        bench = Bench(engine, limit=10_000, reset=reset)
        sent = bench.send(engine.i, words, offering)
        self.received = bench.collect(engine.o, count * -(-outputs // lanes), taking)
        bench.run()
        self.logits, self.left = as_results(self.received, outputs, lanes)
        self.entered = [word.cycle for word in sent[:: len(words) // count]]
        self.expected = plan.network.forward(vectors).logits.tolist()


@st.composite
def plans(draw: st.DrawFn, source: st.SearchStrategy[Network | SegmentedNetwork]) -> Plan:
    """Networks on engines that fit them exactly, or are larger in any way."""
    plan = plan_network(
        draw(source),
        draw(folds()),
        packing=draw(PACKING_NAMES),
        vectors=draw(st.integers(1, 2)),
        writable=draw(st.booleans()),
    )
    sizes = ("max_inputs", "max_hidden", "max_outputs", "layers", "weight_words", "correction_words")
    spare = draw(st.fixed_dictionaries({name: st.sampled_from((0, 0, 1, 30)) for name in sizes}))
    more = {name: getattr(plan.config, name) + extra for name, extra in spare.items()}
    divider = "restoring" if plan.config.quantizer.grouped else draw(st.sampled_from(sorted(DIVIDERS)))
    return Plan(plan.network, replace(plan.config, divider=divider, **more))


def check_cycles(plan: Plan, vectors: NDArray[np.uint8 | np.int8]) -> Run:
    """Run without pauses; logits are golden and every vector enters and leaves in the predicted cycles."""
    run = Run(plan, vectors)
    assert run.logits == run.expected
    first = run.entered[0]
    times = [(entered - first, left - first) for entered, left in zip(run.entered, run.left, strict=True)]
    assert times == plan.cycles.times(len(vectors))
    return run


@settings(max_examples=60, deadline=None)
@given(plan=plans(networks()), count=st.integers(1, 9), seed=st.integers(0, 2**16))
def test_logits_are_golden_and_cycles_as_predicted(plan: Plan, count: int, seed: int) -> None:
    check_cycles(plan, random_vectors(plan.network, count, seed))


@settings(max_examples=25, deadline=None)
@given(plan=plans(segmented_networks()), count=st.integers(1, 9), seed=st.integers(0, 2**16))
def test_so_are_those_of_segmented_networks(plan: Plan, count: int, seed: int) -> None:
    check_cycles(plan, random_vectors(plan.network, count, seed))


@settings(max_examples=20, deadline=None)
@given(plan=plans(normed_networks()), count=st.integers(1, 7), seed=st.integers(0, 2**16))
def test_so_are_those_of_networks_with_norms(plan: Plan, count: int, seed: int) -> None:
    check_cycles(plan, random_vectors(plan.network, count, seed))


@settings(max_examples=8, deadline=None)
@given(plan=plans(normed_networks()), offering=PAUSES, taking=PAUSES, seed=st.integers(0, 2**16))
def test_pauses_change_no_logit_of_networks_with_norms(plan: Plan, offering: Pauses, taking: Pauses, seed: int) -> None:
    run = Run(plan, random_vectors(plan.network, 4, seed), offering, taking)
    assert run.logits == run.expected


@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize(
    ("sizes", "fold"), [((40, 3, 3, 3), Fold(3, 3, 3)), ((30, 40), Fold(20, 2, 2)), ((2, 150, 2), Fold(1, 1, 1))]
)
def test_norms_are_on_time_whatever_is_in_the_way(sizes: tuple[int, ...], fold: Fold, vectors: int) -> None:
    """Inputs that wait for the quantiser, results of layers that wait for inputs, vectors longer than a root takes."""
    plan = plan_network(normed_network(sizes, 3), fold, vectors=vectors)
    check_cycles(plan, random_vectors(plan.network, 7))


@pytest.mark.parametrize("rules", [("int8", "int8", "int8"), ("static", "binary", "binary")])
@pytest.mark.parametrize("fold", [Fold(4, 4, 2), Fold(3, 6, 3)])
def test_biases_reach_the_results(rules: tuple[str, ...], fold: Fold) -> None:
    draws = np.random.default_rng(6)
    matrices = [
        replace(
            quantise("bwn", draws.normal(size=(outputs, inputs))),
            activations=rule,
            bias=draws.normal(size=outputs).astype(np.float32),
        )
        for rule, inputs, outputs in zip(rules, (13, 9, 8), (9, 8, 5), strict=True)
    ]
    network = integer_network("biased", matrices, input_unit=1 / 255)
    plan = plan_network(network, fold)
    batch = draws.integers(0, 256, (8, 13)).astype(np.uint8)
    run = check_cycles(plan, plan.network.prepare(batch).astype(network.input_type))
    assert run.logits == network.forward(network.prepare(batch)).logits.tolist()


@settings(max_examples=12, deadline=None)
@given(plan=plans(segmented_networks()), offering=PAUSES, taking=PAUSES, seed=st.integers(0, 2**16))
def test_pauses_change_no_logit_of_segmented_networks(plan: Plan, offering: Pauses, taking: Pauses, seed: int) -> None:
    run = Run(plan, random_vectors(plan.network, 4, seed), offering, taking)
    assert run.logits == run.expected


@pytest.mark.parametrize("divider", DIVIDERS)
@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize(
    ("sizes", "fold"),
    [
        ((1, 16), Fold(16, 1, 1)),
        ((3, 30), Fold(18, 3, 1)),
        ((2, 5, 40), Fold(20, 2, 1)),
        ((30, 40), Fold(20, 2, 2)),
        ((40, 3, 3, 3, 3, 3), Fold(3, 3, 3)),
        ((90, 1), Fold(1, 1, 1)),
    ],
)
def test_cycles_are_as_predicted_whatever_is_in_the_way(
    sizes: tuple[int, ...], fold: Fold, vectors: int, divider: str
) -> None:
    """Results that take long to leave, tiles that wait for the drain, inputs that are longer than all the rest."""
    plan = plan_network(random_network(sizes, 3), fold, vectors=vectors, divider=divider)
    check_cycles(plan, random_vectors(plan.network, 7))


def test_a_vector_alone_takes_its_latency_however_many_were_before() -> None:
    plan = plan_network(random_network((13, 9, 5), 3), Fold(4, 4, 2))
    lanes, count = plan.config.lanes, 5
    engine = plan.engine()
    bench = Bench(engine)
    vectors = random_vectors(plan.network, count)
    words = as_words(vectors, lanes)
    length, results = len(words) // count, -(-5 // lanes)
    sent = bench.send(engine.i, words, lambda cycle: len(received) // results < len(sent) // length)
    received = bench.collect(engine.o, count * results)
    bench.run()
    logits, left = as_results(received, 5, lanes)
    assert logits == plan.network.forward(vectors).logits.tolist()
    taken = [end - word.cycle + 1 for word, end in zip(sent[::length], left, strict=True)]
    assert taken == [plan.cycles.latency] * count


@settings(max_examples=30, deadline=None)
@given(plan=plans(networks()), offering=PAUSES, taking=PAUSES, seed=st.integers(0, 2**16))
def test_pauses_on_either_side_change_no_logit(plan: Plan, offering: Pauses, taking: Pauses, seed: int) -> None:
    run = Run(plan, random_vectors(plan.network, 4, seed), offering, taking)
    assert run.logits == run.expected


@pytest.mark.parametrize("sizes", [(3, 11), (11, 3), (7, 9, 5)])
def test_a_long_pause_of_the_consumer_loses_nothing(sizes: tuple[int, ...]) -> None:
    plan = plan_network(random_network(sizes, 5), Fold(4, 2, 2))
    resumed = 1500
    run = Run(plan, random_vectors(plan.network, 8, 5), taking=lambda cycle: 10 <= cycle < resumed)
    assert run.logits == run.expected
    words = -(-sizes[-1] // 2)
    assert [word.cycle for word in run.received[:words]] == list(range(resumed, resumed + words))
    # Two vectors' results wait at the way out, two vectors wait for their last layers; of these, single-layer networks
    # still need the inputs, others let two more in.
    assert sum(cycle < resumed for cycle in run.entered) == (6 if len(sizes) > 2 else 4)


@settings(max_examples=12, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16), offering=PAUSES, taking=PAUSES)
def test_a_reset_in_the_middle_of_a_run_starts_clean(
    data: st.DataObject, seed: int, offering: Pauses, taking: Pauses
) -> None:
    plan = plan_network(random_network((9, 5, 7), seed), Fold(4, 4, 2), packing="3t5b")
    vectors = random_vectors(plan.network, 3, seed)
    cycle = data.draw(st.integers(0, plan.cycles.total(3)))
    disturbed = Run(plan, vectors, offering, taking, reset=cycle)
    assert disturbed.logits == disturbed.expected
    assert disturbed.entered[0] > cycle
    calm = Run(plan, vectors, reset=cycle)
    assert calm.left[-1] - calm.entered[0] + 1 == plan.cycles.total(3)


@pytest.mark.parametrize("input_type", ["uint8", "int8"])
@pytest.mark.parametrize("fold", [Fold(2, 4, 2), Fold(3, 3, 1)], ids=str)
def test_extreme_inputs_and_sums_fit(input_type: InputType, fold: Fold) -> None:
    weights = np.repeat(np.array([[1], [-1], [0], [1]], np.int8), 13, axis=1)
    network = Network("extremes", (Layer(weights, 1.0, False), Layer(weights[:, :4], 1.0, False)), input_type)
    limits = np.iinfo(input_type)
    vectors = np.repeat(np.array([[limits.min], [limits.max], [0], [1]], input_type), 13, axis=1)
    run = Run(plan_network(network, fold), vectors)
    assert run.logits == run.expected
    largest = 13 * 127 * 127
    assert Network("first", network.layers[:1], input_type).forward(vectors).logits[1].max() * 127 == largest
