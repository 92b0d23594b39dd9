"""Networks and engines for the tests, and the way through an engine from vectors to logits."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from gen.plan.plan import Fold
from golden.activations import ranges
from golden.formats import ACTIVATION_MAX, PACKINGS, RULES, STATIC
from golden.layer_norm import LayerNorm
from golden.network import InputType, Layer, Network
from golden.schemes.integer import IntegerLayer, Part
from golden.schemes.layers import read_network
from golden.schemes.network import SegmentedNetwork
from golden.schemes.segmented import segment_ends
from sim.pysim import Transfer, never, seeded

PACKING_NAMES = st.sampled_from(sorted(PACKINGS))
PAUSES = st.one_of(st.just(never), st.builds(seeded, st.integers(0, 2**16), st.sampled_from((0.2, 0.5, 0.8))))


@st.composite
def folds(draw: st.DrawFn, most: int = 4, lanes: int = 3) -> Fold:
    """Folds of up to `most` words of up to `lanes` lanes a side."""
    drawn = draw(st.integers(1, lanes))
    return Fold(drawn * draw(st.integers(1, most)), drawn * draw(st.integers(1, most)), drawn)


def random_network(
    sizes: tuple[int, ...], seed: int, input_type: InputType = "uint8", relu: tuple[bool, ...] | None = None
) -> Network:
    """A network of those sizes; -1, 0 and +1 are equally likely weights."""
    random = np.random.default_rng(seed)
    shapes = list(pairwise(sizes))
    layers = tuple(
        Layer(random.integers(-1, 2, (outputs, inputs)).astype(np.int8), 1.0, rectified)
        for (inputs, outputs), rectified in zip(shapes, relu or (True,) * len(shapes), strict=True)
    )
    return Network(f"network-{seed}", layers, input_type)


def normed_network(sizes: tuple[int, ...], seed: int, input_type: InputType = "uint8") -> Network:
    """A network of those sizes with norms in front of all layers and addends behind them."""
    random, plain = np.random.default_rng(seed), random_network(sizes, seed, input_type)
    layers = (
        replace(
            layer,
            relu=bool(random.integers(2)),
            norm=LayerNorm.of(random.normal(size=layer.inputs), random.normal(size=layer.inputs)),
            addends=random.integers(-300, 301, layer.outputs),
        )
        for layer in plain.layers
    )
    return replace(plain, layers=tuple(layers))


@st.composite
def normed_networks(draw: st.DrawFn, most: int = 17) -> Network:
    """Networks with norms, of one to three layers, of one to `most` values each."""
    sizes = draw(st.lists(st.integers(1, most), min_size=2, max_size=4).map(tuple))
    return normed_network(sizes, draw(st.integers(0, 2**16)), draw(st.sampled_from(("uint8", "int8"))))


@st.composite
def networks(draw: st.DrawFn, most: int = 17) -> Network:
    """Networks of one to three layers, of one to `most` values each."""
    sizes = draw(st.lists(st.integers(1, most), min_size=2, max_size=4))
    relu = draw(st.lists(st.booleans(), min_size=len(sizes) - 1, max_size=len(sizes) - 1))
    input_type: InputType = draw(st.sampled_from(("uint8", "int8")))
    return random_network(tuple(sizes), draw(st.integers(0, 2**16)), input_type, tuple(relu))


def random_layer(random: np.random.Generator, inputs: int, outputs: int, rule: str, relu: bool) -> IntegerLayer:
    """A layer of up to three planes over segments of some length, and perhaps a side path."""
    side = int(random.integers(rule == "int4-groups", inputs))
    ends = segment_ends(inputs - side, int(random.integers(1, inputs - side + 1)))
    planes = [int(random.integers(1, 4))] * len(ends)
    if side:
        ends, planes = (*ends, inputs), [*planes, int(random.integers(1, 7))]
    largest = int(random.choice([1, 9, 32767]))
    parts = [
        Part(
            group,
            random.integers(-1, 2, (outputs, end - start)).astype(np.int8),
            random.integers(-largest, largest + 1, outputs),
        )
        for group, ((start, end), count) in enumerate(zip(ranges(ends), planes, strict=True))
        for _ in range(count)
    ]
    return IntegerLayer(tuple(parts), ends, rule, 1.0, relu, side > 0)


@st.composite
def segmented_networks(draw: st.DrawFn, rules: Sequence[str] = RULES, most: int = 17) -> SegmentedNetwork:
    """Networks of one to three segmented layers, of two to `most` values each."""
    sizes = draw(st.lists(st.integers(2, most), min_size=2, max_size=4))
    random, rule = np.random.default_rng(draw(st.integers(0, 2**16))), draw(st.sampled_from(rules))
    input_type: InputType = draw(st.sampled_from(("uint8", "int8")))
    layers = [
        random_layer(random, inputs, outputs, rule, bool(random.integers(2))) for inputs, outputs in pairwise(sizes)
    ]
    if rule == "binary":
        layers[0], input_type = replace(layers[0], rule=STATIC), "int8"
    return SegmentedNetwork("segmented", tuple(layers), np.arange(sizes[0]), input_type=input_type)


def random_vectors(network: Network | SegmentedNetwork, count: int, seed: int = 0) -> NDArray[np.uint8 | np.int8]:
    """Inputs over the whole range of the network's type, a zero vector and the extremes now and then among them."""
    random = np.random.default_rng(seed)
    limits, first = np.iinfo(network.input_type), network.layers[0]
    least = -ACTIVATION_MAX if isinstance(first, IntegerLayer) and first.rule == STATIC else limits.min
    vectors = random.integers(least, limits.max + 1, (count, first.inputs))
    vectors[random.random(count) < 0.1] = 0
    vectors[random.random(vectors.shape) < 0.1] = least
    return vectors.astype(network.input_type)


def as_words(vectors: NDArray[np.integer], lanes: int) -> list[list[int]]:
    """Stream words of vectors, the lanes beyond each vector's end 0."""
    return np.pad(vectors, ((0, 0), (0, -vectors.shape[1] % lanes))).reshape(-1, lanes).tolist()


def plain_network(path: Path) -> Network:
    """The network of a file whose layers have a scale each, and nothing else."""
    network = read_network(path)
    assert isinstance(network, Network)
    return network


class Results(NamedTuple):
    """Logits, and the cycle in which each vector's last word left."""

    logits: list[list[int]]
    left: list[int]


def as_results(words: list[Transfer], outputs: int, lanes: int) -> Results:
    """Vectors of the results; fails where `last` marks any other word than a vector's last or padding is not 0."""
    length = -(-outputs // lanes)
    assert [word.payload["last"] for word in words] == [*[0] * (length - 1), 1] * (len(words) // length)
    values = np.array([word.payload["data"] for word in words]).reshape(-1, length * lanes)
    assert not values[:, outputs:].any()
    return Results(values[:, :outputs].tolist(), [word.cycle for word in words[length - 1 :: length]])
