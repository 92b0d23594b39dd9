"""Norms between the layers of a network whose file does not say in which order its parts compute."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from gen.imports.companions import COUNTERS, is_norm, norm_kind, norm_parts
from golden.files.norm import PLACES
from golden.files.stored import Tensor


class PlacedNorm(NamedTuple):
    """A norm and the layer that it is taken to stand before."""

    name: str
    parts: dict[str, str]
    """Its tensors, by what a layer file calls them."""
    counters: list[str]
    """Its tensors that no layer computes with."""
    layer: str
    place: str
    """See `golden.files.norm.PLACES`."""

    @property
    def kind(self) -> str:
        """See `golden.files.norm.KINDS`."""
        return norm_kind(self.name, self.parts)


def modules(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, str]]:
    """Tensors of one dimension or none by the name before their last dot, and by what follows it."""
    found: dict[str, dict[str, str]] = {}
    for name, tensor in tensors.items():
        module, dot, last = name.rpartition(".")
        if dot and len(tensor.shape) <= 1:
            found.setdefault(module, {})[last] = name
    return found


def place_norms(layers: Sequence[tuple[str, int, int]], rest: Mapping[str, Tensor]) -> list[PlacedNorm]:
    """Norms among the tensors that no layer takes, each before one of the layers.

    Modules that are numbered like the layers (``net.0``, ``net.1``, ``net.3``) stand where their number puts them, and
    a norm right after a layer's number is in front of that layer's activation. Norms that are called so (``norm1``,
    ``bn1``) go by their own order: BatchNorms follow the layers, the others precede them, the other way round where
    only that fits the lengths. What fits nowhere has no place.

    Parameters
    ----------
    layers
        Name, outputs and inputs, in the order in which they compute.
    rest
        The tensors, by name.

    """
    placed: list[PlacedNorm] = []
    families: dict[str, list[tuple[str, dict[str, str], list[str], int]]] = {}
    for module, tensors in modules(rest).items():
        parts, counters = norm_parts(tensors)
        lengths = {rest[name].shape for name in parts.values()}
        family = _split(module)[0]
        numbered = any(_split(name)[0] == family for name, _, _ in layers)
        if len(lengths) != 1 or len(shape := next(iter(lengths))) != 1 or not (is_norm(module) or numbered):
            continue
        if set(tensors) - parts.keys() and set(tensors) - _lasts(parts, tensors) - set(COUNTERS):
            continue
        families.setdefault(family, []).append((module, parts, counters, shape[0]))
    for family, norms in families.items():
        norms.sort(key=lambda norm: _split(norm[0])[1])
        if any(_split(name)[0] == family for name, _, _ in layers):
            places = [_by_number(module, length, layers) for module, _, _, length in norms]
        else:
            batch = norm_kind(norms[0][0], norms[0][1]) == "batch"
            places = _by_order([length for *_, length in norms], layers, batch)
        for (module, parts, counters, _), place in zip(norms, places, strict=True):
            if place:
                placed.append(PlacedNorm(module, parts, counters, *place))
    return placed


def _lasts(parts: Mapping[str, str], tensors: Mapping[str, str]) -> set[str]:
    return {last for last, tensor in tensors.items() if tensor in parts.values()}


def _split(name: str) -> tuple[str, int]:
    """A name with its last number taken out, and the number; -1 if there is none."""
    match = re.search(r"(\d+)(?=\D*$)", name)
    return (name[: match.start()] + "#" + name[match.end() :], int(match[1])) if match else (name, -1)


def _by_number(module: str, length: int, layers: Sequence[tuple[str, int, int]]) -> tuple[str, str] | None:
    """The next layer by number, if it takes so many values."""
    number = _split(module)[1]
    following = [(name, inputs) for name, _, inputs in layers if _split(name)[1] > number]
    if not following or following[0][1] != length:
        return None
    before = any(_split(name)[1] == number - 1 for name, _, _ in layers)
    return following[0][0], PLACES[1] if before else PLACES[0]


def _by_order(
    lengths: list[int], layers: Sequence[tuple[str, int, int]], batch: bool
) -> list[tuple[str, str]] | list[None]:
    """The first layers, or those that follow them, whichever takes so many values; BatchNorms try the latter first."""
    precede = [(name, inputs, PLACES[0]) for name, _, inputs in layers]
    follow = [(after[0], before[1], PLACES[1 if batch else 0]) for before, after in pairwise(layers)]
    for ways in (follow, precede) if batch else (precede, follow):
        if len(lengths) <= len(ways) and all(way[1] == length for way, length in zip(ways, lengths, strict=False)):
            return [(name, place) for name, _, place in ways[: len(lengths)]]
    return [None] * len(lengths)
