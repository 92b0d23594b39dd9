"""Networks of every scheme on the same engine: in the golden model, in Verilator, and synthesised."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen.plan.plan import MODULE, Fold, plan_network
from gen.tools import find_tools, part_named
from golden.formats import PACKINGS
from golden.schemes.network import AnyNetwork
from rtl.engine.config import EngineConfig
from sim.compare import Comparison, compare

Progress = Callable[[int], None]


@dataclass(frozen=True)
class SchemeRow:
    """A network of a scheme on an engine.

    Parameters
    ----------
    scheme
        Its name.
    trained
        Whether the network was trained with it; otherwise floats were quantised.
    bits
        Of a weight, as the engine stores it: trits of all planes in their packing, and mantissas.
    images, golden
        Vectors that the golden model ran, and the share of them that it recognises.
    simulated
        The engine in Verilator, on the first of them.
    lut4, multipliers, block_rams
        Of the engine with its network, as synthesised for an ECP5-45F; a carry cell of two bits counts two LUT4.

    """

    scheme: str
    trained: bool
    bits: float
    images: int
    golden: float
    simulated: Comparison
    lut4: int
    multipliers: int
    block_rams: int

    @property
    def label(self) -> str:
        """What to call it."""
        return f"{self.scheme}, trained" if self.trained else self.scheme

    def figures(self) -> dict[str, Any]:
        """All of it, for a file."""
        return vars(self) | {"simulated": self.simulated.figures()}


def measure_scheme(
    scheme: str,
    network: AnyNetwork,
    weights: int,
    batch: NDArray[np.integer[Any]],
    labels: NDArray[np.integer[Any]],
    *,
    simulated: int,
    fold: Fold,
    packing: str,
    trained: bool = False,
    workers: int = 2,
    progress: Progress = lambda count: None,
) -> SchemeRow:
    """Measure a network.

    Parameters
    ----------
    scheme
        One of `golden.schemes.quantisers.SCHEMES`.
    network, weights
        The network, and how many weights it has.
    batch, labels
        Vectors, shape (n, inputs), and what they are; the golden model runs all of them.
    simulated
        How many of them run in Verilator, 1 to n.
    fold, packing
        Of the engine.
    trained
        Whether it was trained with the scheme.
    workers
        Simulations at a time.
    progress
        Called with the number of vectors done in Verilator since the last call.

    """
    plan = plan_network(network, fold, packing=packing)
    found = network.forward(network.prepare(batch)).logits.argmax(axis=1)
    comparison = compare(plan, batch[:simulated], labels[:simulated], workers=workers, progress=progress)
    cells = find_tools("ecp5").synthesise(part_named("ecp5"), MODULE, plan.verilog()).cells
    return SchemeRow(
        scheme=scheme,
        trained=trained,
        bits=_stored_bits(network, plan.config) / weights,
        images=len(batch),
        golden=float(np.mean(found == labels)),
        simulated=comparison,
        lut4=cells["LUT4"] + 2 * cells["CCU2C"],
        multipliers=cells.get("MULT18X18D", 0),
        block_rams=cells.get("DP16KD", 0),
    )


def _stored_bits(network: AnyNetwork, config: EngineConfig) -> float:
    """Of all weights and mantissas, without what fills up words, segments and tiles."""
    packing = PACKINGS[config.packing]
    trits = sum(layer.outputs * (end - start) for layer in network.layers for start, end in layer.passes)
    mantissas = sum(layer.outputs * len(layer.passes) for layer in network.layers)
    mantissa_bits = config.scaling.mantissa_bits if config.scaling else 0
    return trits * packing.bits / packing.trits + mantissas * mantissa_bits
