"""A network's Verilog against its numpy model: every logit, every cycle."""

from dataclasses import dataclass, field
from itertools import chain
from operator import eq
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen.plan.plan import Plan
from sim.batch import Progress, run_batch
from sim.wave_plot import plot_waves


@dataclass(frozen=True)
class Comparison:
    """How a simulated run compares with the model and the prediction.

    Parameters
    ----------
    model, fold
        What was run.
    alone
        Whether each vector was offered only once the one before had left.
    images
        Vectors simulated.
    logits_equal
        Vectors whose every logit equals the model's.
    times_equal
        Vectors that entered and left in the predicted cycles.
    accuracy
        Share of vectors whose largest simulated logit is the label's; None without labels.
    cycles_predicted, cycles_simulated
        All cycles from first input to last result, summed over the processes that shared the work.
    latency_predicted, latency_simulated
        Cycles from a vector's first input word to its last result word: the longest of all vectors.
    period
        Predicted cycles between the results of consecutive vectors, once they repeat themselves.
    array_busy
        Share of cycles in which the array works, then.
    utilisation
        Multiplications done over those the array could do in all cycles, then.
    seconds
        Wall time, build included.
    logits
        As simulated, shape (images, outputs).

    """

    model: str
    fold: str
    alone: bool
    images: int
    logits_equal: int
    times_equal: int
    accuracy: float | None
    cycles_predicted: int
    cycles_simulated: int
    latency_predicted: int
    latency_simulated: int
    period: float
    array_busy: float
    utilisation: float
    seconds: float
    logits: NDArray[np.int32] = field(repr=False, compare=False)

    @property
    def exact(self) -> bool:
        """Whether every logit and every cycle is what it should be."""
        return self.logits_equal == self.times_equal == self.images

    def figures(self) -> dict[str, Any]:
        """The fields but the logits, for a JSON file."""
        return {name: value for name, value in vars(self).items() if name != "logits"}


def compare(
    plan: Plan,
    vectors: NDArray[np.integer[Any]],
    labels: NDArray[np.integer[Any]] | None,
    *,
    alone: bool = False,
    loaded: bool = False,
    workers: int = 2,
    waves: Path | None = None,
    progress: Progress = lambda count: None,
) -> Comparison:
    """Simulate the vectors and compare; the parameters are those of `sim.batch.run_batch`, and the labels.

    `waves` may be a picture, ``.png``, too; the trace that it shows is then beside it.
    """
    started = monotonic()
    vectors = plan.network.prepare(vectors)
    expected = plan.network.forward(vectors).logits
    trace = waves.with_suffix(".vcd") if waves and waves.suffix == ".png" else waves
    run = run_batch(plan, vectors, alone=alone, loaded=loaded, workers=workers, waves=trace, progress=progress)
    if waves and trace and waves != trace:
        plot_waves(trace, waves)
    cycles = plan.cycles
    predicted = [cycles.alone(part) if alone else cycles.times(part) for part in run.parts]
    times = list(chain(*predicted))
    period = cycles.latency if alone else cycles.period
    return Comparison(
        model=plan.network.name,
        fold=str(plan.fold),
        alone=alone,
        images=len(vectors),
        logits_equal=int((run.logits == expected).all(axis=1).sum()),
        times_equal=sum(map(eq, run.times, times)),
        accuracy=None if labels is None else float(np.mean(run.logits.argmax(axis=1) == labels)),
        cycles_predicted=sum(part[-1].left + 1 for part in predicted),
        cycles_simulated=run.cycles,
        latency_predicted=max(left - entered for entered, left in times) + 1,
        latency_simulated=int((run.left - run.entered).max()) + 1,
        period=period,
        array_busy=cycles.array / period,
        utilisation=cycles.useful * cycles.array / period,
        seconds=round(monotonic() - started, 2),
        logits=run.logits,
    )
