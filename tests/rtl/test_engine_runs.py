# amaranth: UnusedElaboratable=no
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import PACKING_NAMES, PAUSES, as_results, as_words, folds, networks, random_network, random_vectors
from numpy.typing import NDArray

from gen.plan import Fold, Plan, plan_network
from golden.network import InputType, Layer, Network
from sim.pysim import Bench, Pauses, never


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
def plans(draw: st.DrawFn) -> Plan:
    """Networks on engines that fit them exactly, or are larger in any way."""
    plan = plan_network(draw(networks()), draw(folds()), packing=draw(PACKING_NAMES), writable=draw(st.booleans()))
    sizes = ("max_inputs", "max_outputs", "layers", "weight_words", "correction_words")
    spare = draw(st.fixed_dictionaries({name: st.sampled_from((0, 0, 1, 30)) for name in sizes}))
    more = {name: getattr(plan.config, name) + extra for name, extra in spare.items()}
    return Plan(plan.network, replace(plan.config, **more))


def check_cycles(plan: Plan, vectors: NDArray[np.uint8 | np.int8]) -> Run:
    """Run without pauses; logits are golden and every cycle is as predicted."""
    run, cycles, count = Run(plan, vectors), plan.cycles, len(vectors)
    assert run.logits == run.expected
    assert run.left[0] - run.entered[0] + 1 == cycles.latency
    assert np.diff(run.left).tolist() == [cycles.period] * (count - 1)
    assert np.diff(run.entered[1:]).tolist() == [cycles.period] * (count - 2)
    assert run.left[-1] - run.entered[0] + 1 == cycles.total(count)
    return run


@settings(max_examples=50, deadline=None)
@given(plan=plans(), count=st.integers(3, 5), seed=st.integers(0, 2**16))
def test_logits_are_golden_and_cycles_as_predicted(plan: Plan, count: int, seed: int) -> None:
    check_cycles(plan, random_vectors(plan.network, count, seed))


@pytest.mark.parametrize(
    ("sizes", "fold", "gated"),
    [
        ((1, 16), Fold(16, 1, 1), True),
        ((3, 30), Fold(18, 3, 1), True),
        ((2, 5, 40), Fold(20, 2, 1), True),
        ((30, 40), Fold(20, 2, 2), False),
    ],
)
def test_cycles_are_as_predicted_where_results_take_long_to_leave(
    sizes: tuple[int, ...], fold: Fold, gated: bool
) -> None:
    plan = plan_network(random_network(sizes, 3), fold)
    run = check_cycles(plan, random_vectors(plan.network, 4))
    # The second vector is let in before its last layer has to wait for the first vector's results.
    assert (run.entered[1] - run.entered[0] < plan.cycles.period) == gated


@settings(max_examples=30, deadline=None)
@given(plan=plans(), offering=PAUSES, taking=PAUSES, seed=st.integers(0, 2**16))
def test_pauses_on_either_side_change_no_logit(plan: Plan, offering: Pauses, taking: Pauses, seed: int) -> None:
    run = Run(plan, random_vectors(plan.network, 4, seed), offering, taking)
    assert run.logits == run.expected


@pytest.mark.parametrize("sizes", [(3, 11), (11, 3), (7, 9, 5)])
def test_a_long_pause_of_the_consumer_loses_nothing(sizes: tuple[int, ...]) -> None:
    plan = plan_network(random_network(sizes, 5), Fold(4, 2, 2))
    resumed = 1500
    run = Run(plan, random_vectors(plan.network, 6, 5), taking=lambda cycle: 10 <= cycle < resumed)
    assert run.logits == run.expected
    words = -(-sizes[-1] // 2)
    assert [word.cycle for word in run.received[:words]] == list(range(resumed, resumed + words))
    # One vector's results wait at the way out, the next vector waits inside, and the third is not let in.
    assert sum(cycle < resumed for cycle in run.entered) == 2


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
