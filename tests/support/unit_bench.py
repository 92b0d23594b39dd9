"""A unit of the decoder on its own: steps are given to it, and what it reads is answered as late as declared."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from amaranth.lib import wiring

from rtl.transformer.timing import Timing
from sim.pysim import Driver, trace


class Port(NamedTuple):
    """A read port of the unit: what answers it, and how late."""

    address: str
    data: str
    latency: int
    answer: Callable[[Any], Any]


class Batch(NamedTuple):
    """Steps one behind the other, the first of them while nothing is at work.

    Parameters
    ----------
    steps
        Each step's fields, and its timing.
    inputs
        What the unit is given meanwhile.
    ports
        What answers it.
    reads
        What it is given from the first cycle on in which it is not busy, one a cycle.

    """

    steps: Sequence[tuple[Mapping[str, Any], Timing]]
    inputs: Mapping[str, Any]
    ports: Sequence[Port]
    reads: Sequence[Mapping[str, Any]] = ()


class Played(NamedTuple):
    """What happened in a batch."""

    cycles: list[dict[str, Any]]
    """What was watched, from the first cycle of the batch to the answer of its last read."""
    accepted: list[int]
    """The cycle in which each step was accepted, an index of `cycles`."""
    answers: list[dict[str, Any]]
    """What was watched in the cycle behind each read."""


def play(unit: wiring.Component, batches: Sequence[Batch], watched: Sequence[str], random: Random) -> list[Played]:
    """Give all steps, now and then with a pause before one, and hold the unit to the declared timing."""
    seen: list[dict[str, Any]] = []
    played: list[Played] = []
    free = idle = 0  # the first cycle in which a step is accepted, and in which the unit is not busy

    def cycle(ports: Sequence[Port], inputs: Mapping[str, Any]) -> Driver:
        now = len(seen)
        answers = {port.data: port.answer(seen[-port.latency][port.address]) for port in ports if now >= port.latency}
        seen.append((yield {**answers, "step.valid": 0, **inputs}))
        assert seen[now]["step.ready"] == (now >= free), f"cycle {now}: ready from {free} on"
        assert seen[now]["busy"] == (now < idle), f"cycle {now}: busy until {idle}"

    def driver() -> Driver:
        nonlocal free, idle
        for batch in batches:
            start, accepted = len(seen), []
            reads = [*batch.reads, {}]
            yield from cycle(batch.ports, {**batch.inputs, **reads[0]})
            yield from cycle(batch.ports, {})
            for fields, timing in batch.steps:
                while random.random() < 0.3:
                    yield from cycle(batch.ports, {})
                while len(seen) < free:
                    yield from cycle(batch.ports, {"step.valid": 1, "step.payload": fields})
                now = len(seen)
                yield from cycle(batch.ports, {"step.valid": 1, "step.payload": fields})
                accepted.append(now - start)
                free, idle = now + timing.walk, now + timing.done
            while len(seen) < idle:
                yield from cycle(batch.ports, {})
            first = len(seen)
            for read in [*reads, {}]:
                yield from cycle(batch.ports, read)
            played.append(Played(seen[start:], accepted, seen[first + 1 : -1]))

    addresses = {port.address for batch in batches for port in batch.ports}
    trace(unit, driver(), "step.ready", "busy", *watched, *addresses)
    return played
