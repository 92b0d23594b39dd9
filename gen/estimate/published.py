"""Our estimates beside the figures of BitNet b1.58's paper (2402.17764), and why they differ."""

from typing import NamedTuple

from gen.estimate.energy import PROCESSES, WIDE_ADD
from gen.estimate.estimate import Estimate
from gen.estimate.model_shapes import PUBLISHED, PUBLISHED_ENERGY_RATIO, ModelShape, Published

CONTEXT = 2048
"""Tokens whose keys and values are set against the paper's memory, which does not say how many it holds."""


class Comparison(NamedTuple):
    """One figure."""

    what: str
    published: float | None
    """None: the paper states no number."""
    ours: float
    unit: str
    note: str

    def cells(self) -> tuple[str, str, str, str]:
        """As words."""
        stated = "not stated" if self.published is None else f"{self.published:g} {self.unit}"
        return self.what, stated, f"{self.ours:.3g} {self.unit}", self.note


def compare_published(model: ModelShape, estimates: list[Estimate]) -> list[Comparison]:
    """Memory, time and energy; nothing for models that are not of the paper."""
    if model.name not in PUBLISHED:
        return []
    stated = PUBLISHED[model.name]
    ternary = next(estimate for estimate in estimates if estimate.scheme == "b1.58")
    found = _memory(model, stated)
    if stated.ternary_milliseconds is not None and ternary.token_milliseconds is not None:
        note = f"a GPU there (FP16: {stated.float_milliseconds} ms), this engine and its memory here"
        row = ("time of a token, b1.58", stated.ternary_milliseconds, ternary.token_milliseconds, "ms", note)
        found.append(Comparison(*row))
    if stated.latency_ratio is not None and ternary.token_milliseconds:
        note = "ours is for external memory that bounds both; a GPU's time has other parts"
        ratio = estimates[0].memory_milliseconds / ternary.token_milliseconds
        found.append(Comparison("time of a token, FP16 over b1.58", stated.latency_ratio, ratio, "x", note))
    return found + _energy(model)


def _memory(model: ModelShape, stated: Published) -> list[Comparison]:
    cache = CONTEXT * model.cache / 1e9
    floats = 2 * (model.linear + model.others) / 1e9
    ternary = (model.linear / 4 + 2 * model.others) / 1e9
    found = []
    for what, published, ours, kind in (
        ("memory, FP16", stated.float_gigabytes, floats, "all weights"),
        (
            "memory, b1.58",
            stated.ternary_gigabytes,
            ternary,
            "weights of 2 bits, as its kernel's, and 16-bit embeddings",
        ),
    ):
        if published is None:
            continue
        note = (
            f"ours are {kind}; the paper's {published - ours:.2f} GB more were measured on a GPU and probably "
            f"are keys and values ({cache:.2f} GB for {CONTEXT} tokens) and work space"
        )
        found.append(Comparison(what, published, ours, "GB", note))
    if stated.memory_ratio is not None:
        note = "ours is of weights alone; what both models take at run time makes the measured one smaller"
        found.append(Comparison("memory, FP16 over b1.58", stated.memory_ratio, floats / ternary, "x", note))
    return found


def _energy(model: ModelShape) -> list[Comparison]:
    old, new = PROCESSES["45 nm"], PROCESSES["7 nm"]
    last = model.vocabulary * model.decoder.hidden
    product = new.float_add + new.float_multiply
    whole = (model.linear + last) * product / (model.linear * new.small_add + last * product)
    return [
        Comparison(
            "energy of products, 7 nm",
            PUBLISHED_ENERGY_RATIO,
            new.ratio,
            "x",
            f"the same constants: ({new.float_add} + {new.float_multiply}) / {new.small_add} pJ",
        ),
        Comparison("the same, 45 nm", None, old.ratio, "x", "Horowitz's constants"),
        Comparison(
            "the same, sums of 32 bits, 45 nm",
            None,
            (old.float_add + old.float_multiply) / WIDE_ADD,
            "x",
            "the paper counts additions of 8 bits, in which no sum of this length fits",
        ),
        Comparison(
            "energy with the last layer, 7 nm",
            None,
            whole,
            "x",
            "it stays FP16, so the gain grows with the model, as the paper's figure 3 shows",
        ),
    ]
