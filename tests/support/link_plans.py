"""Small plans for tests of the whole way from a host through a line to an engine."""

from itertools import pairwise

import numpy as np

from gen.plan.plan import Fold, Plan, plan_network
from golden.network import InputType, Layer, Network

FOLD = Fold(4, 4, 2)


def link_plan(
    seed: int = 1, sizes: tuple[int, ...] = (20, 8, 4), fold: Fold = FOLD, input_type: InputType = "uint8",
    *, packing: str = "2b", writable: bool = True, spram: bool = False,
) -> Plan:  # fmt: skip
    """A network of random trits on the smallest engine of a fold that runs it."""
    random = np.random.default_rng(seed)
    layers = tuple(
        Layer(random.integers(-1, 2, (outputs, inputs)).astype(np.int8), 1.0, index < len(sizes) - 2)
        for index, (inputs, outputs) in enumerate(pairwise(sizes))
    )
    return plan_network(
        Network(f"linked-{seed}", layers, input_type), fold, packing=packing, writable=writable, spram=spram
    )


def link_vectors(plan: Plan, count: int, seed: int = 0) -> np.ndarray:
    """Inputs over the whole range of the plan's network."""
    limits = np.iinfo(plan.network.input_type)
    shape = (count, plan.network.layers[0].inputs)
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape).astype(plan.network.input_type)
